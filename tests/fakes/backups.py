"""Backups in a real folder, of things in memory, with copies elsewhere that can fail."""
# ruff: noqa: ARG002 - a fake takes what its Protocol gives

import io
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyrage

from codeb_mcp.adapters.backup_store import BackupFolder
from codeb_mcp.adapters.identity import read_identity
from codeb_mcp.domain.backups import FRESH, OLD, BackupPolicy, Facts, Recipient, TableFacts
from codeb_mcp.domain.databases import Access, Database, Engine
from codeb_mcp.domain.job import Schedule
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.streams import DatabaseDump, Dump, Intake, Readable, Writable
from codeb_mcp.errors import SystemFailed
from codeb_mcp.services.backup_systems import BackupSystems


def key_pair() -> tuple[Secret, Recipient]:
    """A new key, and its public half."""
    identity = pyrage.x25519.Identity.generate()
    return Secret(str(identity)), Recipient(str(identity.to_public()))


@dataclass
class BytesDump:
    """Bytes as a dump; `fails` says that their producer ends badly after them."""

    content: bytes
    fails: bool = False

    @contextmanager
    def open(self) -> Iterator[Readable]:
        yield io.BytesIO(self.content)
        if self.fails:
            raise SystemFailed("the producer failed (exit 1)", code="command_failed")

    def stop(self) -> None:
        """It is read in an instant."""


@dataclass
class BytesIntake:
    """Keeps what it is given."""

    taken: io.BytesIO = field(default_factory=io.BytesIO)

    @contextmanager
    def open(self) -> Iterator[Writable]:
        yield self.taken

    def stop(self) -> None:
        """It takes in an instant."""


@dataclass
class FakeOffSite:
    """A place elsewhere, which may be down."""

    files: dict[str, bytes] = field(default_factory=dict)
    down: bool = False

    async def copy(self, path: Path) -> None:
        self._require_up()
        self.files[path.name] = path.read_bytes()

    async def fetch(self, name: str, folder: Path) -> Path:
        self._require_up()
        path = folder / name
        path.write_bytes(self.files[name])
        return path

    async def remove(self, name: str) -> None:
        self._require_up()
        self.files.pop(name, None)

    def _require_up(self) -> None:
        if self.down:
            raise SystemFailed("no route to the other place", code="copy_failed")


@dataclass
class FakeCopies:
    """`DatabaseCopies` whose databases are lines of text; a table per line, by name."""

    contents: dict[str, bytes] = field(default_factory=dict)
    kept: dict[str, datetime] = field(default_factory=dict)
    fail_exchange: bool = False
    alter: bytes = b""

    @asynccontextmanager
    async def dump(self, admin: Access, database: Database) -> AsyncIterator[DatabaseDump]:
        content = self.contents[database.id.name]

        async def facts() -> Facts:
            return _facts(content)

        yield DatabaseDump(BytesDump(b"PGDMP" + content), "PostgreSQL 17", facts)

    async def fresh(self, admin: Access, database: Database, beside: str) -> Intake:
        self.contents[database.id.name + beside] = b""
        return _Restored(self, database.id.name + beside)

    async def facts(self, admin: Access, database: Database, beside: str) -> Facts:
        return _facts(self.contents[database.id.name + beside])

    async def discard(self, admin: Access, database: Database, beside: str) -> None:
        self.contents.pop(database.id.name + beside, None)
        if beside == OLD:
            self.kept.pop(database.id.name, None)

    async def exchange(self, admin: Access, database: Database, until: datetime) -> None:
        if self.fail_exchange:
            raise SystemFailed("sessions do not go away", code="database_failed")
        name = database.id.name
        self.contents[name + OLD] = self.contents[name]
        self.contents[name] = self.contents.pop(name + FRESH)
        self.kept[name] = until

    async def take_back(self, admin: Access, database: Database) -> None:
        name = database.id.name
        self.contents[name] = self.contents.pop(name + OLD)
        del self.kept[name]

    async def replaced(self, admin: Access, database: Database) -> datetime | None:
        return self.kept.get(database.id.name)


@dataclass
class _Restored:
    copies: FakeCopies
    name: str

    @contextmanager
    def open(self) -> Iterator[Writable]:
        taken = io.BytesIO()
        yield taken
        content = taken.getvalue().removeprefix(b"PGDMP") + self.copies.alter
        self.copies.contents[self.name] = content

    def stop(self) -> None:
        """It takes in an instant."""


def _facts(content: bytes) -> Facts:
    return tuple(
        TableFacts(f"public.{n}", 1, line.hex()) for n, line in enumerate(content.splitlines())
    )


@dataclass
class FakeTimetable:
    """Keeps the schedule."""

    schedule: str = ""

    async def set(self, schedule: Schedule) -> str:
        self.schedule = schedule
        return "tomorrow"

    async def clear(self) -> None:
        self.schedule = ""

    async def coming(self) -> str:
        return "tomorrow" if self.schedule else ""


class FakeBackups:
    """The real store, encrypting to a key of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.identity, self.recipient = key_pair()
        self.policy = BackupPolicy(recipients=(self.recipient,))
        self.store = BackupFolder(folder / "backups")
        self.elsewhere = FakeOffSite()
        self.copies = FakeCopies()
        self.timetable = FakeTimetable()
        self.failing: set[str] = set()
        self.taken: dict[str, BytesIntake] = {}

    def systems(self) -> BackupSystems:
        return BackupSystems(
            store=self.store,
            state=self,
            volumes=_Volumes(self),
            copies={Engine.POSTGRES: self.copies},
            timetable=self.timetable,
            identity=read_identity,
            offsite=lambda _: self.elsewhere,
            policy=self.policy,
        )

    @asynccontextmanager
    async def dump(self) -> AsyncIterator[Dump]:
        yield BytesDump(archive("registry.db", b"rows"), "state" in self.failing)

    def intake(self, folder: Path) -> Intake:
        return self.taken.setdefault(str(folder), BytesIntake())


@dataclass
class _Volumes:
    backups: FakeBackups

    def dump(self, key: EnvironmentKey, volume: str) -> Dump:
        name = key.volume(volume)
        return BytesDump(archive("file", name.encode()), name in self.backups.failing)

    def intake(self, key: EnvironmentKey, volume: str) -> Intake:
        return self.backups.taken.setdefault(key.volume(volume), BytesIntake())


def archive(name: str, content: bytes) -> bytes:
    """A tar of one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
