"""From blocks of bytes to findings, in one pass and constant memory."""

from collections.abc import Iterable, Iterator

from codeb_mcp.diagnosis.decoding import utf8_blocks
from codeb_mcp.diagnosis.families import RULES
from codeb_mcp.diagnosis.findings import Findings
from codeb_mcp.diagnosis.prefilter import MARKS, Prefilter
from codeb_mcp.diagnosis.ranking import ranked
from codeb_mcp.diagnosis.steps import Steps
from codeb_mcp.diagnosis.window import Window
from codeb_mcp.domain.incident import Diagnosis

MARGIN = 96 * 1024
"""Bytes kept before and after the lines in question, for what is written around them."""
LONGEST_LINE = 4 * 1024 * 1024

_PREFILTER = Prefilter(RULES)


def diagnose(blocks: Iterable[bytes]) -> Diagnosis:
    """The incidents of a log that comes in blocks of any size, UTF-8 or UTF-16, broken or not."""
    steps, findings = Steps(), Findings()
    for part in _parts(utf8_blocks(blocks)):
        _read_part(part, steps, findings)
    return ranked(findings, steps)


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


def _read_part(part: _Part, steps: Steps, findings: Findings) -> None:
    window: Window | None = None
    for number, triggers in _by_line(part):
        if window is None:
            window = Window(part.data.split(b"\n"), part.first, findings.passed)
        _read_line(window, number, triggers, steps, findings)


def _by_line(part: _Part) -> Iterator[tuple[int, frozenset[str]]]:
    """The lines with hits in their order, each with its triggers."""
    data, here = part.data, part.begin
    number, triggers = part.first + data.count(b"\n", 0, here), set[str]()
    for there, trigger in _PREFILTER.hits(data, here, part.end):
        if lines := data.count(b"\n", here, there):
            if triggers:
                yield number, frozenset(triggers)
            number, triggers = number + lines, set()
        triggers.add(trigger)
        here = there
    if triggers:
        yield number, frozenset(triggers)


def _read_line(
    window: Window, number: int, triggers: frozenset[str], steps: Steps, findings: Findings
) -> None:
    line = window.line(number)
    if line.job or line.mark or not triggers.isdisjoint(MARKS):
        if steps.see(line, window):
            findings.step_failed(window, line, steps.current)
            return
        if line.mark in {"group", "section", "command", "debug", "notice"}:
            return
    if findings.full(steps.current):
        return
    findings.read(window, line, _PREFILTER.rules(line.text, triggers), steps.current)
