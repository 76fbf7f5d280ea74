"""Tools that nobody has named here: the forms that compilers, linters and test runners share."""

import re

from codeb_mcp.diagnosis.kinds import kind_by_words, looks_like_rule
from codeb_mcp.diagnosis.lines import Line
from codeb_mcp.diagnosis.paths import foreign, relative
from codeb_mcp.diagnosis.prefilter import LOCATION
from codeb_mcp.diagnosis.rules import Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

LINT, TEST, TYPE = IncidentType.LINT_ERROR, IncidentType.TEST_FAILURE, IncidentType.TYPE_ERROR

_FILE = r"(?P<file>(?:[A-Za-z]:[\\/])?[^\s:\"'<>|*?()\[\],]{1,300}\.[A-Za-z]\w{0,9})"
_PLACE = rf"{_FILE}(?::|\()(?P<line>\d{{1,8}})(?:[:,](?P<column>\d{{1,8}}))?\)?"
_RULE_AT_END = re.compile(r"\s*[\[(](?P<code>@?[A-Za-z][\w-]*(?:/[\w-]+)*[-/_\d][\w/-]*)[\])]$")
_CODE_FIRST = re.compile(
    r"(?:\[(?P<boxed>[\w./-]{2,40})\]|(?P<bare>[A-Z]{1,6}-?\d{2,6}))\s*:?\s+(?=\S)"
)
_ARROW = re.compile(
    rf"^\s*(?:-->|╭─\[?|┌─\[?|,-\[|=>|at|in)\s*{_FILE}:(?P<line>\d+)(?::(?P<column>\d+))?\]?"
)
_MILD = re.compile(r"\W*(?:warn(?:ing)?|note|info|hint|help|debug|notice|ok|passed)\b", re.I)


def _placed(sighting: Sighting) -> Finding | None:
    made = sighting.finding()
    if foreign(sighting.group("file") or "") or _MILD.match(made.message):
        return None
    if found := _CODE_FIRST.match(made.message):
        made.code, made.message = found["boxed"] or found["bare"], made.message[found.end() :]
    elif found := _RULE_AT_END.search(made.message):
        made.code, made.message = found["code"], _RULE_AT_END.sub("", made.message)
    made.type = kind_by_words(made.code, made.message, LINT if made.code else TYPE)
    return made


def _bare(sighting: Sighting) -> Finding | None:
    """A place and words, with no word of how bad it is: only where nothing else is known."""
    made = _placed(sighting)
    if made is None or not re.search(r"^(?!0x)\S*.*[a-z]{3}", made.message):
        return None
    made.weight = Weight.ROOT if made.code and looks_like_rule(made.code) else Weight.HINT
    return made


def _framed(sighting: Sighting) -> Finding | None:
    """`error: message`, and below it an arrow or a box with the place."""
    made = sighting.finding()
    for line in sighting.after(4):
        if found := _ARROW.match(line.text):
            if foreign(found["file"]):
                return None
            made.file, made.line = relative(found["file"]), int(found["line"])
            made.column = int(found["column"]) if found["column"] else None
            made.last, made.more = line.number, 5
            made.type = kind_by_words(made.code, made.message, TYPE)
            return made
    return None


def _test(sighting: Sighting) -> Finding | None:
    """A mark of failure and a test's name; what it said stands below, further in."""
    made = sighting.finding()
    if re.search(r"\b0 (?:failed|failures|errors)\b|^\W*$", made.message):
        return None
    if re.match(r"\s*[✗✘✖×]", sighting.line.text):
        if re.match(r"\[|\d+ |No |Build ", made.message):
            return None
        made.type = kind_by_words(None, made.message, TEST)
    said = [made.message]
    for line in sighting.after(12):
        if not line.text.startswith((" ", "\t")):
            break
        _told(made, said, line)
    made.message = ": ".join(said[:2])
    return made


def _told(made: Finding, said: list[str], line: Line) -> None:
    if len(said) < 2 and line.text.strip():
        said.append(line.text.strip())
    found = re.search(_PLACE, line.text)
    if found and made.file is None and not foreign(found["file"]):
        made.file, made.line = relative(found["file"]), int(found["line"])
        made.last = line.number


RULES: tuple[Rule, ...] = (
    rule(
        "compiler",
        TYPE,
        ("rror", "ERROR", "atal", "FATAL"),
        rf"^[^\w/.~@]{{0,4}}{_PLACE}\s*[:-]?\s*\W?(?:(?:[a-z]+ )?(?i:error|fatal(?: error)?))\b\W{{0,2}}\s*(?P<message>\S.+)$",
        _placed,
    ),
    rule(
        "compiler",
        TYPE,
        ("rror", "ERROR"),
        rf"^\W{{0,3}}(?i:error)\b(?:\[(?P<code>[\w./-]+)\])?:?\s+(?:in |at )?{_PLACE}\s*[:-]?\s+(?P<message>\S.+)$",
        _placed,
    ),
    rule(
        "compiler",
        TYPE,
        ("rror", "ERROR", "✖", "✘", "×"),
        r"^\W{0,3}(?i:error)?\s?(?:\[(?P<code>[\w./-]+)\])?\s*[:×✖✘]\s+(?P<message>\S.+)$",
        _framed,
    ),
    rule(
        "linter",
        LINT,
        (LOCATION,),
        rf"^[^\w/.~@]{{0,4}}{_PLACE}\s*[:-]?\s+(?P<message>\S.+)$",
        _bare,
    ),
    rule(
        "test",
        TEST,
        ("FAIL", "not ok", "✗", "✘", "✖", "×"),
        r"^\s*(?:\[?FAIL(?:ED|URE)?\]?|not ok(?: \d+)?(?: -)?|[✗✘✖×])[:\s]\s*(?P<message>\S.{2,300})$",
        _test,
        Weight.HINT,
    ),
)
