"""Places in stacks and code frames: of all that are named, the one in the project's own code."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from codeb_mcp.diagnosis.lines import Line
from codeb_mcp.diagnosis.paths import foreign, relative

_JS = re.compile(
    r"^\s*(?:at (?:.{0,200}?\()?|❯ (?:.{0,120}? )?|\S{0,120}@)"
    r"(?P<file>(?:file://|webpack:///?)?(?:[A-Za-z]:[\\/])?[^\s:()]{1,300}|node:[\w/]+):(?P<line>\d+)(?::(?P<column>\d+))?\)?"
)
_JS_PARENS = re.compile(
    r"^\s*at .{0,200}?\((?P<file>(?:file://)?(?:[A-Za-z]:[\\/])?[^:]{1,300}):(?P<line>\d+):(?P<column>\d+)\)$"
)
_PYTHON = re.compile(r"^\s*File \"(?P<file>[^\"]{1,400})\", line (?P<line>\d+)")
_FRAME_LINE = re.compile(r"^\s*>\s*(?P<line>\d+)\s*[|│]")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file, relative to the project where that can be known."""

    file: str
    line: int
    column: int | None = None
    at: int = 0
    foreign: bool = False


def javascript(line: Line) -> Place | None:
    """The place that a line of a JavaScript stack names."""
    if ":" not in line.text:
        return None
    found = _JS_PARENS.match(line.text) or _JS.match(line.text)
    if not found or not ("." in found["file"] or found["file"].startswith("node:")):
        return None
    return _place(found, line)


def python(line: Line) -> Place | None:
    """The place that a line of a Python traceback names."""
    found = _PYTHON.match(line.text)
    return _place(found, line) if found else None


def first_own(places: Iterable[Place]) -> Place | None:
    """The first in the project's code; without any, the first."""
    every = list(places)
    return next((each for each in every if not each.foreign), every[0] if every else None)


def last_own(places: Iterable[Place]) -> Place | None:
    """The last in the project's code; without any, the last."""
    return first_own(list(places)[::-1])


def marked_line(line: Line) -> int | None:
    """The line number of `> 12 | code`."""
    found = _FRAME_LINE.match(line.text)
    return int(found["line"][:8]) if found else None


def _place(found: re.Match[str], line: Line) -> Place:
    groups = found.groupdict()
    column = groups.get("column")
    return Place(
        relative(found["file"]),
        int(found["line"][:8]),
        int(column[:8]) if column else None,
        line.number,
        foreign(found["file"]),
    )
