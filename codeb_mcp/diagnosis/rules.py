"""What a family of tools is made of: rules, each one form in which a tool says what is wrong."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

from codeb_mcp.diagnosis.lines import Line
from codeb_mcp.diagnosis.paths import relative
from codeb_mcp.diagnosis.window import Window
from codeb_mcp.domain.incident import IncidentType

# the parts that most patterns share
FILE = r"(?P<file>(?:[A-Za-z]:[\\/])?[^\s:\"'<>|*?]{1,300})"
"""A path without blanks; brackets and parentheses are common in routes of Next.js."""
AT = rf"{FILE}:(?P<line>\d+)(?::(?P<column>\d+))?"
"""`file:line` or `file:line:column`."""


class Weight(IntEnum):
    """What a finding says of the failure, the most telling first."""

    ROOT = 0
    """A diagnostic with its own words."""
    SUMMARY = 1
    """Says again what a diagnostic said; counts where there was none."""
    HINT = 2
    """Might be the reason; counts where nothing else is known."""
    CONSEQUENCE = 3
    """Follows from a failure: a build tool that reports the exit code of another."""


@dataclass(slots=True)
class Finding:
    """What a rule has read. Line numbers `at`, `first` and `last` are those of the log."""

    type: IncidentType
    tool: str
    message: str
    at: int
    file: str | None = None
    line: int | None = None
    column: int | None = None
    code: str | None = None
    weight: Weight = Weight.ROOT
    warning: bool = False
    first: int = 0
    last: int = 0
    more: int = 0
    """Lines behind `last` that the excerpt shows too, though they may belong to something else."""
    related: set[str] = field(default_factory=set)
    """Other files that this failure touches, relative."""
    step: int = 0
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A rule's pattern met at one line, with the lines around it."""

    rule: "Rule"
    window: Window
    line: Line
    match: re.Match[str]

    def group(self, name: str) -> str | None:
        """A named group of the pattern, None when it has none or did not take part."""
        found = self.match.groupdict().get(name)
        return found.strip() if found else None

    def finding(self, **values: object) -> Finding:
        """A finding of what the named groups hold (file, line, column, code, message)."""
        number = self.line.number
        file = self.group("file")
        made = Finding(
            type=self.rule.type,
            tool=self.rule.tool,
            message=self.group("message") or self.line.text.strip(),
            at=number,
            file=relative(file) if file else None,
            line=_number(self.group("line")),
            column=_number(self.group("column")),
            code=self.group("code"),
            weight=self.rule.weight,
            first=number,
            last=number,
        )
        for name, value in values.items():
            setattr(made, name, value)
        return made

    def after(self, count: int) -> Iterable[Line]:
        """The next lines of the same writer."""
        return self.window.after(self.line.number, count)

    def before(self, count: int) -> Iterable[Line]:
        """The lines of the same writer before, nearest first."""
        return self.window.before(self.line.number, count)


Read = Callable[[Sighting], "Finding | list[Finding] | None"]


def read_groups(sighting: Sighting) -> Finding:
    """The usual way: all that there is to know stands in the pattern's groups."""
    return sighting.finding()


@dataclass(frozen=True)
class Rule:
    """One form of diagnostic.

    A line that holds one of `hints` is searched for `pattern`; `read` makes findings of it, and
    may look at the lines around. A rule with `within` also sees lines that another finding has
    already taken as its own.
    """

    tool: str
    type: IncidentType
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    read: Read = read_groups
    weight: Weight = Weight.ROOT
    within: bool = False

    @cached_property
    def find(self) -> Callable[[str], re.Match[str] | None]:
        """How the pattern is looked for: one that can only begin a line is tried there alone."""
        begins = self.pattern.pattern.startswith(("^", "(?P<message>.*"))
        return self.pattern.match if begins else self.pattern.search


def rule(
    tool: str,
    kind: IncidentType,
    hints: str | tuple[str, ...],
    pattern: str,
    read: Read = read_groups,
    weight: Weight = Weight.ROOT,
    *,
    within: bool = False,
    flags: int = 0,
) -> Rule:
    """A rule, its pattern compiled."""
    every = (hints,) if isinstance(hints, str) else hints
    return Rule(tool, kind, every, re.compile(pattern, flags), read, weight, within)


def _number(text: str | None) -> int | None:
    return int(text) if text and len(text) < 9 else None
