"""Calls that are under way, in the registry's file, and the end of each in its audit.

Whoever makes a call holds a `flock` named after its row. A row whose lock is free is a call
that was killed.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from codeb_mcp.adapters.flock import try_lock, unlock_and_remove
from codeb_mcp.adapters.registry.database import Database
from codeb_mcp.adapters.registry.rows import to_text
from codeb_mcp.adapters.registry.schema import audit, calls
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.ledger import AuditEntry
from codeb_mcp.errors import HostNotReady


class SqlCalls:
    """Implements `Calls`. The locks lie in `folder`, made when absent."""

    def __init__(self, path: Path, folder: Path, now: Callable[[], datetime]) -> None:
        self._database = Database(path)
        self._folder = folder
        self._now = now
        self._held: dict[int, int] = {}

    @in_thread
    def begin(self, entry: AuditEntry) -> int:
        """Write down that a call began; those that were killed before are audited first."""
        with self._database.write() as connection:
            self._settle(connection)
            row = {**_row(entry), "at": to_text(entry.at)}
            (number,) = connection.execute(insert(calls).values(row)).inserted_primary_key or (0,)
            descriptor = self._lock(number)  # before anybody else can see the row
            if descriptor is not None:
                self._held[number] = descriptor
        return int(number)

    @in_thread
    def end(self, number: int, entry: AuditEntry) -> None:
        """Audit how the call ended."""
        try:
            with self._database.write() as connection:
                connection.execute(delete(calls).where(calls.c.id == number))
                _audit(connection, entry)
        finally:
            if (descriptor := self._held.pop(number, None)) is not None:
                unlock_and_remove(self._path(number), descriptor)

    @in_thread
    def settle(self) -> None:
        """Audit the calls that were killed."""
        with self._database.read() as connection:
            if connection.execute(select(calls.c.id).limit(1)).first() is None:
                return
        with self._database.write() as connection:
            self._settle(connection)

    def _settle(self, connection: Connection) -> None:
        for row in connection.execute(select(calls).order_by(calls.c.id)).all():
            descriptor = self._lock(row.id)
            if descriptor is None:
                continue
            message = f"it began at {row.at}, and its end was not written down"
            _audit(
                connection,
                AuditEntry(
                    self._now(), row.actor, row.action, row.arguments, "interrupted", message
                ),
            )
            connection.execute(delete(calls).where(calls.c.id == row.id))
            unlock_and_remove(self._path(row.id), descriptor)

    def _lock(self, number: int) -> int | None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return try_lock(self._path(number))
        except OSError as error:
            raise HostNotReady(
                f"the lock folder {self._folder} cannot be used: {error.strerror}",
                hint=f"make {self._folder} writable for this account and check the disk has space",
                code="locks_not_writable",
            ) from None

    def _path(self, number: int) -> Path:
        return self._folder / f"call-{number}.lock"


def _audit(connection: Connection, entry: AuditEntry) -> None:
    ended = {"at": to_text(entry.at), "outcome": entry.outcome, "message": entry.message}
    connection.execute(insert(audit).values({**_row(entry), **ended}))


def _row(entry: AuditEntry) -> dict[str, object]:
    return {"actor": entry.actor, "action": entry.action, "arguments": dict(entry.arguments)}
