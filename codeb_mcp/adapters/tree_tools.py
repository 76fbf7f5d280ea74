"""The tools of a model that edits a tree: look, search, edit. None leaves the tree.

Every path is opened part by part without following links, so that none can lead outside, not
even one that is made while it is looked at.
"""

import fnmatch
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

LARGEST_FILE = 1_000_000
MOST_LINES = 400
MOST_MATCHES = 100
MOST_NAMES = 500
LONGEST_LINE = 400
LONGEST_PATTERN = 200
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_HIDDEN = frozenset((".git", "node_modules", ".venv", "venv", "__pycache__"))

TOOLS: tuple[dict[str, Any], ...] = (
    {
        "name": "view",
        "description": "Show a file with line numbers, or the names in a folder.",
        "input_schema": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "relative to the project"},
                "first_line": {"type": "integer", "minimum": 1},
            },
            "required": ["path"],
            "additionalProperties": False,
        },
    },
    {
        "name": "search",
        "description": "Find a text in the project's files; gives path:line: text.",
        "input_schema": {
            "type": "object",
            "properties": {
                "text": {"type": "string", "description": "taken literally"},
                "files": {"type": "string", "description": "a pattern of names, such as *.py"},
            },
            "required": ["text"],
            "additionalProperties": False,
        },
    },
    {
        "name": "edit",
        "description": "Replace a text that a file holds exactly once. An empty old text makes a "
        "new file.",
        "input_schema": {
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "old": {"type": "string"},
                "new": {"type": "string"},
            },
            "required": ["path", "old", "new"],
            "additionalProperties": False,
        },
    },
)


class ToolRefused(Exception):
    """What the model reads in place of a result."""


class TreeTools:
    """The tools on one tree."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """What a tool answers. Raises ToolRefused with the reason when it does nothing."""
        try:
            match name:
                case "view":
                    return self._view(str(arguments["path"]), int(arguments.get("first_line", 1)))
                case "search":
                    return self._search(str(arguments["text"]), str(arguments.get("files", "*")))
                case "edit":
                    path, old, new = (str(arguments[key]) for key in ("path", "old", "new"))
                    return self._edit(path, old, new)
                case _:
                    raise ToolRefused(f"there is no tool {name[:40]}")
        except (KeyError, TypeError, ValueError) as error:
            raise ToolRefused(f"the arguments cannot be used: {error!r}") from None
        except OSError as error:
            raise ToolRefused(f"it cannot be opened: {error.strerror}") from None

    def _view(self, path: str, first: int) -> str:
        parts = _parts(path)
        if not parts or (self._folder.joinpath(*parts)).is_dir():
            return self._names(parts)
        lines = self._read(parts).splitlines()
        shown = lines[first - 1 : first - 1 + MOST_LINES]
        text = "\n".join(f"{first + i}\t{line[:LONGEST_LINE]}" for i, line in enumerate(shown))
        more = len(lines) - (first - 1) - len(shown)
        return f"{text}\n… {more} more lines" if more > 0 else text

    def _names(self, parts: tuple[str, ...]) -> str:
        with self._opened(parts, _FOLDER) as folder, os.scandir(folder) as found:
            names = sorted(each.name for each in found if each.name not in _HIDDEN)
        return "\n".join(names[:MOST_NAMES])

    def _search(self, text: str, files: str) -> str:
        if not text or len(text) > LONGEST_PATTERN:
            raise ToolRefused(f"search for 1 to {LONGEST_PATTERN} characters")
        found: list[str] = []
        wanted = re.compile(re.escape(text))
        for parts in self._files():
            if not fnmatch.fnmatch(parts[-1], files):
                continue
            for number, line in enumerate(self._lines(parts), 1):
                if wanted.search(line):
                    found.append(f"{'/'.join(parts)}:{number}: {line.strip()[:LONGEST_LINE]}")
            if len(found) >= MOST_MATCHES:
                break
        return "\n".join(found[:MOST_MATCHES]) or "it was not found"

    def _files(self) -> Iterator[tuple[str, ...]]:
        for folder, folders, files in os.walk(self._folder):
            folders[:] = sorted(name for name in folders if name not in _HIDDEN)
            for name in sorted(files):
                yield Path(folder, name).relative_to(self._folder).parts

    def _lines(self, parts: tuple[str, ...]) -> list[str]:
        try:
            return self._read(parts).splitlines()
        except (OSError, ToolRefused):
            return []

    def _read(self, parts: tuple[str, ...]) -> str:
        with self._opened(parts, os.O_RDONLY) as here, os.fdopen(os.dup(here), "rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise ToolRefused(f"the file is larger than {LARGEST_FILE} bytes")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise ToolRefused("the file is no text") from None

    def _edit(self, path: str, old: str, new: str) -> str:
        parts = _parts(path)
        if not old:
            return self._create(parts, new)
        text = self._read(parts)
        if (times := text.count(old)) != 1:
            raise ToolRefused(f"the old text is there {times} times, not once")
        self._write(parts, text.replace(old, new), os.O_WRONLY | os.O_TRUNC)
        return "done"

    def _create(self, parts: tuple[str, ...], text: str) -> str:
        for depth in range(1, len(parts)):
            with self._opened(parts[: depth - 1], _FOLDER) as folder, suppress(FileExistsError):
                os.mkdir(parts[depth - 1], 0o755, dir_fd=folder)
        self._write(parts, text, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        return "done"

    def _write(self, parts: tuple[str, ...], text: str, flags: int) -> None:
        with self._opened(parts, flags) as descriptor, os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(text.encode())

    @contextmanager
    def _opened(self, parts: tuple[str, ...], flags: int) -> Iterator[int]:
        """The file or folder, reached without following a link anywhere."""
        stay = os.O_NOFOLLOW | os.O_CLOEXEC
        here = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | stay)
        try:
            for index, part in enumerate(parts):
                last = index == len(parts) - 1
                how = flags if last else os.O_RDONLY | os.O_DIRECTORY
                following = os.open(part, how | stay | os.O_NONBLOCK, 0o644, dir_fd=here)
                os.close(here)
                here = following
            yield here
        finally:
            os.close(here)


def _parts(path: str) -> tuple[str, ...]:
    parts = tuple(part for part in PurePosixPath(path).parts if part != ".")
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise ToolRefused("name a path within the project, relative to it")
    if any(part.lower() in _HIDDEN for part in parts):
        raise ToolRefused("that is no part of the project's code")
    return parts
