"""The systems that backups need, as Protocols. They raise what those in `systems` raise."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from codeb_mcp.domain.backups import BackupName, BackupPolicy, Facts, Manifest, Recipient
from codeb_mcp.domain.databases import Access, Database, Engine
from codeb_mcp.domain.job import Schedule
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.streams import DatabaseDump, Dump, Intake, Opened
from codeb_mcp.domain.watching import Told, unwatched


class BackupStore(Protocol):
    """Encrypted backups in a folder; what is listed was written to its end."""

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Be the only writer here, and remove what one that was killed left. Raises Locked."""

    async def write(
        self, name: BackupName, dump: Dump, recipients: Sequence[Recipient], told: Told = unwatched
    ) -> Manifest:
        """Encrypt a dump into a file of that name, durably; no manifest is there yet.

        Raises what the dump raises, and HostNotReady (`disk_full`); then nothing of it is left.
        """

    async def record(self, manifest: Manifest) -> None:
        """Write the manifest beside its file, which lists the backup; or replace it."""

    async def listed(self) -> tuple[Manifest, ...]:
        """What is there, oldest first. A file whose manifest is missing or bad is not listed."""

    async def remove(self, name: BackupName) -> None:
        """Remove a backup, its manifest first; absent is fine."""

    def path(self, name: BackupName) -> Path:
        """Where the file of that name is."""

    async def room(self) -> int:
        """Free bytes where backups are written."""

    async def open(self, path: Path, identity: Secret, told: Told = unwatched) -> Opened:
        """Decrypt a file to its end, to nowhere, and check it against its manifest if it has one.

        Raises DataAtRisk (`backup_damaged`, `wrong_key`).
        """

    async def pour(
        self, opened: Opened, identity: Secret, intake: Intake, told: Told = unwatched
    ) -> None:
        """Decrypt a file that was found whole into `intake`; nothing plain is written to disk."""


class OffSite(Protocol):
    """Somewhere else, where copies of backups go."""

    async def copy(self, path: Path) -> None:
        """Put a copy of the file there, and make sure that it is the same."""

    async def fetch(self, name: str, folder: Path) -> Path:
        """Bring a file of that name into `folder`."""

    async def remove(self, name: str) -> None:
        """Remove the copy of that name; absent is fine."""


class State(Protocol):
    """codeb's own folder: the registry, the environments' secrets, the settings."""

    def dump(self) -> AbstractAsyncContextManager[Dump]:
        """A tar of it, the registry as of one moment. What it needs meanwhile goes at the end."""

    def intake(self, folder: Path) -> Intake:
        """Takes such a tar into an empty folder."""


class VolumeData(Protocol):
    """The files in volumes of environments."""

    def dump(self, key: EnvironmentKey, volume: str) -> Dump:
        """A tar of a volume."""

    def intake(self, key: EnvironmentKey, volume: str) -> Intake:
        """Takes a tar into a volume that is there."""


class Timetable(Protocol):
    """When backups are made by themselves."""

    async def set(self, schedule: Schedule) -> str:
        """Make them by that schedule; when next, in words. Refused where nothing keeps time."""

    async def clear(self) -> None:
        """Make none by a schedule; absent is fine."""

    async def coming(self) -> str:
        """When they are made next, in words; empty where there is no schedule."""


class DatabaseCopies(Protocol):
    """Databases that stand beside one, in the same server. `beside` is how their names end."""

    def dump(self, admin: Access, database: Database) -> AbstractAsyncContextManager[DatabaseDump]:
        """The database as of one moment, and what its tables hold at that moment."""

    async def fresh(self, admin: Access, database: Database, beside: str) -> Intake:
        """Make an empty one, in place of one that was left there; it takes a dump."""

    async def facts(self, admin: Access, database: Database, beside: str) -> Facts:
        """What the tables of the one beside hold."""

    async def discard(self, admin: Access, database: Database, beside: str) -> None:
        """Remove the one beside; absent is fine."""

    async def exchange(self, admin: Access, database: Database, until: datetime) -> None:
        """Put the fresh one in place of the present one, which is kept beside, all at once."""

    async def take_back(self, admin: Access, database: Database) -> None:
        """Put the one that was replaced back in its place; the one that replaced it goes."""

    async def replaced(self, admin: Access, database: Database) -> datetime | None:
        """Until when one that was replaced is kept; None where there is none."""


@dataclass(frozen=True, slots=True)
class BackupSystems:
    """Everything that backups work with, besides `Systems`."""

    store: BackupStore
    state: State
    volumes: VolumeData
    copies: Mapping[Engine, DatabaseCopies]
    offsite: Callable[[str], OffSite]
    timetable: Timetable
    identity: Callable[[Path], Secret]
    """Reads the key in a file that only its owner can read."""
    policy: BackupPolicy
