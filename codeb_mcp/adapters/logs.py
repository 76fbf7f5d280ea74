"""What releases wrote: `<logs>/<project>-<environment>/r<number>.log`."""

import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import anyio

from codeb_mcp.adapters.log_lines import LineJoiner
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import HostNotReady

_BLOCK = 64 * 1024
_MOST_READ = 8 * 1024 * 1024
_POLL_SECONDS = 0.2
_RELEASE_LOG = re.compile(r"r([1-9][0-9]*)\.log")


class LogFiles:
    """`Logs` over files in k8s-file format below `logs`, one folder per environment."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    def folder(self, key: EnvironmentKey) -> str:
        """Where an environment's logs lie; made when absent."""
        folder = self._logs / key.slug
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise HostNotReady(
                f"the log folder {folder} cannot be made: {error.strerror}",
                hint=f"make {self._logs} writable for this account and check the disk has space",
                code="logs_not_writable",
            ) from None
        return str(folder)

    async def owned(self) -> dict[EnvironmentKey, tuple[int, ...]]:
        """The releases of which there is a log."""
        return await in_thread(self._owned)()

    def _owned(self) -> dict[EnvironmentKey, tuple[int, ...]]:
        found = {}
        for folder in self._logs.iterdir() if self._logs.is_dir() else ():
            if (key := EnvironmentKey.of_slug(folder.name)) is not None and folder.is_dir():
                names = (_RELEASE_LOG.fullmatch(each.name) for each in folder.iterdir())
                found[key] = tuple(sorted(int(name[1]) for name in names if name))
        return found

    async def remove(self, key: EnvironmentKey, release: int | None = None) -> None:
        """Remove an environment's logs, or one release's; absent is fine."""
        if release is None:
            await in_thread(shutil.rmtree)(self._logs / key.slug, ignore_errors=True)
        else:
            await in_thread(self._file(key, release).unlink)(missing_ok=True)

    async def tail(self, key: EnvironmentKey, release: int, lines: int) -> tuple[str, ...]:
        """The last lines of a release, oldest first, each with its time; none is fine.

        Reads from the end, at most 8 MiB, so that a huge log costs no more than a small one.
        """
        return await in_thread(_tail)(self._file(key, release), lines)

    async def follow(self, key: EnvironmentKey, release: int) -> AsyncIterator[str]:
        """Lines as they come, from now on, until the caller stops.

        A file that is not there yet is waited for; one that is cut short or replaced, as the
        log's size limit does, is read from its new beginning.
        """
        reader = _Follower(self._file(key, release))
        try:
            while True:
                for line in await in_thread(reader.new_lines)():
                    yield line
                await anyio.sleep(_POLL_SECONDS)
        finally:
            reader.close()

    def _file(self, key: EnvironmentKey, release: int) -> Path:
        return self._logs / key.slug / f"r{release}.log"


def _tail(path: Path, lines: int) -> tuple[str, ...]:
    if lines < 1:
        return ()
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return ()
    with file:
        size = file.seek(0, os.SEEK_END)
        amount = min(size, _BLOCK)
        while True:
            file.seek(size - amount)
            # a block most often begins within a line, and the file's last may be half written
            raw = file.read(amount).split(b"\n")[0 if amount == size else 1 : -1]
            joined = tuple(LineJoiner().feed(raw))
            # more than asked for, since the first may lack parts that lie before the block
            if len(joined) > lines or amount in (size, _MOST_READ):
                return joined[-lines:]
            amount = min(amount * 4, size, _MOST_READ)


class _Follower:
    """Reads what was appended to a file since it was last asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._unfinished = b""
        self._joiner = LineJoiner()
        self._open(from_end=True)

    def new_lines(self) -> list[str]:
        """The lines that were completed since the last call."""
        if self._file is None:
            self._open(from_end=False)
        lines = self._read()
        if self._was_replaced():
            # what the writer put into the old file before it changed over has been read above
            lines += self._read()
            self.close()
            self._open(from_end=False)
            lines += self._read()
        return lines

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
        self._file, self._unfinished = None, b""

    def _open(self, *, from_end: bool) -> None:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return
        if from_end:
            self._file.seek(0, os.SEEK_END)

    def _read(self) -> list[str]:
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._unfinished = b""
        *raw, self._unfinished = (self._unfinished + self._file.read(_MOST_READ)).split(b"\n")
        return list(self._joiner.feed(raw))

    def _was_replaced(self) -> bool:
        if self._file is None:
            return False
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(self._file.fileno())
        return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino)
