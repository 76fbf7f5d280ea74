"""From blocks of bytes to findings, in one pass and constant memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from codeb_mcp.diagnosis.decoding import utf8_blocks
from codeb_mcp.diagnosis.families import RULES
from codeb_mcp.diagnosis.findings import Findings
from codeb_mcp.diagnosis.prefilter import MARKS, Prefilter
from codeb_mcp.diagnosis.ranking import ranked
from codeb_mcp.diagnosis.shapes import Shapes
from codeb_mcp.diagnosis.steps import Steps
from codeb_mcp.diagnosis.window import Window
from codeb_mcp.domain.incident import Diagnosis

MARGIN = 96 * 1024
"""Bytes kept before and after the lines in question, for what is written around them."""
PIECE = 1024 * 1024
LONGEST_LINE = 4 * 1024 * 1024

_PREFILTER = Prefilter(RULES)


def diagnose(blocks: Iterable[bytes], prefilter: Prefilter = _PREFILTER) -> Diagnosis:
    """The incidents of a log that comes in blocks of any size, UTF-8 or UTF-16, broken or not.

    `prefilter` holds the rules; without one, all that there are.
    """
    reading = _Reading(Steps(), Findings(), Shapes(), prefilter)
    for part in _parts(_pieces(utf8_blocks(blocks))):
        _read_part(part, reading)
    return ranked(reading.findings, reading.steps)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What has been learned so far."""

    steps: Steps
    findings: Findings
    shapes: Shapes
    prefilter: Prefilter


def _pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        for at in range(0, len(block), PIECE):
            yield block[at : at + PIECE]


class _Part:
    """A piece of a log. Lines from `begin` to `end` (offsets) are to be read, the rest is margin.

    `first` is the number of the first line of `data`.
    """

    __slots__ = ("begin", "data", "end", "first")

    def __init__(self, data: bytes, begin: int, end: int, first: int) -> None:
        self.data, self.begin, self.end, self.first = data, begin, end, first


def _parts(blocks: Iterable[bytes]) -> Iterator[_Part]:
    data, begin, first = b"", 0, 1
    for block in blocks:
        data += block
        end = data.rfind(b"\n", 0, max(begin, len(data) - MARGIN)) + 1
        if end <= begin:
            if len(data) - begin <= LONGEST_LINE:
                continue
            end = len(data)
        yield _Part(data, begin, end, first)
        kept = max(data.rfind(b"\n", 0, max(0, end - MARGIN)) + 1, 0)
        first += data.count(b"\n", 0, kept)
        data, begin = data[kept:], end - kept
    if len(data) > begin:
        yield _Part(data, begin, len(data), first)


def _read_part(part: _Part, reading: _Reading) -> None:
    """Read the lines in question. Where a step is full already, only what ends it is looked for."""
    text = part.data[part.begin : part.end]
    full = reading.findings.full(reading.steps.current) and reading.steps.last_through(text)
    window: Window | None = None
    first = part.first + part.data.count(b"\n", 0, part.begin)
    for index, triggers in _by_line(text, reading, marks_only=full):
        if reading.shapes.known(index) and triggers.isdisjoint(MARKS):
            continue
        if window is None:
            window = Window(part.data.split(b"\n"), part.first, reading.findings.passed)
        told = reading.findings.told
        _read_line(window, first + index, triggers, reading)
        if full and not reading.findings.full(reading.steps.current):
            begin = _begin_of(text, index + 1) + part.begin
            _read_part(_Part(part.data, begin, part.end, part.first), reading)
            return
        if reading.findings.told == told and triggers.isdisjoint(MARKS):
            reading.shapes.said_nothing(index, window.whole(first + index))


def _by_line(
    text: bytes, reading: _Reading, *, marks_only: bool
) -> Iterator[tuple[int, frozenset[str]]]:
    """The lines with hits in their order, each with its number in `text` and its triggers."""
    numbers, lines = reading.shapes.telling(text)
    hits = reading.prefilter.marks if marks_only else reading.prefilter.hits
    here, index, triggers = 0, 0, set[str]()
    for there, trigger in hits(lines, 0, len(lines)):
        if passed := lines.count(b"\n", here, there):
            if triggers:
                yield numbers[index], frozenset(triggers)
            index, triggers = index + passed, set()
        triggers.add(trigger)
        here = there
    if triggers:
        yield numbers[index], frozenset(triggers)


def _begin_of(text: bytes, line: int) -> int:
    at = 0
    for _ in range(line):
        at = text.find(b"\n", at) + 1 or len(text)
    return at


def _read_line(window: Window, number: int, triggers: frozenset[str], reading: _Reading) -> None:
    line, steps, findings = window.line(number), reading.steps, reading.findings
    if line.job or line.mark or not triggers.isdisjoint(MARKS):
        if steps.see(line, window):
            findings.step_failed(window, line, steps.current)
            return
        if line.mark in {"group", "section", "command", "debug", "notice"}:
            return
    if findings.full(steps.current):
        return
    findings.read(window, line, reading.prefilter.rules(line.text, triggers), steps.current)
