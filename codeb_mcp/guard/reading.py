"""One stretch of a file with everything the checks ask of it, read once and only when asked."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from codeb_mcp.guard.entries import Entry, entries
from codeb_mcp.guard.places import Language
from codeb_mcp.guard.rules import Severity
from codeb_mcp.guard.scripts import Found, scripts
from codeb_mcp.guard.shell import Command
from codeb_mcp.guard.sides import Change, Side

_WORD = re.compile(r"[a-z_]\w*")
# a word that the shell puts together: ch''mod, "ch"mod, ch\mod
_SPLIT_WORD = re.compile(r"\w(?:[\"']{1,2}|\\)\w")
_QUOTE = re.compile(r"[\"'\\]")
_SHELLS = frozenset(
    (Language.SHELL, Language.YAML, Language.MAKE, Language.DOCKER, Language.JSON, Language.UNIT)
)
_SPACES = re.compile(r"[ \t\r\f\v]+")


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that a rule is about, on one side of a change.

    `key` says what exactly, so that the same thing on the other side can be recognised; `host` is
    the line of code that it is about.
    """

    rule: str
    severity: Severity
    side: Side
    first: int
    last: int
    key: str
    host: str


class Reading:
    """A side with its words, settings, scripts and commands.

    `others` are the stretches of the other side of the file.
    """

    def __init__(self, side: Side, others: tuple[Side, ...] = ()) -> None:
        self.side = side
        self.place = side.place
        self._others = others

    @cached_property
    def moved(self) -> frozenset[str]:
        """The lines that the other side of the file lost or got, squeezed."""
        return frozenset(
            squeezed(other.raw[index]) for other in self._others for index in other.changed
        )

    @cached_property
    def lower(self) -> str:
        """The whole stretch in lower case."""
        return self.side.text.lower()

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of the whole stretch, in lower case."""
        text = self.lower
        found = frozenset(_WORD.findall(text))
        if self.place.language in _SHELLS and _SPLIT_WORD.search(text):
            found |= frozenset(_WORD.findall(_QUOTE.sub("", text)))
        return found

    @cached_property
    def code(self) -> list[str]:
        """The lines of code, without comments and what strings hold, spaces squeezed."""
        return _squeezed_lines(self.side.masked.code)

    @cached_property
    def live(self) -> list[str]:
        """The lines without comments, spaces squeezed."""
        return _squeezed_lines(self.side.masked.live)

    @cached_property
    def entries(self) -> list[Entry]:
        """The settings."""
        return entries(self.side)

    @cached_property
    def scripts(self) -> list[Found]:
        """The shell scripts."""
        return list(scripts(self.side))

    @cached_property
    def commands(self) -> list[tuple[Command, Found]]:
        """Every shell command with the script it stands in."""
        return [(c, found) for found in self.scripts for c in found.script.commands()]

    def hit(
        self,
        rule: str,
        severity: Severity,
        first: int,
        key: str,
        last: int | None = None,
        host: str | None = None,
    ) -> Hit:
        """A hit on this side."""
        top = len(self.side.lines) - 1
        first = max(0, min(first, top))
        last = first if last is None else max(first, min(last, top))
        where = host if host is not None else squeezed(self.side.lines[first])
        return Hit(rule, severity, self.side, first, last, key, where)


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides of one file, read."""

    change: Change
    new: tuple[Reading, ...]
    old: tuple[Reading, ...]

    def added_lines(self, live: bool = True) -> Iterator[tuple[Reading, int, str]]:
        """Every added line without its comments."""
        return _changed(self.new, live)

    def removed_lines(self, live: bool = True) -> Iterator[tuple[Reading, int, str]]:
        """Every removed line without its comments."""
        return _changed(self.old, live)


def _changed(readings: tuple[Reading, ...], live: bool) -> Iterator[tuple[Reading, int, str]]:
    for reading in readings:
        if reading.side.changed:
            lines = reading.live if live else reading.code
            for index in sorted(reading.side.changed):
                yield reading, index, lines[index]


def _squeezed_lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.split("\n")]


def squeezed(line: str) -> str:
    """`line` without spaces around it and with single ones inside."""
    return _SPACES.sub(" ", line).strip()
