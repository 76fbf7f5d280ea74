"""Calls under way, as a Protocol: one that is killed leaves its trace in the audit as well."""

from typing import Protocol

from codeb_mcp.domain.ledger import AuditEntry


class Calls(Protocol):
    """Every mutating call from its beginning to its end, which is at the latest its process's.

    One that ended without a word is audited with the outcome `interrupted`.
    """

    async def begin(self, entry: AuditEntry) -> int:
        """Write down who asks for what; its number. Those that were killed are audited first."""

    async def end(self, number: int, entry: AuditEntry) -> None:
        """Append how it ended to the audit, which nothing can change or delete."""

    async def settle(self) -> None:
        """Audit those that were killed."""
