"""Use cases. They know the systems only as the Protocols of `services.systems`."""
