"""Bytes on their way: from something that is dumped, to something that takes them in."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from codeb_mcp.domain.backups import BackupKind, Facts, Manifest


class Readable(Protocol):
    """Bytes to be read to their end."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; empty at the end."""


class Writable(Protocol):
    """Takes bytes."""

    def write(self, data: bytes, /) -> int:
        """Take them all; how many they were."""

    def flush(self) -> None:
        """Hand on what was taken."""


class Dump(Protocol):
    """Something that can be read once, and that says at its end whether it was whole."""

    def open(self) -> AbstractContextManager[Readable]:
        """The bytes. Leaving it raises SystemFailed unless they were all there and are good."""

    def stop(self) -> None:
        """End it from another thread: a reader meets the end, and leaving fails."""


class Intake(Protocol):
    """Something that takes bytes once, and says at their end whether it could use them."""

    def open(self) -> AbstractContextManager[Writable]:
        """Where the bytes go. Leaving it raises SystemFailed unless all of them were taken."""

    def stop(self) -> None:
        """End it from another thread: a writer fails."""


@dataclass(frozen=True, slots=True)
class DatabaseDump:
    """A dump of a database; `facts` gives what its tables held then, once it has been read."""

    dump: Dump
    engine: str
    facts: Callable[[], Awaitable[Facts]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A backup file that was decrypted to its end and found whole."""

    path: Path
    kind: BackupKind | None
    plain_sha256: str
    manifest: Manifest | None
