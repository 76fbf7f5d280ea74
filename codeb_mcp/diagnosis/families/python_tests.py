"""pytest and unittest (Django, nose), and tracebacks of Python programs."""

import re
from collections.abc import Sequence

from codeb_mcp.diagnosis.frames import Place, last_own, python
from codeb_mcp.diagnosis.lines import Line
from codeb_mcp.diagnosis.paths import foreign, relative
from codeb_mcp.diagnosis.rules import FILE, Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

TEST, IMPORT, SYNTAX = (
    IncidentType.TEST_FAILURE,
    IncidentType.IMPORT_ERROR,
    IncidentType.SYNTAX_ERROR,
)
TYPE, CONFIG, UNKNOWN = IncidentType.TYPE_ERROR, IncidentType.CONFIG_ERROR, IncidentType.UNKNOWN

_PYTEST_PLACE = re.compile(
    r"^(?P<file>(?:[A-Za-z]:)?[^\s:>][^:]{0,300}\.(?:pyx?|pyi|ipynb|feature|ya?ml|rst|txt|md)):(?P<line>\d+)(?:: (?P<what>.*)|:?)$"
)
_PYTEST_FILE = re.compile(r"^file (?P<file>.{1,300}), line (?P<line>\d+)$")
_SECTION_END = re.compile(r"_{3,} .+ _{3,}$|={10,}|!{10,}|\d+ (?:failed|passed|error)")
_CAPTURED = re.compile(r"-{3,} Captured .+ -{3,}$|-{3,} (?:live log|generated) .*-{3,}$")
_EXCEPTION = re.compile(
    r"^(?P<name>(?:[\w]+\.)*[A-Za-z_]\w*(?:Error|Exception|Warning|Interrupt|Exit|Failure|Failed|NotFound|DoesNotExist|Timeout|Configured|Impossible|Refused|Denied)?)(?:: (?P<message>.*))?$"
)
_KINDS = (
    (
        re.compile(
            r"(?:ModuleNotFoundError|ImportError)\b|cannot import name|ImportMismatchError|import file mismatch"
        ),
        IMPORT,
    ),
    (re.compile(r"(?:SyntaxError|IndentationError|TabError)\b"), SYNTAX),
)
_RUNTIME_KINDS = (
    *_KINDS,
    (re.compile(r"^(?:TypeError|AttributeError|NameError|UnboundLocalError)\b"), TYPE),
    (
        re.compile(
            r"ImproperlyConfigured|AppRegistryNotReady|ValidationError.*[Ss]ettings|ConfigError|ConfigurationError|UsageError|NoSectionError|TomlDecodeError|TOMLDecodeError|ScannerError|ParserError"
        ),
        CONFIG,
    ),
    (re.compile(r"^AssertionError\b"), TEST),
)


def _body(sighting: Sighting, end: re.Pattern[str], count: int) -> list[Line]:
    lines: list[Line] = []
    for line in sighting.after(count):
        if end.match(line.text):
            break
        lines.append(line)
    return lines


def _pytest_places(lines: Sequence[Line]) -> list[Place]:
    made: list[Place] = []
    for line in lines:
        found = _PYTEST_PLACE.match(line.text) or _PYTEST_FILE.match(line.text)
        if found:
            made.append(
                Place(
                    relative(found["file"]),
                    int(found["line"][:8]),
                    None,
                    line.number,
                    foreign(found["file"]),
                )
            )
        elif place := python(line):
            made.append(place)
        elif inner := re.match(r"^E\s+File \"(?P<file>[^\"]+)\", line (?P<line>\d+)", line.text):
            made.append(
                Place(
                    relative(inner["file"]),
                    int(inner["line"][:8]),
                    None,
                    line.number,
                    foreign(inner["file"]),
                )
            )
    return made


def _errors(lines: Sequence[Line]) -> list[str]:
    """What the lines marked with E say, the last exception's."""
    said: list[str] = []
    previous = -2
    for index, line in enumerate(lines):
        if found := re.match(r"^E(?:\s+(.*))?$", line.text):
            # a chain of exceptions: each link's lines stand together
            if index != previous + 1 and said and not said[-1].startswith("assert"):
                said = []
            if found[1]:
                said.append(found[1].strip())
            previous = index
    return said


def _pytest_section(sighting: Sighting) -> Finding | None:
    """`____ test_name ____` and what follows, in every style of traceback."""
    name = sighting.group("message") or ""
    lines = _body(sighting, _SECTION_END, 400)
    captured = next((at for at, line in enumerate(lines) if _CAPTURED.match(line.text)), len(lines))
    body = lines[:captured]
    said, places = _errors(body), _pytest_places(body)
    if not said and name.startswith("ERROR collecting"):
        said = [line.text.strip() for line in body if line.text.strip()][:6]
    if not said and not places:
        return None
    if "ERROR collecting" not in name and not said:
        said = [
            line.text.strip()
            for line in body
            if _EXCEPTION.match(line.text) and "rror" in line.text
        ][-1:]
    message = " ".join(said[:6])
    made = sighting.finding(message=f"{name}: {message}")
    text = "\n".join(line.text for line in body)
    made.type = next(
        (kind for pattern, kind in _KINDS if pattern.search(said[-1] if said else text)), TEST
    )
    if made.type is TEST:
        made.type = next((kind for pattern, kind in _KINDS if pattern.search(message)), TEST)
    made.related = {each.file for each in places if not each.foreign}
    collected = re.match(r"ERROR collecting (?P<file>\S+)", name)
    if (own := last_own(places)) and not (own.foreign and collected):
        made.file, made.line = own.file, own.line
    elif collected:
        made.file = relative(collected["file"])
    if collected:
        made.related.add(relative(collected["file"]))
    telling = [
        line.number for line in body if line.text.startswith("E ") or _PYTEST_PLACE.match(line.text)
    ]
    if telling:
        made.at = next((line.number for line in body if line.text.startswith("E ")), telling[0])
        made.last = min(telling[-1], body[-1].number)
        made.first = made.first if made.last - made.first < 30 else max(made.first, made.at - 12)
    return made


def _pytest_line(sighting: Sighting) -> Finding | None:
    """`--tb=line`: `/p/tests/test_a.py:2: AssertionError: …`, nothing else."""
    made = sighting.finding()
    if foreign(sighting.group("file") or ""):
        return None
    made.type = next((kind for pattern, kind in _KINDS if pattern.search(made.message)), TEST)
    made.related.add(made.file or "")
    return made


def _conftest(sighting: Sighting) -> Finding:
    lines = list(sighting.after(60))
    said, places = _errors(lines), _pytest_places(lines)
    plain = [line.text.strip() for line in lines if re.match(r"(?:\w+\.)*\w*Error: ", line.text)]
    made = sighting.finding(message=" ".join(said or plain[-1:]) or sighting.line.text)
    made.type = next((kind for pattern, kind in _KINDS if pattern.search(made.message)), IMPORT)
    if (own := last_own(places)) and not own.foreign:
        made.file, made.line = own.file, own.line
    made.last = min((each.at for each in places[-1:]), default=made.at) + 3
    return made


def _summary(sighting: Sighting) -> Finding:
    made = sighting.finding()
    made.type = next((kind for pattern, kind in _KINDS if pattern.search(made.message)), TEST)
    return made


_UNITTEST_END = re.compile(r"={30,}|Ran \d+ tests? in|FAILED \(|-{60,}$(?!)")


def _unittest(sighting: Sighting) -> Finding | None:
    lines = list(sighting.after(200))
    if not lines or not re.match(r"(?:-{30,}|.*\S)", lines[0].text):
        return None
    ruler = next((at for at, line in enumerate(lines[:4]) if re.match(r"-{30,}", line.text)), None)
    if ruler is None:
        return None
    body: list[Line] = []
    for line in lines[ruler + 1 :]:
        if re.match(r"={30,}|-{30,}$|Ran \d+ tests? in|FAILED \(", line.text):
            break
        body.append(line)
    message, places, at = _traceback_of(body)
    made = sighting.finding(message=f"{sighting.group('message')}: {message}")
    made.at = at or made.at
    made.type = next((kind for pattern, kind in _KINDS if pattern.search(message)), TEST)
    made.related = {each.file for each in places if not each.foreign}
    if (own := last_own(places)) and not own.foreign:
        made.file, made.line = own.file, own.line
    made.last = body[-1].number if body else made.at
    return made


def _traceback_of(body: Sequence[Line]) -> tuple[str, list[Place], int | None]:
    """Message, places and the message's line in the log, of the last traceback in the lines."""
    places: list[Place] = []
    message, at = "", None
    for line in body:
        if line.text.startswith("Traceback (most recent"):
            places, message = [], ""
        elif place := python(line):
            places.append(place)
        elif (line.text[:1].strip() and not message and places) or (
            line.text[:1].strip() and not places and not message
        ):
            message, at = line.text.strip(), line.number
    return message, places, at


def _traceback(sighting: Sighting) -> Finding | None:
    """A traceback by itself: a script, a management command, a build backend."""
    indent = len(sighting.line.text) - len(sighting.line.text.lstrip(" |>E"))
    places: list[Place] = []
    for line in sighting.after(120):
        text = line.text[indent:] if not line.text[:indent].strip(" |>E") else line.text
        if place := python(Line(line.number, text)):
            places.append(place)
        elif text[:1].strip() and places and (found := _EXCEPTION.match(text.strip())):
            made = sighting.finding(message=text.strip(), at=line.number, last=line.number)
            made.type = next(
                (kind for pattern, kind in _RUNTIME_KINDS if pattern.search(text.strip())), UNKNOWN
            )
            made.code = found["name"]
            if own := last_own(places):
                made.file, made.line = (own.file, own.line) if not own.foreign else (None, None)
                made.related = {each.file for each in places if not each.foreign}
            if line.number - made.first > 30:
                made.first = line.number - 12
            made.weight = Weight.HINT
            return made
        elif text[:1].strip() and not text.startswith(("[", "  ", "~", "^")):
            return None
    return None


def _syntax(sighting: Sighting) -> Finding | None:
    """`SyntaxError: …` with its `File "x", line N` just above: also without a traceback."""
    made = sighting.finding(message=sighting.line.text.strip().removeprefix("E").strip())
    for line in sighting.before(6):
        if found := re.match(
            r"^(?:\W|E)*File \"(?P<file>[^\"]+)\", line (?P<line>\d+)$", line.text
        ):
            if foreign(found["file"]):
                return None
            made.file, made.line = relative(found["file"]), int(found["line"][:8])
            made.first = line.number
            return made
    return None


RULES: tuple[Rule, ...] = (
    rule(
        "python",
        IMPORT,
        "odule named",
        r"^\S*python[\d.]*(?:\.exe)?: (?P<message>No module named .+)$",
    ),
    rule("pytest", TEST, "___ ", r"^_{3,} (?P<message>\S.*?) _{3,}$", _pytest_section),
    rule(
        "pytest",
        IMPORT,
        "rror while loading conftest",
        r"^(?:E\s+)?ImportError while loading conftest '(?P<file>[^']+)'",
        _conftest,
    ),
    rule(
        "pytest",
        TEST,
        ("rror", "Fail", "xception", "exit"),
        r"^(?P<file>(?:[A-Za-z]:)?/?[^\s:]+\.py):(?P<line>\d+): (?P<message>(?:[\w.]*(?:Error|Exception|Exit|Warning)\b|Failed\b).*)$",
        _pytest_line,
    ),
    rule(
        "pytest",
        TEST,
        ("FAILED ", "ERROR "),
        r"^(?:FAILED|ERROR) (?P<file>[^\s:]+\.\w+)(?:::(?P<name>\S+(?: \S+)*?))?(?: - (?P<message>.*))?$",
        _summary,
        Weight.SUMMARY,
    ),
    rule(
        "pytest",
        TEST,
        ("FAIL Required", "FAIL "),
        r"^(?:FAIL |ERROR: Coverage failure: |Coverage failure: )(?P<message>(?:Required test coverage|total of).*)",
    ),
    rule("coverage", TEST, "failure: ", r"^(?P<message>Coverage failure: total of .+)"),
    rule(
        "pytest",
        CONFIG,
        ("ERROR: ", "rror: "),
        r"^(?:ERROR|pytest: error): (?P<message>(?:file or directory not found|not found|usage: |unrecognized arguments|unknown hook|Unknown config option|/\S+: ).*)",
    ),
    rule(
        "pytest",
        CONFIG,
        "ERROR>",
        r"^INTERNALERROR> (?P<message>(?:\w+\.)*\w*(?:Error|Exception): .+)",
    ),
    rule(
        "unittest",
        TEST,
        ("ERROR: ", "FAIL: "),
        r"^(?:ERROR|FAIL): (?P<message>(?:\S+ \(.+\).*|\S*Failure: .+|Doctest: .+|(?:setUp|tearDown)Class \(.+\)|\w+))$",
        _unittest,
    ),
    rule(
        "python",
        SYNTAX,
        "rror: ",
        r"^\W*(?:E\s+)?(?:SyntaxError|IndentationError|TabError): (?P<message>.+)",
        _syntax,
    ),
    rule("python", UNKNOWN, "Traceback", r"Traceback \(most recent call last\):$", _traceback),
    rule(
        "python",
        IMPORT,
        "rror while finding",
        r"(?P<message>Error while finding module specification for .+)",
    ),
    rule(
        "python", CONFIG, "annot", rf"^\S*python[\d.]*: (?P<message>can't open file '?{FILE}'?.*)"
    ),
)
