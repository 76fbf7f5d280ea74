"""Failure logs in files, folders and on standard input."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from codeb_mcp.errors import InvalidRequest

STANDARD_INPUT = "-"
_BLOCK = 1024 * 1024
_MOST_FILES = 1_000


class FailureLogFiles:
    """`FailureLogs` of this host."""

    def names(self, source: str) -> Sequence[str]:
        """A folder's files in the order of their names, or the source itself."""
        if source == STANDARD_INPUT or not Path(source).is_dir():
            return (source,)
        files = sorted(str(path) for path in Path(source).rglob("*") if path.is_file())
        if not files:
            raise _unreadable(source, "the folder holds no files")
        if len(files) > _MOST_FILES:
            raise _unreadable(source, f"the folder holds more than {_MOST_FILES} files")
        return files

    @contextmanager
    def open(self, name: str) -> Iterator[Iterator[bytes]]:
        """The log in blocks of 1 MiB."""
        try:
            if name == STANDARD_INPUT:
                yield _blocks(sys.stdin.buffer)
                return
            with Path(name).open("rb") as file:
                yield _blocks(file)
        except OSError as error:
            raise _unreadable(name, error.strerror or str(error)) from None


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def _unreadable(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"the log {name} cannot be read: {reason}",
        hint="pass a file, a folder of logs, or - for standard input",
        code="unreadable_log",
    )
