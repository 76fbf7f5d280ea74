"""`codeb`: the same use cases for a person at a shell. One file per group of commands."""

from codeb_mcp.cli.app import main

__all__ = ["main"]
