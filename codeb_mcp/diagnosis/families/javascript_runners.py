"""Mocha and Cypress, Playwright, node:test and others that write TAP, AVA, Bun."""

import re

from codeb_mcp.diagnosis.families.javascript_tests import (
    MISSING,
    SCRIPT,
    classify,
    located,
    message_of,
    until,
)
from codeb_mcp.diagnosis.frames import first_own, javascript
from codeb_mcp.diagnosis.lines import Line
from codeb_mcp.diagnosis.paths import relative
from codeb_mcp.diagnosis.prefilter import LOCATION
from codeb_mcp.diagnosis.rules import AT, Finding, Rule, Sighting, rule
from codeb_mcp.domain.incident import IncidentType

TEST, IMPORT = IncidentType.TEST_FAILURE, IncidentType.IMPORT_ERROR

_MOCHA_STOP = re.compile(
    r"npm ERR!|npm error|-{10,}\||\S*\s*ELIFECYCLE|error Command failed|\s*\(Results\)|\s*[┌╔]|=+ Coverage|\s*\d+ (?:passing|pending)"
)
_MOCHA_BEGIN = re.compile(r"\s{1,3}\d+\) (?P<title>\S.*)")
_ERROR = re.compile(
    r"\s+(?:Uncaught |\[)?(?:[\w.]*(?:Error|Exception|Warning)\b|Timeout of|error:|expected |\+ expected|Timed out)"
)


def _mocha(sighting: Sighting) -> list[Finding]:
    """`2 failing`, and below it each failure with its number."""
    made: list[Finding] = []
    block: list[Line] = []
    for line in sighting.after(1500):
        if _MOCHA_STOP.match(line.text):
            break
        if _MOCHA_BEGIN.match(line.text):
            made += _mocha_failure(sighting, block)
            block = []
        block.append(line)
    return made + _mocha_failure(sighting, block)


def _mocha_failure(sighting: Sighting, block: list[Line]) -> list[Finding]:
    body = [line for line in block if line.text.strip()]
    if not body or not (begin := _MOCHA_BEGIN.match(body[0].text)):
        return []
    said = next(
        (at for at, line in enumerate(body) if at and _ERROR.match(line.text)),
        min(len(body) - 1, 1),
    )
    titles = " ".join([begin["title"], *(line.text.strip() for line in body[1:said])]).rstrip(":")
    made = sighting.finding(
        at=body[0].number, first=body[0].number, last=body[min(len(body) - 1, 24)].number
    )
    made.message = f"{titles}: {message_of(body[said:], '')}"
    text = " ".join(line.text for line in body[:10])
    if path := re.search(rf"\((?P<file>/\S*{SCRIPT})\)", text):
        made.file = relative(path["file"])
    located(made, body)
    if MISSING.search(body[said].text):
        classify(made, body[said:])
    return [made]


_PLAYWRIGHT_END = re.compile(
    r"\s{1,4}\d+\) |\s{1,4}\d+ (?:failed|flaky|passed|skipped|interrupted|did not run)"
)


def _playwright(sighting: Sighting) -> Finding | None:
    lines = until(sighting.after(80), _PLAYWRIGHT_END)
    body = [line for line in lines if line.text.strip()]
    if not body:
        return None
    first = next(
        (
            line
            for line in body
            if re.match(r"\s+(?:\w*Error\b|Test timeout|Error:|expect\()", line.text)
        ),
        body[0],
    )
    name = re.sub(r"\s*[─-]{3,}.*", "", sighting.group("message") or "")
    suite = relative(sighting.group("file") or "")
    at = [line for line in body if line.number >= first.number]
    made = sighting.finding(
        file=suite,
        message=f"{name}: {message_of(at, '')}",
        last=body[min(len(body) - 1, 25)].number,
    )
    made.related.add(suite)
    own = first_own(each for each in map(javascript, body) if each)
    if own and not own.foreign:
        made.related |= {suite, own.file}
        made.file, made.line, made.column = own.file, own.line, own.column
    return made


def _node_test(sighting: Sighting) -> Finding | None:
    """`✖ name (3ms)` with the error indented below."""
    lines = until(sighting.after(40), re.compile(r"\s*(?:✖|✔|▶|﹣|ℹ|test at )"))
    body = [line for line in lines if line.text.strip()]
    if not body or not re.match(r"\s+(?:\[?\w*Error|.*\[ERR_|'|\S+ )", body[0].text):
        return None
    if not any("Error" in line.text or "ERR_" in line.text for line in body[:3]):
        return None
    made = sighting.finding(
        message=f"{sighting.group('message')}: {message_of(body, '')}", last=body[-1].number
    )
    for line in sighting.before(1):
        if found := re.match(rf"test at (?:file://)?{AT}", line.text):
            made.file, made.line = relative(found["file"]), int(found["line"][:8])
            made.related.add(made.file)
    return located(made, body) if any(map(javascript, body)) or made.file else None


_TAP_PLACE = re.compile(
    r"(?:location|at): ['\"]?(?:.*\()?(?:file://)?(?P<file>[^\s'\"():]+):(?P<line>\d+):(?P<column>\d+)"
)
_TAP_FRAME = re.compile(
    r"^\s*(?:at )?(?:[\w.<>\[\] ]+ \()?(?:file://)?(?P<file>[^\s:()]+\.[cm]?[jt]sx?):(?P<line>\d+):(?P<column>\d+)\)?$"
)


def _tap(sighting: Sighting) -> Finding | None:
    name = sighting.group("message") or ""
    if sighting.line.text.endswith("{"):
        return None
    made = sighting.finding(message=name)
    place = None
    for line in sighting.after(60):
        text = line.text.strip()
        if text.startswith(("not ok", "ok ", "# Subtest", "1..")) or text == "...":
            break
        made.last = line.number
        if found := re.match(r"(?:error|message): ['\"]?(?:\|-?|>-?)?(?P<text>.*?)['\"]?$", text):
            made.message = f"{made.message}: {found['text']}".rstrip(": ")
        elif made.message == name and re.match(
            r"\s{2,}(?!---|at |[\w-]+:(?: |$))[^\W_]", line.text
        ):
            made.message = f"{name}: {text}"
        if "subtestsFailed" in text:
            return None
        found = _TAP_PLACE.search(text) or _TAP_FRAME.match(line.text)
        own = found and not re.search(r"node_modules|^node:", found["file"])
        if found and own and (place is None or "location:" in place[0]):
            place = (text, found)
    if place:
        made.file, made.line = relative(place[1]["file"]), int(place[1]["line"][:8])
    return made


def _bun(sighting: Sighting) -> Finding | None:
    """Bun prints the error first and `(fail) name` last."""
    lines = list(sighting.before(40))
    body = until(lines, re.compile(r"\((?:pass|fail)\)|\S+\.(?:test|spec)\.\w+:$"))[::-1]
    made = sighting.finding()
    said = next((line.text.strip() for line in body if line.text.startswith("error:")), "")
    made.message = f"{made.message}: {said}".rstrip(": ")
    return located(made, body) if body else made


def _ava(sighting: Sighting) -> Finding | None:
    """The place stands further below, under the test's title again."""
    title = sighting.group("message") or ""
    lines = list(sighting.after(200))
    for index, line in enumerate(lines):
        if line.text.strip() != title:
            continue
        for below in lines[index + 1 : index + 5]:
            if found := re.match(rf"\s+{AT}$", below.text):
                said = [
                    each.text.strip()
                    for each in lines[index + 1 : index + 30]
                    if _AVA_SAID.match(each.text)
                ]
                return sighting.finding(
                    file=relative(found["file"]),
                    line=int(found["line"][:8]),
                    last=below.number,
                    more=12,
                    first=line.number,
                    message=f"{title}: {' '.join(said[:2])}".rstrip(": "),
                )
    return sighting.finding()


_AVA_SAID = re.compile(
    r"\s{2}(?:(?:Difference|Values|Value|Test|Promise|Function|Rejected|Error|Uncaught)\b.*|\w*Error.*)$"
)

RULES: tuple[Rule, ...] = (
    rule("mocha", TEST, "fail", r"^\s+\d+ failing$", _mocha),
    rule(
        "playwright",
        TEST,
        (LOCATION,),
        rf"^\s*\d+\) (?:\[[^\]]+\] › )?(?P<file>{SCRIPT}):(?P<line>\d+):(?P<column>\d+) › (?P<message>.+)$",
        _playwright,
    ),
    rule("node:test", TEST, "✖", r"^\s*✖ (?P<message>.+?) \(\d[\d.]*ms\)(?: #.*)?$", _node_test),
    rule("tap", TEST, "not ok", r"^\s*not ok \d+ -? ?(?P<message>.+?)(?: # time=.*)?$", _tap),
    rule("ava", TEST, ("✖", "✘", "×"), r"^\s*[✖✘×] \[fail\]: (?P<message>.+)$", _ava),
    rule("bun", TEST, "fail", r"^\(fail\) (?P<message>.+?)(?: \[[\d.]+m?s\])?$", _bun),
)
