"""Jest and Vitest, and what a suite that did not even load really failed for."""

import re
from collections.abc import Iterable, Sequence

from codeb_mcp.diagnosis.frames import first_own, javascript, marked_line
from codeb_mcp.diagnosis.lines import Line
from codeb_mcp.diagnosis.paths import relative
from codeb_mcp.diagnosis.rules import AT, Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

TEST, IMPORT = IncidentType.TEST_FAILURE, IncidentType.IMPORT_ERROR
TYPE, SYNTAX = IncidentType.TYPE_ERROR, IncidentType.SYNTAX_ERROR
CONFIG = IncidentType.CONFIG_ERROR

SCRIPT = r"[^\s:()]{1,300}\.(?:[cm]?[jt]sx?|vue|svelte|astro|feature|coffee|snap)"
MISSING = re.compile(
    r"Cannot find (?:module|package) |Failed to (?:load url|resolve import)|Error: Cannot find |ERR_MODULE_NOT_FOUND"
    r"|Module not found|Could not locate module|does not provide an export named|Could not resolve \"|ERR_PACKAGE_PATH_NOT_EXPORTED"
    r"|Failed to resolve entry for package|Missing \".+\" specifier in|Unable to resolve (?:path to )?module"
)
_TSC = re.compile(rf"(?:^|\s){AT} - error (?P<code>TS\d+): (?P<message>.+)")
_SYNTAX = re.compile(
    r"SyntaxError: |ParseError|Transform failed with|Parse failure|Jest encountered an unexpected token|Syntax Error"
)
_SYNTAX_PLACE = (
    re.compile(
        rf"(?:SyntaxError: )?(?P<file>{SCRIPT}): (?P<message>.+?) \((?P<line>\d+):(?P<column>\d+)\)"
    ),
    re.compile(rf"^\s*(?P<file>{SCRIPT}):(?P<line>\d+)(?::(?P<column>\d+))?:?(?: ERROR:.*)?$"),
    re.compile(rf"╭─\[(?P<file>{SCRIPT}):(?P<line>\d+):(?P<column>\d+)\]"),
    re.compile(rf"File: (?P<file>{SCRIPT}):(?P<line>\d+):(?P<column>\d+)"),
)
_IMPORTER = re.compile(
    rf"(?:from|imported from|Require stack:|in)\s+(?:\n?\s*-\s*)?['\"]?(?P<file>(?:file://)?/?[^\s'\"]*{SCRIPT})['\"]?|Does the file exist\?"
)
_MESSAGE_END = re.compile(r"^\s*(?:at .*:\d+|❯ |\d+\s*[|│]|>\s*\d+\s*[|│]|⎯{4,})")


def message_of(lines: Sequence[Line], default: str) -> str:
    """The first paragraph that says something, with what was expected and received below."""
    said: list[str] = []
    for line in lines:
        text = line.text.strip()
        if _MESSAGE_END.match(line.text):
            break
        if text and not text.startswith(("●", "Retry #", "====")):
            said.append(text)
        if len(said) >= 6:
            break
    return " ".join(said) or default


def located(made: Finding, lines: Sequence[Line]) -> Finding:
    """Where it failed: the first frame in the project's own code."""
    place = first_own(each for each in map(javascript, lines) if each)
    if place and not (place.foreign and made.file):
        if made.file and not _same(made.file, place.file):
            made.related.add(made.file)
        made.file, made.line, made.column = _longer(place.file, made.file), place.line, place.column
    elif made.line is None:
        made.line = next((number for number in map(marked_line, lines) if number), None)
    return made


def _same(one: str, other: str) -> bool:
    return one == other or one.endswith("/" + other) or other.endswith("/" + one)


def _longer(one: str, other: str | None) -> str:
    return other if other and other.endswith("/" + one) and not other.startswith("/") else one


def classify(made: Finding, lines: Sequence[Line]) -> Finding:
    """A suite that did not even load failed for a type, a syntax or an import, not as a test."""
    text = "\n".join(line.text for line in lines[:14])
    for line in lines[:8]:
        if found := _TSC.search(line.text):
            made.related.add(made.file or "")
            made.type, made.code, made.message = TYPE, found["code"], found["message"]
            made.file, made.line = relative(found["file"]), int(found["line"][:8])
            made.column = int(found["column"][:8]) if found["column"] else None
            return made
    if MISSING.search(text):
        made.type = IMPORT
        made.message = next(line.text.strip() for line in lines if MISSING.search(line.text))
        _importer(made, lines)
    elif _SYNTAX.search(text):
        made.type = SYNTAX
        _syntax_place(made, lines)
    return made


def _importer(made: Finding, lines: Sequence[Line]) -> None:
    """The file that imports what is missing, where no frame of the project says it."""
    suite = made.file
    quoted = re.search(rf"from ['\"](?P<file>[^'\"]*{SCRIPT})['\"]", made.message)
    marked = next((number for number in map(marked_line, lines) if number), None)
    place = first_own(each for each in map(javascript, lines) if each)
    if place and not place.foreign:
        made.file, made.line, made.column = _longer(place.file, suite), place.line, place.column
    elif quoted:
        made.file = relative(quoted["file"])
        made.line = marked
    elif marked:
        made.line = marked
    if suite:
        made.related.add(suite)


def _syntax_place(made: Finding, lines: Sequence[Line]) -> None:
    if made.file:
        made.related.add(made.file)
    for line in lines:
        for pattern in _SYNTAX_PLACE:
            if (found := pattern.search(line.text)) and "node_modules" not in found["file"]:
                made.file, made.line = relative(found["file"]), int(found["line"][:8])
                made.column = int(found["column"][:8]) if found["column"] else None
                break
        else:
            continue
        break
    said = next(
        (
            line.text.strip()
            for line in lines
            if "SyntaxError" in line.text or "ERROR:" in line.text
        ),
        "",
    )
    made.message = said or made.message


def _suite_before(sighting: Sighting) -> str | None:
    """The `FAIL path` line above, which names the file of a test."""
    for line in sighting.before(300):
        found = re.match(rf"\s*(?:FAIL|PASS)\s+(?:\S+ )?(?P<file>\S*?{SCRIPT})\b", line.text)
        if found:
            return relative(found["file"])
    return None


def until(lines: Iterable[Line], end: re.Pattern[str]) -> list[Line]:
    """Lines up to one that begins something new."""
    kept: list[Line] = []
    for line in lines:
        if end.match(line.text):
            break
        kept.append(line)
    return kept


_JEST_END = re.compile(
    r"\s{0,4}●|\s*(?:FAIL|PASS|RUNS)\s|Test Suites:|Tests:|Summary of all failing tests|Jest: |-{20,}\|"
)


def _jest(sighting: Sighting) -> Finding | None:
    name = sighting.group("message") or ""
    if name.startswith(
        (
            "Console",
            "Cannot log after",
            "Deprecation Warning",
            "Validation Warning",
            "process.exit called",
        )
    ):
        return None
    lines = until(sighting.after(120), _JEST_END)
    if not any(javascript(line) or marked_line(line) or line.text.strip() for line in lines[:60]):
        return sighting.finding(weight=Weight.SUMMARY, file=_suite_before(sighting))
    body = [line for line in lines if line.text.strip()]
    made = sighting.finding(file=_suite_before(sighting), message=f"{name}: {message_of(body, '')}")
    made.last = body[-1].number if body else made.at
    if made.file:
        made.related.add(made.file)
    located(made, body)
    if "Test suite failed to run" in name:
        made.file = made.file or None
    return (
        classify(made, body)
        if ("Test suite failed" in name or MISSING.search(body[0].text if body else ""))
        else made
    )


_VITEST_END = re.compile(r"\s*FAIL\s|⎯{10,}(?!\[)|\s*Test Files\s|\s*(?:Snapshots|Tests)\s+\d")


def _vitest(sighting: Sighting) -> Finding | None:
    lines = until(sighting.after(80), _VITEST_END)
    body = [line for line in lines if line.text.strip()]
    # Jest's line of the same form is followed by its own marks, and means nothing by itself
    if not body or "●" in body[0].text or re.match(r"\s*[✓✕○√×]", body[0].text):
        return None
    if not re.match(r"(?:[\w.]*(?:Error|Exception|Failure)\b|Error|Caused by|\S.*)", body[0].text):
        return None
    title = sighting.group("title") or ""
    suite = relative(sighting.group("file") or "")
    message = body[0].text.strip()
    made = sighting.finding(
        file=suite, message=f"{title}: {message}".lstrip(": "), last=body[-1].number
    )
    made.related.add(suite)
    if not sighting.match["title"]:
        located(made, body)
        return classify(made, body)
    located(made, body)
    return classify(made, body[:3]) if MISSING.search(message) else made


def _summary_file(sighting: Sighting) -> Finding:
    return sighting.finding(file=relative(sighting.group("file") or ""))


RULES: tuple[Rule, ...] = (
    rule("jest", TEST, "●", r"^\s{0,4}● (?P<message>\S.*)$", _jest),
    rule(
        "vitest",
        TEST,
        "FAIL",
        rf"^\s*(?:❯ )?FAIL\s+(?:\|?\S+\|? )?(?P<file>{SCRIPT})(?:\s*> (?P<title>.+)|\s*\[.*\]|\s*)$",
        _vitest,
    ),
    rule(
        "jest",
        TEST,
        "FAIL",
        rf"^\s*FAIL\s+(?:\S+ )?(?P<file>\S*?{SCRIPT})(?: \([\d.]+ m?s\))?(?: >.*)?$",
        _summary_file,
        Weight.SUMMARY,
        within=True,
    ),
    rule(
        "jest", TEST, "fail", r"^\s*›\s*(?P<message>\d+ snapshots? failed)", weight=Weight.SUMMARY
    ),
    rule(
        "vitest", CONFIG, "failed to load config", r"^(?P<message>failed to load config from .+)$"
    ),
    rule(
        "jest",
        CONFIG,
        "rror",
        r"(?P<message>(?:Validation Error|Preset .+ not found|Module .+ in the \w+ option was not found).*)",
        weight=Weight.HINT,
    ),
)
