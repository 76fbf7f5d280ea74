"""Writes a backup and kills itself at the given moment: `killed_backup FOLDER RECIPIENT MOMENT`."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio

from codeb_mcp.adapters.backup_store import BackupFolder
from codeb_mcp.domain.backups import STATE, BackupName, Recipient
from codeb_mcp.domain.streams import Readable

READS = 12
_moments = 0


def moment() -> None:
    """One more moment has come; the chosen one is the last."""
    global _moments  # noqa: PLW0603 - counts over the whole process
    _moments += 1
    if _moments == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)


class Blocks:
    """A dump of some blocks."""

    def __init__(self) -> None:
        self._left = READS

    @contextmanager
    def open(self) -> Iterator[Readable]:
        yield self

    def stop(self) -> None:
        """It ends soon."""

    def read(self, _: int = -1, /) -> bytes:
        moment()
        self._left -= 1
        return b"x" * 8192 if self._left >= 0 else b""


def hear(event: str, arguments: tuple[object, ...]) -> None:
    """Before each change of the folder comes a moment."""
    about = " ".join(str(each) for each in arguments)
    if sys.argv[1] in about and event in ("open", "os.rename", "os.chmod", "os.remove"):
        moment()


async def main() -> None:
    folder, recipient = Path(sys.argv[1]), Recipient(sys.argv[2])
    store = BackupFolder(folder)
    name = BackupName(STATE, datetime(2026, 3, 2, tzinfo=UTC))
    sys.addaudithook(hear)
    async with store.alone():
        await store.record(await store.write(name, Blocks(), [recipient]))


anyio.run(main)
