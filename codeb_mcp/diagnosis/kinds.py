"""What kind of failure a diagnostic is, told by its code and its words alone."""

import re

from codeb_mcp.domain.incident import IncidentType

TYPE, LINT = IncidentType.TYPE_ERROR, IncidentType.LINT_ERROR
SYNTAX, IMPORT = IncidentType.SYNTAX_ERROR, IncidentType.IMPORT_ERROR
VULN, TEST = IncidentType.SECURITY_VULN, IncidentType.TEST_FAILURE
DEPENDENCY = IncidentType.DEPENDENCY_ERROR

UNNAMED = frozenset(("compiler", "linter", "test"))
"""What tools are called whose own names are not known."""

_CODES: tuple[tuple[re.Pattern[str], IncidentType, str | None], ...] = tuple(
    (re.compile(pattern), kind, tool)
    for pattern, kind, tool in (
        (r"TS1\d{3}$", SYNTAX, "tsc"),
        (r"TS2(?:307|792|305|732|834|835)$|TS7016$", IMPORT, "tsc"),
        (r"TS\d{4,5}$", TYPE, "tsc"),
        (r"E0(?:432|433|583)$", IMPORT, "rustc"),
        (r"E0\d{3}$", TYPE, "rustc"),
        (r"clippy::", LINT, "clippy"),
        (r"CS\d{4}$", TYPE, "csc"),
        (r"invalid-syntax$", SYNTAX, "ruff"),
        (r"parse$", SYNTAX, "biome"),
        (r"E999$|E9\d\d$|syntax-error$|Lint/Syntax$|PARSE_ERROR$", SYNTAX, None),
        (r"report[A-Z]\w*Import\w*$|import-not-found$|import-untyped$", TYPE, None),
        (r"report[A-Z]\w+$", TYPE, "pyright"),
        (r"lint/|assist/|format$|organizeImports$", LINT, "biome"),
        (r"(?:GHSA|CVE|PYSEC|RUSTSEC|GO|AVD)-", VULN, None),
        (r"SC\d{4}$", LINT, "shellcheck"),
        (r"DL\d{4}$", LINT, "hadolint"),
        (r"MD\d{3}", LINT, "markdownlint"),
        (r"typecheck$", TYPE, "golangci-lint"),
        (r"[A-Z]{1,4}\d{3,4}$", LINT, "ruff"),
    )
)  # fmt: skip
_WORDS: tuple[tuple[re.Pattern[str], IncidentType], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"^(?:Syntax ?[Ee]rror|SyntaxError|Parse error)\b|^CssSyntaxError", SYNTAX),
        (r"\b(?:GHSA(?:-[0-9a-z]{4}){3}|CVE-\d{4}-\d{4,7})\b", VULN),
        (r"^Module not found: |^Cannot find (?:module|package) '|^No module named ", IMPORT),
        (r"^(?:\S*Module parse failed|Module build failed)", SYNTAX),
        (r"^TS\d{4,5}: ", TYPE),
    )
)


def kind_of(
    code: str | None, message: str, otherwise: IncidentType
) -> tuple[IncidentType, str | None]:
    """The kind, and the tool where the code gives it away."""
    for pattern, kind, tool in _CODES:
        if code and pattern.match(code):
            return kind, tool
    for words, kind in _WORDS:
        if words.search(message):
            return kind, None
    return otherwise, None


_SPEECH: tuple[tuple[re.Pattern[str], IncidentType], ...] = tuple(
    (re.compile(words, re.I), kind)
    for words, kind in (
        (r"\bsyntax|\bparse[rd]? error|unexpected (?:token|character|end|eof|symbol|indent|identifier|keyword|\S{1,3}$)|expected (?!type\b|value\b|argument).{1,40}(?:found|but got|before|after)|unterminated|unclosed|missing (?:semicolon|closing)|invalid (?:character|token)|mismatched input", SYNTAX),
        (r"(?:cannot|can't|could not|couldn't|unable to|failed to) (?:find|resolve|load|import|locate) (?:module|package|import|file|crate|library|dependency|unit)|(?:no such|unknown|unresolved|missing) (?:module|import|package)|(?:module|package|import|file) .{0,80}not found|file not found|cannot open (?:source|include)", IMPORT),
        (r"resolving dependencies|lock ?file|No solution found|no matching (?:version|package)|version .{1,60} not found|requirements are unsatisfiable|peer dependenc", DEPENDENCY),
        (r"\bassert|expected:? .{0,80}(?:\bgot\b|\bbut was\b|\breceived\b|\bactual\b)|test failed|should (?:equal|be|have)", TEST),
        (r"\btypes?\b|not assignable|incompatible|mismatch|undeclared|undefined|not defined|no (?:member|method|property|overload|function)|does not exist|has no |cannot (?:assign|convert|infer|apply|use|call)|not a function|unknown (?:name|identifier|variable|function|symbol)|not in scope|ambiguous|redefin|duplicate|argument|return", TYPE),
    )
)  # fmt: skip


def kind_by_words(code: str | None, message: str, otherwise: IncidentType) -> IncidentType:
    """The kind that the words speak of; what has a rule's name is a linter's."""
    kind, _ = kind_of(code, message, IncidentType.UNKNOWN)
    if kind is not IncidentType.UNKNOWN:
        return kind
    for words, each in _SPEECH:
        if words.search(message) and not (code and each is TYPE and looks_like_rule(code)):
            return each
    return otherwise


def looks_like_rule(code: str) -> bool:
    """Whether a code is named as linters name their rules."""
    return bool(re.fullmatch(r"@?[a-z][\w-]*(?:[/-][\w-]+)+|[A-Z]\w+/\w+", code))
