"""Failed tests in reports of any test runner, and the place that their text names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from codeb_mcp.diagnosis.frames import Place, first_own, javascript, last_own, python
from codeb_mcp.diagnosis.lines import Line, read_line
from codeb_mcp.diagnosis.paths import foreign, relative
from codeb_mcp.domain.incident import IncidentType

DEEPEST = 60
_FAILED = frozenset(("failed", "failure", "error", "broken", "timedout", "fail", "interrupted"))
_NAMES = ("fullName", "fullTitle", "full_description", "nodeid", "title", "name", "testName")
_STATES = ("status", "outcome", "state", "result")
_FILES = ("file", "file_path", "testFilePath", "path", "filename")
_LINES = ("line", "line_number", "lineno")
_INNER = ("assertionResults", "testResults", "specs", "suites", "examples", "collectors", "tests")
_AT = (
    re.compile(r"^(?P<file>[^\s:()]+\.(?:pyi?|rb|php|go|exs?|dart|swift|lua|c|cc|cpp|h)):(?P<line>\d{1,8})\b"),
    re.compile(r"^\s+(?:# )?(?P<file>[^\s:()]+\.(?:go|rb|php|exs?)):(?P<line>\d{1,8})\b"),
    re.compile(r"\((?P<file>[\w$]+\.(?:java|kt|scala|groovy)):(?P<line>\d{1,8})\)"),
    re.compile(r" in (?P<file>\S[^:]*\.(?:cs|fs|vb)):line (?P<line>\d{1,8})"),
    re.compile(r"^\s*(?P<file>[^\s:()]+\.[cm]?[jt]sx?):(?P<line>\d{1,8}):\d+ › "),
    re.compile(r"panicked at (?:'.*', )?(?P<file>[^\s:]+\.rs):(?P<line>\d{1,8})"),
)  # fmt: skip
_SUITE = re.compile(r"(?:collection failure|ImportError while importing|Test suite failed to run|Failed to resolve import|failed on setup with \"ModuleNotFound)")  # fmt: skip
_MISSING = re.compile(
    r"ModuleNotFoundError|ImportError|Cannot find module|Cannot find package|Failed to resolve import|Failed to load url|Module not found"
)
_SYNTAX = re.compile(r"SyntaxError|IndentationError|Transform failed|Parse failure|PARSE_ERROR")


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed test: its full name, its file and line where the report has them, and its text."""

    name: str
    file: str | None
    line: int | None
    text: str

    @property
    def kind(self) -> IncidentType | None:
        """What a suite that did not even load failed for; None for a test that failed."""
        if not self.name or _SUITE.search(self.text) or _SUITE.search(self.name):
            if _MISSING.search(self.text):
                return IncidentType.IMPORT_ERROR
            if _SYNTAX.search(self.text):
                return IncidentType.SYNTAX_ERROR
        return None


def failures(value: Any, file: str | None = None, depth: int = 0) -> Iterator[Failure]:
    """Every failed test in a report."""
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        if len(value) == 2 and value[0] == "fail" and isinstance(value[1], dict):
            value = [value[1] | {"status": "failed", "message": _joined(value[1])}]
        for each in value:
            yield from failures(each, file, depth + 1)
    elif isinstance(value, dict):
        file = _file(value) or file
        if (made := _leaf(value, file)) is not None:
            yield made
            return
        inner = [value[key] for key in _INNER if isinstance(value.get(key), list)]
        found = False
        for each in inner:
            for failure in failures(each, file, depth + 1):
                found = True
                yield failure
        if not found and _failed(value) and (text := _text(value)):
            yield Failure("", file, None, text)
        elif not found and "failures" in value and isinstance(value["failures"], list):
            yield from failures(value["failures"], file, depth + 1)


def _joined(value: dict[str, Any]) -> str:
    return f"{value.get('err', '')}\n{value.get('stack', '')}"


def _leaf(value: dict[str, Any], file: str | None) -> Failure | None:
    if any(isinstance(value.get(key), list) and value.get(key) for key in _INNER[:6]):
        return None
    if not _failed(value):
        return None
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    text = _text(value)
    if name is None or text is None:
        return None
    line = next((value[key] for key in _LINES if isinstance(value.get(key), int)), None)
    if "nodeid" in value and file is None:
        file = name.split("::")[0]
    named = "" if name == file else name
    return Failure(named, file, line, text)


def _failed(value: dict[str, Any]) -> bool:
    if value.get("fail") is True or value.get("ok") is False:
        return True
    err = value.get("err")
    if isinstance(err, dict) and err.get("message"):
        return True
    said = next((value[key] for key in _STATES if isinstance(value.get(key), str)), "")
    return said.lower() in _FAILED


def _file(value: dict[str, Any]) -> str | None:
    for key in _FILES:
        if isinstance(text := value.get(key), str) and "." in text and len(text) < 400:
            return text
    name = value.get("name")
    inner = "assertionResults" in value or "testResults" in value
    return name if inner and isinstance(name, str) and "." in name else None


def _text(value: dict[str, Any]) -> str | None:
    parts = value.get("failureMessages") or value.get("failureDetails")
    if isinstance(parts, list) and parts:
        return _plain("\n".join(str(part) for part in parts))
    for key in ("err", "error", "exception", "call", "setup"):
        if isinstance(inner := value.get(key), dict) and (text := _error(inner)):
            return text
    errors = value.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return _error(errors[0])
    for key in ("tests", "results"):
        for each in value.get(key) or ():
            if isinstance(each, dict) and (text := _text(each)):
                return text
    said = value.get("message") or value.get("longrepr") or value.get("trace")
    return _plain(said) if isinstance(said, str) and said.strip() else None


def _error(error: dict[str, Any]) -> str | None:
    crash = error.get("crash")
    if isinstance(crash, dict):
        return f"{crash.get('path')}:{crash.get('lineno')}: {crash.get('message')}"
    stack = error.get("stack") or error.get("estack") or error.get("backtrace") or ""
    stack = "\n".join(map(str, stack)) if isinstance(stack, list) else str(stack)
    message = str(error.get("message") or error.get("longrepr") or "")
    if isinstance(place := error.get("location"), dict) and place.get("file"):
        stack = f"    at {place['file']}:{place.get('line')}:{place.get('column')}\n{stack}"
    text = stack if stack.strip().startswith(message.strip()[:40]) else f"{message}\n{stack}"
    return _plain(text) if text.strip() else None


def _plain(text: str) -> str:
    return "\n".join(read_line(line.encode(), 0).text for line in text.splitlines()[:400])


def place_in(text: str) -> Place | None:
    """The place in the project's own code that a failure's text names."""
    lines = [Line(0, line) for line in text.splitlines()[:400]]
    if place := last_own(each for each in map(python, lines) if each):
        return place
    stack = [each for each in map(javascript, lines) if each]
    others = [each for line in lines if (each := _other(line))]
    return first_own([*stack, *others])


def _other(line: Line) -> Place | None:
    for pattern in _AT:
        if found := pattern.search(line.text):
            file = relative(found["file"])
            return Place(file, int(found["line"]), None, 0, foreign(found["file"]))
    return None
