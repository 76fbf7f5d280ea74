"""ESLint in its formatters, and the linters that print like it; Biome, oxlint, Prettier, Stylelint."""

import re

from codeb_mcp.diagnosis.paths import relative
from codeb_mcp.diagnosis.prefilter import LOCATION
from codeb_mcp.diagnosis.rules import AT, FILE, Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

LINT, CONFIG, SYNTAX = IncidentType.LINT_ERROR, IncidentType.CONFIG_ERROR, IncidentType.SYNTAX_ERROR

_ROW = re.compile(
    r"^\s*(?P<line>\d+):(?P<column>\d+)\s+(?:(?P<severity>error|warning|Error|Warning|✖|✘|×|⚠|ℹ|warn|info|suggestion|\u2716)(?::|\s))?\s*"
    r"(?P<message>\S.*?)(?:\s{2,}(?P<code>[\w@/.:-]+)|\s+\((?P<code2>[\w@/.-]+)\))?$"
)
_HEADER = re.compile(
    r"^(?:[>\s]{0,3})(?P<file>(?:[A-Za-z]:)?[^:*?\"<>|]{1,400}\.\w{1,12}|\S*/\S+|\.?[A-Z]\w+file)(?::(?P<line>\d+):\d+)?$"
)


def _rows_file(sighting: Sighting) -> tuple[str, int] | None:
    """The name of the file above rows like `  3:5  error  …`, and its line in the log."""
    for line in sighting.before(400):
        text = line.text.rstrip()
        if not text.strip() or _ROW.match(text):
            continue
        if found := _HEADER.match(text):
            return found["file"], line.number
        if not text.startswith((" ", "\t")):
            return None
    return None


def _row(sighting: Sighting) -> Finding | None:
    match = _ROW.match(sighting.line.text)
    place = _rows_file(sighting) if match else None
    if not match or not place:
        return None
    severity = (match["severity"] or "error").lower()
    code = match["code"] or match["code2"]
    made = sighting.finding(
        file=relative(place[0]),
        line=int(match["line"][:8]),
        column=int(match["column"][:8]),
        message=match["message"],
        code=code,
    )
    made.tool = _row_tool(code, match)
    made.warning = severity in {"warning", "⚠", "warn", "info", "ℹ", "suggestion"}
    if sighting.line.number - place[1] <= 6:
        made.first = place[1]
    return made


def _row_tool(code: str | None, match: re.Match[str]) -> str:
    if match["code2"]:
        return "yamllint"
    if (
        match["severity"] in {"✖", "×", "✘"}
        and code
        and "/" not in code
        and code in _STYLELINT_NAMES
    ):
        return "stylelint"
    return "eslint"


_STYLELINT_NAMES = frozenset(
    (
        "block-no-empty",
        "color-no-invalid-hex",
        "declaration-block-no-duplicate-properties",
        "length-zero-no-unit",
        "shorthand-property-no-redundant-values",
        "selector-class-pattern",
        "property-no-unknown",
        "unit-no-unknown",
        "no-descending-specificity",
        "no-duplicate-selectors",
        "color-hex-length",
        "alpha-value-notation",
        "font-family-no-missing-generic-family-keyword",
        "no-empty-source",
        "at-rule-no-unknown",
        "selector-type-no-unknown",
        "declaration-empty-line-before",
        "rule-empty-line-before",
        "comment-empty-line-before",
        "value-keyword-case",
    )
)


def _warnings_above(sighting: Sighting) -> list[Finding]:
    """All rows above a summary: with no errors, and a limit on warnings, they are the failure."""
    made = []
    for line in sighting.before(150):
        match = _ROW.match(line.text)
        if not match:
            continue
        above = Sighting(sighting.rule, sighting.window, line, match)
        if each := _row(above):
            each.warning = True
            made.append(each)
    return made[::-1]


def _tap(sighting: Sighting) -> list[Finding] | None:
    """ESLint's tap formatter: a YAML block with `ruleId:` below `not ok 1 - file`."""
    made = []
    current: dict[str, str] = {}
    for line in sighting.after(300):
        text = line.text.strip()
        if text.startswith(("not ok", "ok ", "...", "TAP version")):
            break
        name, _, value = text.removeprefix("- ").partition(": ")
        current[name] = _yaml(value)
        if name == "message":
            current |= {"at": str(line.number)}
        if name == "ruleId":
            made.append(_tapped(sighting, current, line.number))
    return made or None


def _tapped(sighting: Sighting, current: dict[str, str], last: int) -> Finding:
    line, column = current.get("line", ""), current.get("column", "")
    at = int(current.get("at", sighting.line.number))
    return sighting.finding(
        file=relative(sighting.group("file") or ""),
        message=current.get("message", ""),
        code=current["ruleId"] or None,
        line=int(line) if line.isdigit() else None,
        column=int(column) if column.isdigit() else None,
        warning=current.get("severity") == "warning",
        at=at,
        first=at,
        last=last,
    )


def _yaml(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text.strip('"')


def _under_header(sighting: Sighting) -> Finding | None:
    for line in sighting.before(60):
        if re.match(r"\s+Line \d+:", line.text) or not line.text.strip():
            continue
        if found := _HEADER.match(line.text.strip()):
            return sighting.finding(file=relative(found["file"]))
        return None
    return None


RULES: tuple[Rule, ...] = (
    rule(
        "stylelint", LINT, "rror]", rf"^\s*{AT}: (?P<message>.+?) \((?P<code>[\w/-]+)\) \[error\]$"
    ),
    rule(
        "eslint",
        LINT,
        (LOCATION,),
        rf"^\s*{FILE}: ?line (?P<line>\d+), col(?:umn)? (?P<column>\d+), (?P<severity>Error|error) - (?P<message>.+?)(?: ?\((?P<code>[\w@/.-]+)\))?\.?$",
    ),
    rule(
        "eslint",
        LINT,
        "rror - ",
        rf"^\s*{FILE}: ?line (?P<line>\d+), col(?:umn)? (?P<column>\d+), (?P<severity>Error|error) - (?P<message>.+?)(?: ?\((?P<code>[\w@/.-]+)\))?\.?$",
    ),
    rule("eslint", LINT, "rror/", rf"^\s*{AT}: (?P<message>.+?) \[Error/(?P<code>[\w@/.-]+)\]$"),
    rule("eslint", LINT, "[Error]", rf"^\s*{AT}: (?P<message>.+?) \[Error\]$"),
    rule(
        "eslint",
        LINT,
        ("rror ",),
        rf"^\s*{FILE}\((?P<line>\d+),(?P<column>\d+)\): error (?:(?P<code>[a-z@][\w@/-]*) )?: (?P<message>.+)$",
    ),
    rule(
        "eslint",
        LINT,
        "rror: ",
        rf"^\s*error: (?P<message>.+?)(?: \((?P<code>[\w@/-]+)\))? at {AT}:?$",
    ),
    rule(
        "eslint",
        LINT,
        ("rror  ", "rror:  ", "rror: ", "rror ", "✖", "✘", "×", "\u2716"),
        r"^\s*\d+:\d+\s+(?:error|Error|✖|✘|×|\u2716)(?::|\s)",
        _row,
        within=True,
    ),
    rule(
        "eslint",
        LINT,
        ("roblems", "roblem "),
        r"^\s*(?:✖|\u2716|×) \d+ problems? \(0 errors, [1-9]",
        _warnings_above,
    ),
    rule(
        "eslint",
        LINT,
        "roblem",
        r"^\s*\d+ problems?$|^\s*[✖×]? ?\d+ problems? \(",
        _warnings_above,
        Weight.HINT,
        within=True,
    ),
    rule(
        "eslint",
        LINT,
        "annot",
        r"^ESLint found too many warnings \(maximum: \d+\)",
        _warnings_above,
    ),
    rule("eslint", LINT, "not ok", r"^not ok \d+ - (?P<file>\S*[/\\.]\S+\.\w+)$", _tap),
    rule(
        "eslint",
        LINT,
        (LOCATION,),
        r"^\s+Line (?P<line>\d+):(?P<column>\d+):\s+(?P<message>.+?)(?:\s{2,}(?P<code>[\w@/.-]+))?$",
        _under_header,
    ),
    rule(
        "eslint",
        LINT,
        ("rror ", "fatal "),
        rf"^(?:error|fatal)\s{{2,}}(?:(?P<code>[\w@/-]+)\s{{2,}})?(?P<message>\S.{{0,500}}?)\s{{2,}}{AT}$",
    ),
    rule(
        "eslint",
        CONFIG,
        "ould not",
        r"(?:ESLint )?(?:couldn't find|could not find) (?:an? |the )?(?P<message>(?:eslint|ESLint|config|plugin).*)",
    ),
    rule("eslint", CONFIG, "annot", r"(?P<message>ESLint couldn't find .*)"),
    rule(
        "eslint",
        CONFIG,
        "rror: ",
        r"Error: (?P<message>(?:Failed to load (?:plugin|config|parser) .+|ESLint configuration (?:in .{1,200} )?is invalid.*|Could not find \"[\w-]+\" in plugin .+|Key \"(?:rules|languageOptions|plugins)\".*))",
    ),
    rule(
        "tslint",
        LINT,
        "ERROR: ",
        rf"^ERROR: (?:\((?P<code>[\w-]+)\) )?{FILE}[:\[](?P<line>\d+)[:,] ?(?P<column>\d+)\]?(?: -|:) (?P<message>.+)",
    ),
    rule(
        "jshint",
        LINT,
        "rror",
        rf"^{FILE}: line (?P<line>\d+), col (?P<column>\d+), (?P<message>.+?)(?: \((?P<code>[EW]\d+)\))?$",
    ),
)
