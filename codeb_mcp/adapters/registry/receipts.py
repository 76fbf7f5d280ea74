"""Idempotency keys in the registry's file."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, update

from codeb_mcp.adapters.registry.database import Database
from codeb_mcp.adapters.registry.rows import from_text, to_text
from codeb_mcp.adapters.registry.schema import receipts
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.lifetime import KEY_LIFE, IdempotencyKey, Receipt


class SqlReceipts:
    """Implements `Receipts`. A key that is older than `KEY_LIFE` is as good as unknown."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._database = Database(path)
        self._now = now

    @in_thread
    def find(self, key: IdempotencyKey) -> Receipt | None:
        """What is known of the key, or None."""
        with self._database.read() as connection:
            return _found(connection, key, self._now())

    @in_thread
    def begin(self, key: IdempotencyKey, fingerprint: str) -> Receipt:
        """The key's receipt, made when absent. Those that are too old are forgotten."""
        now = self._now()
        with self._database.write() as connection:
            too_old = receipts.c.started_at <= to_text(now - KEY_LIFE)
            connection.execute(delete(receipts).where(too_old))
            found = _found(connection, key, now)
            if found is None:
                row = {"key": str(key), "fingerprint": fingerprint, "started_at": to_text(now)}
                connection.execute(insert(receipts).values(row))
                found = Receipt(key, fingerprint, now)
            return found

    @in_thread
    def finish(self, key: IdempotencyKey, outcome: Mapping[str, object]) -> None:
        """Write down how the request ended."""
        with self._database.write() as connection:
            mine = receipts.c.key == str(key)
            connection.execute(update(receipts).where(mine).values(outcome=dict(outcome)))

    @in_thread
    def drop(self, key: IdempotencyKey) -> None:
        """Forget the key: its request was not carried out."""
        with self._database.write() as connection:
            connection.execute(delete(receipts).where(receipts.c.key == str(key)))


def _found(connection: Connection, key: IdempotencyKey, now: datetime) -> Receipt | None:
    fresh = receipts.c.started_at > to_text(now - KEY_LIFE)
    row = connection.execute(
        select(receipts).where(receipts.c.key == str(key), fresh)
    ).one_or_none()
    if row is None:
        return None
    return Receipt(key, row.fingerprint, from_text(row.started_at), row.outcome)
