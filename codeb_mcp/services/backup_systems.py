"""The systems that backups need, as Protocols. They raise what those in `systems` raise."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from codeb_mcp.domain.backups import BackupName, BackupPolicy, Manifest, Recipient
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.streams import Dump, Intake, Opened
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


@dataclass(frozen=True, slots=True)
class BackupSystems:
    """Everything that backups work with, besides `Systems`."""

    store: BackupStore
    state: State
    volumes: VolumeData
    offsite: Callable[[str], OffSite]
    policy: BackupPolicy
