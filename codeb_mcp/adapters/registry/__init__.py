"""The registry on SQLite: what is deployed where."""

from codeb_mcp.adapters.registry.calls import SqlCalls
from codeb_mcp.adapters.registry.databases import SqlDatabases
from codeb_mcp.adapters.registry.heals import SqlHealRecords
from codeb_mcp.adapters.registry.receipts import SqlReceipts
from codeb_mcp.adapters.registry.store import SqlRegistry
from codeb_mcp.adapters.registry.upkeep import SqlUpkeep

__all__ = [
    "SqlCalls",
    "SqlDatabases",
    "SqlHealRecords",
    "SqlReceipts",
    "SqlRegistry",
    "SqlUpkeep",
]
