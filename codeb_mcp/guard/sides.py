"""The two sides of a change: the text as it was and as it will be, with what changed marked."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from codeb_mcp.guard.diff import FileChange, Hunk
from codeb_mcp.guard.folding import folded, joined
from codeb_mcp.guard.places import Language, Place
from codeb_mcp.guard.reader import Masked, masked
from codeb_mcp.guard.shebang import language_of_text


@dataclass(frozen=True, slots=True)
class Whole:
    """A file's whole text before and after a change, where the caller could read them."""

    old: str | None
    new: str | None


class Side:
    """A stretch of one side of a file.

    `lines` are as they are read (disguises taken off), `raw` as they stand; `numbers` are their
    numbers in the file; `changed` the indexes of those that this side alone has; `cuts` the
    indexes before which lines of the other side were taken out.
    """

    def __init__(
        self,
        place: Place,
        raw: list[str],
        first: int,
        changed: frozenset[int],
        cuts: frozenset[int],
        heading: str = "",
        whole: bool = False,
    ) -> None:
        self.place = place
        self.raw = raw
        self.first = first
        self.changed = changed
        self.cuts = cuts
        self.heading = heading
        self.whole = whole

    @cached_property
    def lines(self) -> list[str]:
        """The lines, disguises taken off."""
        text = "\n".join(self.raw)
        plain = joined(folded(text), adjacent=self.place.language is Language.PYTHON)
        lines = plain.split("\n")
        return lines if len(lines) == len(self.raw) else list(self.raw)

    @cached_property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    @cached_property
    def masked(self) -> Masked:
        """The text with comments and strings told from code."""
        return masked(self.place, self.text)

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        return starts

    def index_at(self, offset: int) -> int:
        """The index of the line that holds the character at `offset`."""
        return min(bisect_right(self._starts, offset) - 1, len(self.lines) - 1)

    def offset_of(self, index: int) -> int:
        """Where line `index` begins."""
        return self._starts[index]

    def number(self, index: int) -> int:
        """The number in the file of line `index`."""
        return self.first + index

    def touched(self, first: int, last: int) -> bool:
        """Whether the change adds or takes out anything from line `first` to `last`."""
        if any(index in self.changed for index in range(first, last + 1)):
            return True
        return any(first < cut <= last for cut in self.cuts)

    def code_lines(self) -> list[str]:
        """The lines of `masked.code`."""
        return self.masked.code.split("\n")

    def live_lines(self) -> list[str]:
        """The lines of `masked.live`."""
        return self.masked.live.split("\n")

    def host(self, index: int) -> str:
        """The line that a directive on line `index` is about: itself, or the next with code."""
        code = self.live_lines()
        for at in range(index, min(index + 8, len(code))):
            if code[at].strip(" \t#/*{}()[];,"):
                return code[at].strip()
        return ""


@dataclass(frozen=True, slots=True)
class Change:
    """One file of a diff with the stretches of both sides."""

    file: FileChange
    place: Place
    old_place: Place
    new: tuple[Side, ...]
    old: tuple[Side, ...]

    def added(self) -> Iterator[tuple[Side, int]]:
        """Every added line, as its stretch and index."""
        return ((side, index) for side in self.new for index in sorted(side.changed))

    def removed(self) -> Iterator[tuple[Side, int]]:
        """Every removed line, as its stretch and index."""
        return ((side, index) for side in self.old for index in sorted(side.changed))


def change_of(
    file: FileChange, place: Place, old_place: Place, wholes: Mapping[str, Whole]
) -> Change:
    """The sides of one file: whole where `wholes` has texts that fit the diff."""
    if place.language is Language.OTHER:
        place = _by_text(file, place)
    if old_place.language is Language.OTHER:
        old_place = Place(old_place.path, old_place.name, place.language, old_place.role)
    whole = wholes.get(file.path, Whole(None, None))
    new = _whole_side(file, place, whole.new, "+") or _fragments(file, place, "+")
    old = _whole_side(file, old_place, whole.old, "-") or _fragments(file, old_place, "-")
    if not file.hunks:
        # a rename or a mode alone: something to hang a finding on
        new = old = (Side(place, [""], 1, frozenset(), frozenset()),)
    return Change(file, place, old_place, new, old)


def _by_text(file: FileChange, place: Place) -> Place:
    lines = [text for hunk in file.hunks for text in hunk.texts[:200]]
    first = file.hunks[0].texts[0] if file.hunks and file.hunks[0].new_start <= 1 else ""
    return Place(place.path, place.name, language_of_text(first, lines), place.role)


def _fragments(file: FileChange, place: Place, tag: str) -> tuple[Side, ...]:
    return tuple(_fragment(hunk, place, tag) for hunk in file.hunks)


def _fragment(hunk: Hunk, place: Place, tag: str) -> Side:
    other = "-" if tag == "+" else "+"
    raw: list[str] = []
    changed: list[int] = []
    cuts: list[int] = []
    for each, text in zip(hunk.tags, hunk.texts, strict=True):
        if each == other:
            cuts.append(len(raw))
            continue
        if each == tag:
            changed.append(len(raw))
        raw.append(text)
    first = hunk.new_start if tag == "+" else hunk.old_start
    return Side(place, raw or [""], first, frozenset(changed), frozenset(cuts), hunk.heading)


def _whole_side(
    file: FileChange, place: Place, text: str | None, tag: str
) -> tuple[Side, ...] | None:
    """The whole file as one stretch; None when the text is not the one the diff is about."""
    if text is None or not file.hunks:
        return None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    changed: set[int] = set()
    cuts: set[int] = set()
    for part in _fragments(file, place, tag):
        start = max(part.first - 1, 0)
        if part.raw != [""] and lines[start : start + len(part.raw)] != part.raw:
            return None
        changed |= {start + index for index in part.changed}
        cuts |= {start + index for index in part.cuts}
    return (Side(place, lines, 1, frozenset(changed), frozenset(cuts), whole=True),)
