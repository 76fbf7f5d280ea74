"""The bypass guard: whether a change removes the cause of a failure, or only its sign. Pure."""
