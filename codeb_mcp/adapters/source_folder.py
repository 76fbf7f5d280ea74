"""A project's source folder: what is in it, and files that are written where there are none."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from codeb_mcp.domain.names import shown
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.stacks import DECISIVE, SourceTree

LARGEST_TEXT = 1_000_000
MOST_NAMES = 5_000
_SKIPPED = frozenset({".git", "node_modules", ".venv", "venv", "__pycache__", ".next"})


class SourceFolders:
    """The folders of this host's file system."""

    def read(self, folder: Path) -> SourceTree:
        """The names two levels deep and the contents that say what it is made of.

        Links are not followed: they may lead out of the folder.
        """
        try:
            names = frozenset(_names(folder))
            texts = {name: _text(folder / name) for name in DECISIVE if name in names}
        except OSError as error:
            raise _unusable(folder, error.strerror or str(error)) from None
        return SourceTree(names, texts)

    def write_missing(self, folder: Path, texts: Mapping[str, str]) -> list[Path]:
        """Write the files that are not there yet; which ones those were.

        What is there is left alone, also a link that leads nowhere and a file made meanwhile.
        """
        written = []
        for name, text in texts.items():
            path = folder / name
            try:
                _make_folders(folder, path.parent)
                with path.open("x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                continue
            except OSError as error:
                raise _unusable(folder, f"{name} cannot be written: {error.strerror}") from None
            written.append(path)
        return written


def _make_folders(top: Path, folder: Path) -> None:
    """Make `folder` within `top`. A link on the way may lead out of it, so none is followed."""
    if folder == top:
        return
    _make_folders(top, folder.parent)
    if folder.is_symlink():
        raise _unusable(folder, "it is a link, and may lead elsewhere")
    folder.mkdir(exist_ok=True)


def _names(folder: Path) -> Iterator[str]:
    if folder.is_symlink() or not folder.is_dir():
        raise _unusable(folder, "it is not a folder")
    count = 0
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        for name in _inside(entry):
            yield name
            if (count := count + 1) >= MOST_NAMES:
                return


def _inside(entry: os.DirEntry[str]) -> Iterator[str]:
    if entry.is_file(follow_symlinks=False):
        yield entry.name
    elif entry.name == ".git":
        yield entry.name  # a repository; what is in it is nobody's business
    elif entry.is_dir(follow_symlinks=False) and entry.name not in _SKIPPED:
        # cmd/NAME/*.go is the one thing that is a level deeper
        for below in sorted(os.scandir(entry), key=lambda each: each.name):
            if below.is_file(follow_symlinks=False):
                yield f"{entry.name}/{below.name}"
            elif entry.name == "cmd" and below.is_dir(follow_symlinks=False):
                yield from (f"cmd/{below.name}/{each.name}" for each in os.scandir(below))


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(LARGEST_TEXT).decode(errors="replace")


def _unusable(folder: Path, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"{shown(str(folder), 200)} cannot be used: {why}",
        hint="give the path of a folder on the server that this account may read and write",
        code="no_source_folder",
    )
