"""What kind of failure a diagnostic is, told by its code and its words alone."""

import re

from codeb_mcp.domain.incident import IncidentType

TYPE, LINT = IncidentType.TYPE_ERROR, IncidentType.LINT_ERROR
SYNTAX, IMPORT = IncidentType.SYNTAX_ERROR, IncidentType.IMPORT_ERROR
VULN, TEST = IncidentType.SECURITY_VULN, IncidentType.TEST_FAILURE

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
