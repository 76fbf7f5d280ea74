"""The registry on SQLite: what is deployed where."""

from codeb_mcp.adapters.registry.store import SqlRegistry

__all__ = ["SqlRegistry"]
