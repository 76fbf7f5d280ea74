"""What is remembered of heals, in the registry's file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select

from codeb_mcp.adapters.registry.database import Database
from codeb_mcp.adapters.registry.rows import from_text, to_text
from codeb_mcp.adapters.registry.schema import heals
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.healing import HealOutcome, HealRecord

MOST_OF_ONE_FAILURE = 100


class SqlHealRecords:
    """Implements `HealRecords`."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)

    @in_thread
    def add(self, record: HealRecord) -> None:
        """Append one."""
        row = {name: getattr(record, name) for name in HealRecord.__slots__}
        row |= {"at": to_text(record.at), "outcome": record.outcome.value}
        with self._database.write() as connection:
            connection.execute(insert(heals).values(row))

    @in_thread
    def of_failure(self, repository: str, fingerprint: str) -> tuple[HealRecord, ...]:
        """Those of one failure, newest first."""
        mine = (heals.c.repository == repository, heals.c.fingerprint == fingerprint)
        return self._found(mine, MOST_OF_ONE_FAILURE)

    @in_thread
    def newest(self, limit: int, project: str | None = None) -> tuple[HealRecord, ...]:
        """The newest of all, or of one project."""
        return self._found((heals.c.project == project,) if project else (), limit)

    def _found(self, where: Sequence[ColumnElement[bool]], limit: int) -> tuple[HealRecord, ...]:
        wanted = select(heals).where(*where).order_by(heals.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return tuple(_record(row) for row in connection.execute(wanted))


def _record(row: Row[Any]) -> HealRecord:
    values = {name: getattr(row, name) for name in HealRecord.__slots__}
    values |= {"at": from_text(row.at), "outcome": HealOutcome(row.outcome)}
    return HealRecord(**values)
