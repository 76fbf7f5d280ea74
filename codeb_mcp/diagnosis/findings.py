"""What was found so far, bounded: a log without end must not fill the memory."""

import re
from collections import Counter, deque
from collections.abc import Iterable

from codeb_mcp.diagnosis.kinds import UNNAMED, kind_of
from codeb_mcp.diagnosis.lines import Line
from codeb_mcp.diagnosis.outside import ambiguous, outside
from codeb_mcp.diagnosis.paths import relative
from codeb_mcp.diagnosis.rules import Finding, Rule, Sighting, Weight
from codeb_mcp.diagnosis.steps import Step, command_before
from codeb_mcp.diagnosis.telling import most_telling
from codeb_mcp.diagnosis.window import Window
from codeb_mcp.domain.incident import IncidentType

MOST_PER_STEP = 300
MOST = 3_000
EXCERPT_LINES = 40
EXCERPT_WIDTH = 300
EXCERPT_SIZE = 3_000
# of what an annotation carries, only diagnostics of one line are read by the tools' own rules
_ANNOTATED = frozenset(
    (IncidentType.LINT_ERROR, IncidentType.TYPE_ERROR, IncidentType.SYNTAX_ERROR)
)
_FETCHING = frozenset((IncidentType.DEPENDENCY_ERROR, IncidentType.CONTAINER_BUILD))
_PLACED = re.compile(r"\b(?:file|sourcepath)=", re.I)
_TEST_FILE = re.compile(
    r"(?:[._-]|^)(?:test|spec|cy|e2e)s?\.|(?:^|/)(?:__)?tests?(?:__)?/|(?:^|/)test_|_test\."
)


class Findings:
    """Collects findings; the same one again is only counted as seen."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.first_hints: list[Finding] = []
        self.last_hints: deque[Finding] = deque(maxlen=30)
        self.truncated = False
        self.passed: dict[str, int] = {}
        self.told = 0
        """How many lines have said something, or belong to what was read already."""
        self._seen: set[tuple[object, ...]] = set()
        self._per_step: Counter[int] = Counter()
        self._taken_until: dict[str, int] = {}

    def full(self, step: Step) -> bool:
        """Whether a step has so many findings that more would tell nothing."""
        if self._per_step[step.number] < MOST_PER_STEP and len(self.kept) < MOST:
            return False
        self.truncated = True
        return True

    def read(self, window: Window, line: Line, rules: Iterable[Rule], step: Step) -> None:
        """Try the rules on a line; the first that makes something of it has it."""
        if line.number <= self.passed.get(line.stream, 0):
            self.told += 1
            return
        taken = line.number <= self._taken_until.get(line.stream, 0)
        annotated = line.mark == "error" and _PLACED.search(line.attributes) is not None
        for rule in rules:
            if (taken and not rule.within) or (annotated and not _reads_annotations(rule)):
                continue
            if not (match := rule.find(line.text)):
                continue
            made = rule.read(Sighting(rule, window, line, match))
            if made:
                every = made if isinstance(made, list) else [made]
                self.told += any(each.weight is not Weight.HINT for each in every)
                for each in every:
                    self._add(each, window, line.stream, step)
                return
            if line.number <= self.passed.get(line.stream, 0) and made is not None:
                self.told += 1
                return
        self.told += taken
        if annotated and not taken:
            self._add(_annotation(line), window, line.stream, step)

    def step_failed(self, window: Window, line: Line, step: Step) -> None:
        """A step ended as failed; where nothing was found in it, keep what it said last."""
        if any(each.step == step.number for each in self.kept):
            return
        lines = [each for each in window.before(line.number, 25) if each.text.strip()][::-1]
        if not lines:
            return
        best = most_telling(lines)
        made = Finding(IncidentType.UNKNOWN, "unknown", best.text.strip()[:500], best.number)
        made.first, made.last = lines[0].number, lines[-1].number
        made.weight = Weight.HINT
        self._add(made, window, line.stream, step)

    def _add(self, made: Finding, window: Window, stream: str, step: Step) -> None:
        made.step = step.number
        made.message = " ".join(made.message.split())[:1000]
        unnamed = made.tool in UNNAMED
        key = (made.type, made.file, made.line, made.code, made.message, made.weight, unnamed)
        if made.weight < Weight.HINT and made.tool not in UNNAMED:
            self._taken_until[stream] = max(self._taken_until.get(stream, 0), made.last)
        if key in self._seen:
            return
        self._seen.add(key) if len(self._seen) < 4 * MOST else None
        if made.type in _FETCHING and _from_outside(made, window):
            made.type = IncidentType.INFRASTRUCTURE
        made.excerpt = made.excerpt or _excerpt(window, made)
        if made.weight is Weight.HINT:
            (self.first_hints if len(self.first_hints) < 30 else self.last_hints).append(made)
            return
        if step.command is None and not self._per_step[step.number]:
            step.command = command_before(window, made.at)
        self._per_step[step.number] += 1
        self.kept.append(made)


def _reads_annotations(rule: Rule) -> bool:
    return rule.type in _ANNOTATED and rule.tool not in UNNAMED


def _from_outside(made: Finding, window: Window) -> bool:
    """Whether what could not be got failed for the network or a server, as the lines before say."""
    if outside(made.message):
        return True
    if made.weight is Weight.CONSEQUENCE or not ambiguous(made.message):
        return False
    until = made.first or made.at
    # builders tell steps apart by a number, and end with a line of their own
    return any(
        outside(window.line(number).text) for number in range(max(window.first, until - 12), until)
    )


def _excerpt(window: Window, made: Finding) -> str:
    first = made.first or made.at
    last = min(max(made.last, made.at) + made.more, first + EXCERPT_LINES - 1)
    last = min(last, window.first + len(window) - 1)
    stream = window.line(made.at).stream
    lines = (window.line(number) for number in range(max(first, window.first), last + 1))
    width = len(str(last))
    rows = [
        f"{each.number:>{width}} | {each.text[:EXCERPT_WIDTH]}"
        for each in lines
        if each.stream == stream
    ]
    return "\n".join(rows)[:EXCERPT_SIZE]


def _annotation(line: Line) -> Finding:
    """`::error file=a.ts,line=3,col=5::message` or Azure's `##vso[…]message`, from any tool."""
    pairs = (part.split("=", 1) for part in re.split(r"[,;]", line.attributes) if "=" in part)
    values = {name.strip().rsplit(" ", 1)[-1].lower(): value.strip() for name, value in pairs}
    made = Finding(IncidentType.LINT_ERROR, "annotation", line.text.strip(), line.number)
    file = values.get("file") or values.get("sourcepath")
    made.file = relative(file) if file else None
    made.line, made.column = _first_number(values, "line"), _first_number(values, "col")
    title = values.get("title", "")
    made.code = values.get("code") or title or None
    made.first = made.last = line.number
    rule = made.code or ""
    if found := re.search(
        r"^(ruff|eslint|mypy|pyright|pylint|flake8|hadolint)\b(?!\()", title, re.I
    ):
        made.tool = found[1].lower()
        inner = re.search(r"\(([\w@/-]+)\)", title)
        made.code = rule = inner[1] if inner else rule
    made.type, tool = kind_of(rule, made.message, made.type)
    if made.tool in {"mypy", "pyright"}:
        made.type = IncidentType.TYPE_ERROR
    made.tool = tool or made.tool
    if _TEST_FILE.search(made.file or "") and made.type is IncidentType.LINT_ERROR and not tool:
        made.type, made.weight, made.code = IncidentType.TEST_FAILURE, Weight.SUMMARY, None
        made.message = f"{title}: {made.message}".lstrip(": ")
    return made


def _first_number(values: dict[str, str], name: str) -> int | None:
    text = values.get(name) or values.get(f"{name}number") or values.get(f"{name}umnnumber") or ""
    return int(text) if text.isdigit() and len(text) < 9 else None
