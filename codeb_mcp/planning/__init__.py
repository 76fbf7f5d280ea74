"""Pure decisions: what is wanted and what was found go in, a plan comes out."""
