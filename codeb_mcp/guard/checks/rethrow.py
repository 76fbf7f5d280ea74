"""Handlers that passed an error on and no longer do."""

import re
from collections.abc import Iterator, Sequence

from codeb_mcp.guard.checks.testing import replaced
from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Pair, Reading
from codeb_mcp.guard.rules import Severity

_PASSES_ON = re.compile(
    r"^(?:\} ?)?(?:throw\b|raise\b|rethrow\b|panic\("
    r"|return (?:nil, )?(?:err\b|fmt\.Errorf|errors\.)|return Err\("
    r"|return (?:await )?Promise\.reject\(|reject\(|next\(\w"
    r"|(?:sys|process|os)\.[eE]xit\(|exit\(?[ (][1-9]|process\.exitCode ?= ?[1-9]|\w+\.setFailed\()"
)
_HANDLER = re.compile(
    r"\b(?:catch|except|rescue|err != nil|Err\()\b|\.on\( ?[\"']error[\"']|\.catch\(|error\) ?=>"
)
_HANDLED = re.compile(
    r"\b(?:throw|raise|rethrow|panic|reject|setFailed|abort|bail|Errorf|Err|exit)\b|return err\b"
    r"|\bnext\(\w|\berrors?\.(?:push|append|add)|\bfail\("
)
_CLAUSE = re.compile(r"(?:\bcatch ?(?:\([^()]{0,60}\))? ?\{|\bErr\(\w+\) ?=>)(.{0,200})$")
_NEAR = 12


def rethrow_hits(pairs: Sequence[Pair]) -> Iterator[Hit]:
    """Errors that were thrown on by a handler that stays and now swallows them."""
    for pair in pairs:
        place = pair.change.place
        if place.language in (Language.PROSE, Language.YAML, Language.JSON, Language.SHELL):
            continue
        if place.role in (Role.FIXTURE, Role.DOCS) or pair.change.file.deleted:
            continue
        yield from _dropped(pair)
        yield from _in_one_line(pair)


def _dropped(pair: Pair) -> Iterator[Hit]:
    removed = [(r, i, t) for r, i, t in pair.removed_lines() if _PASSES_ON.match(t)]
    if not removed or any(_HANDLED.search(text) for _, _, text in pair.added_lines()):
        return
    kept = {text for reading in pair.new for text in reading.live}
    for reading, index, text in removed:
        head = _handler_of(reading, index)
        # gone with its handler, or the handler stays and no longer passes the error on
        if head >= 0 and reading.live[head] in kept:
            yield reading.hit("exception-swallowed", Severity.BLOCK, index, f"-{text}"[:120])


def _in_one_line(pair: Pair) -> Iterator[Hit]:
    """`catch (e) { next(e); }` that became `catch (e) { answer([]); }`."""
    for old, (reading, index, new) in replaced(pair):
        one, other = _CLAUSE.search(old), _CLAUSE.search(new)
        if one and other and _HANDLED.search(one[1]) and not _HANDLED.search(other[1]):
            yield reading.hit("exception-swallowed", Severity.BLOCK, index, new[:120])


def _handler_of(reading: Reading, index: int) -> int:
    """The line, not taken out, at which the handler around line `index` begins; else -1."""
    lines = reading.side.lines
    indent = _indent(lines[index])
    for at in range(index, max(-1, index - _NEAR), -1):
        if at != index and lines[at].strip() and _indent(lines[at]) < indent:
            inside = bool(_HANDLER.search(reading.live[at]))
            return at if inside and at not in reading.side.changed else -1
    return -1


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
