"""Type checkers, linters and formatters of Python."""

import re

from codeb_mcp.diagnosis.paths import foreign, relative
from codeb_mcp.diagnosis.prefilter import LOCATION
from codeb_mcp.diagnosis.rules import FILE, Finding, Rule, Sighting, rule
from codeb_mcp.domain.incident import IncidentType

TYPE, LINT, CONFIG, SYNTAX = (
    IncidentType.TYPE_ERROR,
    IncidentType.LINT_ERROR,
    IncidentType.CONFIG_ERROR,
    IncidentType.SYNTAX_ERROR,
)
_PY = r"(?P<file>(?:[A-Za-z]:)?[^\s:\"'<>|*?]{1,300}\.(?:pyi?|ipynb|pyx|md)(?::cell \d+)?)"
_AT = rf"{_PY}:(?P<line>\d+):(?P<column>\d+)"
_CODE_AT_END = re.compile(r"\s*[\[(](?P<code>[a-zA-Z][\w-]+)[\])]\s*$")
_FIXABLE = re.compile(r"^\[(?:\*|-\*)\] ")


def _wrapped(sighting: Sighting) -> Finding:
    """mypy --pretty and pyright break long messages; the code stands at their end."""
    made = sighting.finding()
    if made.code is None:
        said = [made.message]
        for line in sighting.after(8):
            text = line.text.strip()
            if (
                not text
                or re.match(rf"\S+:\d+|.*: (?:error|note):|{FILE}$", line.text)
                or set(text) <= set("^~ ")
            ):
                break
            said.append(text)
            if found := _CODE_AT_END.search(text):
                made.code = found["code"]
                made.message = _CODE_AT_END.sub("", " ".join(said))
                made.last = line.number
                break
    return made


def _coded(sighting: Sighting) -> Finding | None:
    made = sighting.finding()
    code = made.code or ""
    fixable = _FIXABLE.match(made.message)
    made.message = _FIXABLE.sub("", made.message)
    if code in {"E999", "E902", "invalid-syntax", "E0001"}:
        made.type = SYNTAX if code != "E902" else CONFIG
    # of the tools that print alike, Ruff alone quotes with backticks and says what it can fix
    ruff = fixable or "`" in made.message or code == "invalid-syntax"
    made.tool = "ruff" if ruff else _tool(code, sighting)
    return made


def _tool(code: str, sighting: Sighting) -> str:
    for line in sighting.before(40):
        if found := re.search(
            r"\b(ruff|flake8|pycodestyle|pylint|pydocstyle|prospector|pyflakes)\b", line.text
        ):
            return found[1]
    return "pylint" if re.fullmatch(r"[CRWEFI]\d{4}", code) else "flake8"


def _arrow(sighting: Sighting) -> Finding | None:
    """`F401 [*] message` or `error[rule]: message` above ` --> a.py:1:8`."""
    for line in sighting.before(3):
        found = re.match(
            r"^(?:(?P<severity>error|warning|ERROR|WARN)(?:\[(?P<code>[\w-]+)\])?:? )?(?P<rule>[A-Z]{1,4}\d{3,4}|invalid-syntax|unformatted|io-error)?:? ?(?P<message>.+)$",
            line.text.strip(),
        )
        if not found or not line.text.strip():
            continue
        code = found["code"] or found["rule"]
        made = sighting.finding(
            message=_FIXABLE.sub("", found["message"]), code=code, at=line.number, first=line.number
        )
        made.last, made.more = sighting.line.number, 8
        made.warning = (found["severity"] or "").lower() in {"warning", "warn"}
        if found["rule"] == "invalid-syntax":
            made.type, made.tool = SYNTAX, "ruff"
        elif found["rule"]:
            made.type, made.tool = LINT, "ruff"
        elif found["severity"] == "ERROR":
            made.tool = "pyrefly"
            if ending := _CODE_AT_END.search(made.message):
                made.code, made.message = ending["code"], _CODE_AT_END.sub("", made.message)
        elif code is None:
            return None
        return made
    return None


def _grouped(sighting: Sighting) -> Finding | None:
    for line in sighting.before(120):
        if found := re.match(rf"^{_PY}:$", line.text):
            made = sighting.finding(file=relative(found["file"]))
            made.message = _FIXABLE.sub("", made.message)
            made.type = SYNTAX if made.code == "invalid-syntax" else made.type
            return made
        if line.text.strip() and not re.match(r"\s+\d+:\d+", line.text):
            return None
    return None


def _pylint_text(sighting: Sighting) -> Finding:
    return _coded(sighting) or sighting.finding()


def _reformat(sighting: Sighting) -> Finding:
    return sighting.finding(message=sighting.line.text.strip())


def _docstyle(sighting: Sighting) -> Finding | None:
    for line in sighting.after(1):
        if found := re.match(r"\s+(?P<code>D\d{3}): (?P<message>.+)", line.text):
            return sighting.finding(code=found["code"], message=found["message"], last=line.number)
    return None


def _bare(sighting: Sighting) -> Finding | None:
    """pyflakes and flake8 with a format that leaves the code out; not `error:`, which others say."""
    message = sighting.group("message") or ""
    if re.match(
        r"(?:error|warning|note|fatal error|in |Warning|DeprecationWarning)\b|\w*Warning:|DEBUG|INFO",
        message,
    ):
        return None
    if foreign(sighting.group("file") or ""):
        return None
    return sighting.finding()


RULES: tuple[Rule, ...] = (
    rule(
        "black",
        SYNTAX,
        "annot parse",
        rf"^error: (?P<message>cannot parse: {FILE}:(?P<line>\d+):(?P<column>\d+).*)$",
    ),
    rule(
        "mypy",
        TYPE,
        "severity",
        r"^\{\"file\": \"(?P<file>[^\"]+)\", \"line\": (?P<line>\d+), \"column\": (?P<column>\d+),.*?\"message\": \"(?P<message>(?:[^\"\\]|\\.)*)\".*\"code\": \"?(?P<code>[\w-]+)\"?, \"severity\": \"error\"",
    ),
    rule(
        "pylint",
        LINT,
        ": [",
        rf"^{_PY}:(?P<line>\d+): \[(?P<code>[A-Z]{{1,4}}\d{{3,4}}|invalid-syntax)(?:\([\w-]+\))?(?:, ?[^\]]*)?\] (?P<message>.+)$",
        _coded,
    ),
    rule(
        "isort",
        LINT,
        "rrectly sorted",
        r"(?P<file>[^\s:]+\.pyi?):? (?P<message>Imports are incorrectly sorted.*)$",
    ),
    rule(
        "mypy",
        TYPE,
        "rror:",
        rf"^(?:\S+: )?{_PY}:(?P<line>\d+)(?::(?P<column>\d+))?(?::\d+:\d+)?: error: (?P<message>.+?)(?:\s+\[(?P<code>[a-z][\w-]+)\])?$",
        _wrapped,
    ),
    rule(
        "mypy",
        CONFIG,
        "rror:",
        rf"^{_PY}: error: (?P<message>(?:Source file found|Duplicate module).+)$",
    ),
    rule("mypy", CONFIG, "annot", r"^mypy: (?P<message>can't .+)$"),
    rule(
        "mypy",
        TYPE,
        'rror"',
        r"^\{\"file\": \"(?P<file>[^\"]+)\", \"line\": (?P<line>\d+), \"column\": (?P<column>\d+), \"message\": \"(?P<message>(?:[^\"\\]|\\.)*)\".*\"code\": \"?(?P<code>[\w-]+)\"?, \"severity\": \"error\"",
    ),
    rule(
        "pyright",
        TYPE,
        "rror:",
        rf"^\s*{_AT} - error: (?P<message>.+?)(?:\s+\((?P<code>report\w+)\))?$",
        _wrapped,
    ),
    rule(
        "pyrefly",
        TYPE,
        "ERROR ",
        rf"^\s*ERROR {_AT}(?:-[\d:]+)?: (?P<message>.+?) \[(?P<code>[\w-]+)\]$",
    ),
    rule(
        "pytype",
        TYPE,
        "rror",
        r"^File \"(?P<file>[^\"]+)\", line (?P<line>\d+), in \S+: (?P<message>.+) \[(?P<code>[\w-]*error[\w-]*)\]$",
    ),
    rule("pyre", TYPE, (LOCATION,), rf"^{_AT} (?P<message>[A-Z][\w ]+ \[(?P<code>\d+)\]: .+)$"),
    rule("ty", TYPE, (LOCATION,), rf"^\s*-->\s+{_AT}$", _arrow),
    rule("ty", TYPE, (LOCATION,), rf"^{_AT}: error\[(?P<code>[\w-]+)\]:? (?P<message>.+)$"),
    rule(
        "ruff",
        LINT,
        (LOCATION,),
        rf"^{_AT}: (?P<code>[A-Z]{{1,4}}\d{{2,5}}|invalid-syntax)(?:\(\w+\))?:? (?P<message>.+)$",
        _coded,
    ),
    rule("flake8", LINT, (LOCATION,), rf"^{_AT}:? (?P<message>.+)$", _bare),
    rule(
        "ruff",
        LINT,
        (LOCATION,),
        r"^\s+(?P<line>\d+):(?P<column>\d+)\s+(?P<code>[A-Z]{1,4}\d{3,4}|invalid-syntax):? (?P<message>.+)$",
        _grouped,
    ),
    rule("ruff", LINT, "Would", rf"^Would reformat: {FILE}$", _reformat),
    rule("black", LINT, "would reformat", rf"^would reformat {FILE}(?: .*)?$", _reformat),
    rule(
        "black",
        SYNTAX,
        "annot format",
        rf"^error: cannot format {FILE}: (?P<message>(?:Cannot parse(?: for target version \S+)?: (?P<line>\d+):(?P<column>\d+).*|.+))$",
    ),
    rule(
        "ruff",
        SYNTAX,
        "rror: Failed to parse",
        rf"^error: (?P<message>Failed to parse {FILE}:(?P<line>\d+):(?P<column>\d+): .+)$",
    ),
    rule(
        "ruff",
        CONFIG,
        "Failed",
        r"^(?:ruff failed|error: )?\s*(?:Cause: )?(?P<message>Failed to parse \S*(?:pyproject|ruff)\.toml.*)",
    ),
    rule(
        "isort",
        LINT,
        "ERROR: ",
        r"^ERROR: (?P<file>\S+\.pyi?) (?P<message>Imports are incorrectly sorted.*)$",
    ),
    rule(
        "pylint",
        LINT,
        "rror",
        rf"^{_PY}:(?P<line>\d+): \[(?P<code>[A-Z]\d{{3,4}})(?:\([\w-]+\))?, ?[^\]]*\] (?P<message>.+)$",
    ),
)
