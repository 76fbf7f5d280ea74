"""ExUnit and Flutter's tests; ShellCheck, Hadolint, Terraform and Sass: forms of their own."""

import re

from codeb_mcp.diagnosis.paths import relative
from codeb_mcp.diagnosis.rules import FILE, Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

TEST, LINT = IncidentType.TEST_FAILURE, IncidentType.LINT_ERROR
CONFIG, SYNTAX = IncidentType.CONFIG_ERROR, IncidentType.SYNTAX_ERROR
IMPORT = IncidentType.IMPORT_ERROR


def _at(made: Finding, file: str, line: str, number: int) -> Finding:
    made.file, made.line, made.last = relative(file), int(line[:8]), number
    return made


def _exunit(sighting: Sighting) -> Finding | None:
    """The test's name stands above, the line that failed in the trace below."""
    name = ""
    for line in sighting.before(4):
        if found := re.match(r"\s+\d+\) (?P<name>.+ \(.+\))$", line.text):
            name = found["name"]
            break
    if not name:
        return None
    made = sighting.finding(message=f"{name}: {sighting.group('message')}")
    for line in sighting.after(30):
        if found := re.match(r"\s+(?P<file>\S+\.exs?):(?P<line>\d+): ", line.text):
            return _at(made, found["file"], found["line"], line.number)
    return made


def _flutter(sighting: Sighting) -> list[Finding] | None:
    """Dart marks a failed test with `[E]`, which no other word gives away."""
    made = []
    for line in list(sighting.before(300))[::-1]:
        found = re.match(r"\d\d:\d\d \+\d+(?: ~\d+)? -\d+: (?P<name>.+) \[E\]$", line.text)
        if not found:
            continue
        one = sighting.finding(message=found["name"], at=line.number, first=line.number)
        for below in sighting.window.after(line.number, 20):
            if place := re.match(r"\s+(?P<file>\S+_test\.dart) (?P<line>\d+):\d+ ", below.text):
                _at(one, place["file"], place["line"], below.number)
                break
        one.last = max(one.last, one.first)
        made.append(one)
    return made or None


def _shellcheck(sighting: Sighting) -> Finding | None:
    for line in sighting.before(8):
        if found := re.match(r"In (?P<file>.+) line (?P<line>\d+):$", line.text):
            made = sighting.finding(first=line.number)
            made.warning = sighting.match["severity"] in {"info", "style"}
            made.file, made.line = relative(found["file"]), int(found["line"][:8])
            return made
    return None


_TERRAFORM = re.compile(r"[\s│]*on (?P<file>\S+\.tf(?:vars)?) line (?P<line>\d+)")
_SASS = re.compile(r"\s+(?P<file>\S+\.(?:s[ac]ss|less|styl)) (?P<line>\d+):\d+")


def _placed_below(sighting: Sighting) -> Finding | None:
    """`Error: message`, and a few lines below the place in the tool's own words."""
    for line in sighting.after(12):
        for pattern, tool, kind in ((_TERRAFORM, "terraform", CONFIG), (_SASS, "sass", SYNTAX)):
            if found := pattern.match(line.text):
                made = sighting.finding(tool=tool, type=kind)
                return _at(made, found["file"], found["line"], line.number)
    return None


RULES: tuple[Rule, ...] = (
    rule("exunit", TEST, "failed", r"^\s+(?P<message>Assertion with .+ failed.*)$", _exunit),
    rule("flutter", TEST, "tests failed", r"Some tests failed\.", _flutter),
    rule(
        "shellcheck",
        LINT,
        (" SC1", " SC2", " SC3"),
        r"(?P<code>SC\d{4}) \((?P<severity>error|warning|info|style)\): (?P<message>.+)$",
        _shellcheck,
    ),
    rule(
        "hadolint",
        LINT,
        (" DL3", " DL4"),
        rf"^{FILE}:(?P<line>\d+) (?P<code>DL\d{{4}}) (?:error|warning|info|style): (?P<message>.+)$",
    ),
    rule("terraform", CONFIG, "rror: ", r"^[\s│╷]*Error: (?P<message>\S.+)$", _placed_below),
    rule(
        "vite",
        IMPORT,
        "failed to resolve import",
        r"(?P<message>failed to resolve import \"[^\"]+\" from \"(?P<file>[^\"]+)\".*)$",
        weight=Weight.SUMMARY,
    ),
    rule("test", TEST, "FAIL", r"^(?P<message>\S.{3,200}?)(?: ?\.\.\.| -) ?FAIL(?:ED|URE)?\b", weight=Weight.HINT),
)  # fmt: skip
