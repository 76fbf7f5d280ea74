"""Go: compiler, vet, modules, tests, panics; golangci-lint and staticcheck."""

import re

from codeb_mcp.diagnosis.paths import foreign, relative
from codeb_mcp.diagnosis.prefilter import LOCATION
from codeb_mcp.diagnosis.rules import FILE, Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

TYPE, IMPORT, SYNTAX = IncidentType.TYPE_ERROR, IncidentType.IMPORT_ERROR, IncidentType.SYNTAX_ERROR
DEPENDENCY, TEST, LINT = (
    IncidentType.DEPENDENCY_ERROR,
    IncidentType.TEST_FAILURE,
    IncidentType.LINT_ERROR,
)
CONFIG, UNKNOWN, INFRA = (
    IncidentType.CONFIG_ERROR,
    IncidentType.UNKNOWN,
    IncidentType.INFRASTRUCTURE,
)

_GO = r"(?P<file>(?:[A-Za-z]:)?[^\s:]{1,300}\.go)"
_LINTER = re.compile(r"\s+\((?P<code>[A-Za-z][\w-]*)\)$")
_MISSING = re.compile(
    r"no required module provides|is not in (?:std|GOROOT)|cannot find (?:package|module)|could not import|import cycle not allowed|use of internal package|missing go\.sum entry|build constraints exclude all"
)
_VET = re.compile(
    r"^(?:\w+ (?:format %|call has|arg list)|possible |self-assignment|unreachable code|unusedresult|struct field tag|composite literal|loop variable|the cancel function|result of .+ call not used|call to .+ copies|assignment copies|.+ passes lock by value|redundant or|suspect )"
)


def _diagnostic(sighting: Sighting) -> Finding | None:
    made = sighting.finding()
    message = made.message
    if foreign(sighting.group("file") or "") or re.match(r"(?:\+0x|Error Trace|\d)", message):
        return None
    if linter := _LINTER.search(message):
        made.type, made.tool = LINT, "golangci-lint"
        made.code, made.message = linter["code"], _LINTER.sub("", message)
        if re.fullmatch(r"(?:SA|ST|S|QF|U)\d{4}", made.code or ""):
            made.tool = "staticcheck"
        if made.code == "typecheck":
            made.type = TYPE
    elif _MISSING.search(message):
        made.type = IMPORT
    elif re.match(
        r"(?:syntax error|expected |illegal |invalid character|string literal not terminated)",
        message,
    ):
        made.type = SYNTAX
    elif _VET.match(message):
        made.type, made.tool = LINT, "go vet"
    elif sighting.line.text.startswith((" ", "\t")) and not sighting.line.text.startswith("\t"):
        return None
    for line in sighting.after(3):
        if not line.text.startswith("\t"):
            break
        made.message += " " + line.text.strip()
        made.last = line.number
    return made


def _test(sighting: Sighting) -> Finding | None:
    """`--- FAIL: TestX`, and below it `    x_test.go:7: message`, or testify's table, or a panic."""
    name = sighting.group("message") or ""
    depth = len(sighting.line.text) - len(sighting.line.text.lstrip())
    lines = list(sighting.after(60))
    if lines and re.match(r"\s+--- FAIL: ", lines[0].text):
        return None
    made = sighting.finding()
    said: list[str] = []
    for line in lines:
        if re.match(r"\s*--- (?:FAIL|PASS|SKIP)|(?:FAIL|ok|PASS|\?)(?:\s|$)|=== ", line.text):
            break
        if found := re.search(r"Error Trace:\s+(?P<file>\S+\.go):(?P<line>\d+)", line.text):
            made.file, made.line = relative(found["file"]), int(found["line"][:8])
        elif found := re.search(r"(?:Error|Messages):\s+(?P<text>\S.*)", line.text):
            said.append(found["text"])
        elif found := re.match(
            rf"\s{{{depth + 1},}}(?P<file>\S+\.go):(?P<line>\d+): ?(?P<text>.*)", line.text
        ):
            if made.file is None:
                made.file, made.line = relative(found["file"]), int(found["line"][:8])
            if found["text"].strip():
                said.append(found["text"].strip())
        elif found := re.match(r"panic: (?P<text>.+)", line.text):
            said.append(found[0])
        elif (
            found := re.match(r"\t(?P<file>/\S+\.go):(?P<line>\d+)", line.text)
        ) and made.file is None:
            if not foreign(found["file"]):
                made.file, made.line = relative(found["file"]), int(found["line"][:8])
        elif line.text.startswith("    ") and said and len(said) < 6:
            said.append(line.text.strip())
        made.last = line.number
    if made.file is None and not said:
        # with -v the messages stand before the verdict
        for line in sighting.before(30):
            if re.match(r"\s*(?:=== RUN|--- )", line.text):
                break
            if found := re.match(r"\s+(?P<file>\S+\.go):(?P<line>\d+): ?(?P<text>.*)", line.text):
                made.file, made.line = relative(found["file"]), int(found["line"][:8])
                said.insert(0, found["text"])
                made.first = line.number
    made.message = f"{name}: {' '.join(said[:6])}".rstrip(": ")
    return made


def _panic(sighting: Sighting) -> Finding | None:
    made = sighting.finding()
    for line in sighting.after(60):
        found = re.match(r"\s+(?P<file>/?\S+\.go):(?P<line>\d+)(?: \+0x[0-9a-f]+)?$", line.text)
        if (
            found
            and not foreign(found["file"])
            and "/src/runtime/" not in found["file"]
            and "/src/testing/" not in found["file"]
        ):
            made.file, made.line, made.last = (
                relative(found["file"]),
                int(found["line"][:8]),
                line.number,
            )
            break
    test = any(line.text.startswith(("--- FAIL", "=== RUN")) for line in sighting.before(12))
    if test or "_test.go" in (made.file or ""):
        made.type = TEST
    if made.file is None:
        made.weight = Weight.HINT
    return made


def _module(sighting: Sighting) -> Finding:
    made = sighting.finding()
    if re.search(
        r"dial tcp|i/o timeout|TLS handshake|connection re|5\d\d |too many requests|no such host",
        made.message,
    ):
        made.type = INFRA
    elif re.search(
        r"go\.mod requires go|unknown directive|cannot find main module|go\.mod file not found|errors parsing go\.mod|invalid go version|toolchain not available",
        made.message,
    ):
        made.type = CONFIG
        made.file = made.file or "go.mod"
    said = next(
        (line.text.strip() for line in sighting.after(1) if line.text.startswith(("\t", " "))), ""
    )
    made.message = f"{made.message} {said}".strip()
    return made


def _ginkgo(sighting: Sighting) -> Finding | None:
    made = sighting.finding()
    for line in sighting.after(30):
        if (
            found := re.match(
                r"\s*(?:In \[\w+\] at: |\[FAILED\] .*at )?(?P<file>/\S+\.go):(?P<line>\d+)",
                line.text,
            )
        ) and not foreign(found["file"]):
            made.file, made.line, made.last = (
                relative(found["file"]),
                int(found["line"][:8]),
                line.number,
            )
            return made
    return None


RULES: tuple[Rule, ...] = (
    rule("go test", TEST, "--- FAIL: ", r"^\s*--- FAIL: (?P<message>\S+)(?: \([\d.]+s\))?", _test),
    rule(
        "go",
        TYPE,
        (LOCATION,),
        rf"^(?:vet: |\S+: )?{_GO}:(?P<line>\d+):(?P<column>\d+): (?P<message>.+)$",
        _diagnostic,
    ),
    rule("go", UNKNOWN, "anic: ", r"^(?:\S+ )?(?P<message>panic: .+)$", _panic),
    rule(
        "go",
        DEPENDENCY,
        (
            "rror",
            "annot",
            "not found",
            "nable to",
            "Unknown",
            "unknown",
            "requires",
            "missing",
            "failed",
            "ould not",
            "no such",
            "limit",
            "denied",
            "updates to",
            "exit",
        ),
        r"^go: (?!downloading|finding|extracting|found|added|upgraded|warning)(?P<message>.*(?:missing|cannot|not found|unknown revision|inconsistent|updates to go\.(?:mod|sum)|errors? parsing|requires|invalid|no such|unrecognized|timeout|dial tcp|disabled|mismatch|denied|toolchain|exit status).*)$",
        _module,
    ),
    rule(
        "go",
        CONFIG,
        ("unknown directive",),
        rf"^{FILE}:(?P<line>\d+): (?P<message>unknown directive.+)$",
    ),
    rule(
        "ginkgo",
        TEST,
        "FAILED]",
        r"^\s*(?:• )?\[FAILED\] \[[\d.]+ seconds\](?P<message>.*)$",
        _ginkgo,
    ),
    rule(
        "go test",
        UNKNOWN,
        "FAIL\t",
        r"^FAIL\t(?P<message>\S+(?: \[.+\])?.*)$",
        weight=Weight.CONSEQUENCE,
    ),
    rule(
        "golangci-lint",
        CONFIG,
        ("rror: can't", "rror: unsupported"),
        r"^(?:level=error msg=\"|Error: )(?P<message>(?:can't load config|unsupported version|unknown linters).*?)\"?$",
    ),
)
