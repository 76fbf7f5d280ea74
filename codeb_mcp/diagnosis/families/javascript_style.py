"""Biome, oxlint, Prettier, standard, commitlint, CSpell: linters with forms of their own."""

import re

from codeb_mcp.diagnosis.paths import relative
from codeb_mcp.diagnosis.prefilter import LOCATION
from codeb_mcp.diagnosis.rules import AT, FILE, Finding, Rule, Sighting, rule
from codeb_mcp.domain.incident import IncidentType

LINT, SYNTAX = IncidentType.LINT_ERROR, IncidentType.SYNTAX_ERROR


def _block(sighting: Sighting) -> Finding:
    """Biome: the message is the first line below that begins with a cross."""
    made = sighting.finding(message=sighting.line.text.strip())
    for line in sighting.after(12):
        text = line.text.strip()
        if text.startswith(("✖", "×", "!", "i ", "ℹ", "✘", "x ")):
            made.message = text.lstrip("✖×!ℹ✘x ").strip()
            made.last, made.more = line.number, 8
            made.warning = text.startswith(("!", "i ", "ℹ"))
            break
    if made.code is None and (
        found := re.search(r"\b(format|organizeImports|parse|assist/\S+)\b", sighting.line.text)
    ):
        made.code = found[1]
    return made


def _boxed(sighting: Sighting) -> Finding | None:
    """oxlint and SWC: `╭─[src/a.js:1:1]` below the message."""
    made = sighting.finding()
    for line in sighting.after(5):
        if found := re.search(rf"[╭,][-─]+\[ ?{AT} ?\]", line.text):
            made.file, made.line = relative(found["file"]), int(found["line"][:8])
            made.column = int(found["column"][:8]) if found["column"] else None
            made.last, made.more = line.number, 3
            return made
    return None


def _unformatted(sighting: Sighting) -> list[Finding]:
    """Prettier lists the files, then says what is wrong with all of them."""
    made = []
    for line in sighting.before(200):
        found = re.match(r"\[(?:warn|error)\] (?P<file>\S.*\.\w+)$", line.text)
        if not found:
            if line.text.startswith("["):
                continue
            break
        made.append(
            sighting.finding(
                file=relative(found["file"]),
                at=line.number,
                first=line.number,
                message="is not formatted (prettier --check)",
            )
        )
    return made[::-1] or [sighting.finding()]


def _biome_file(sighting: Sighting) -> Finding | None:
    for line in sighting.before(4):
        if found := re.match(
            rf"{FILE}(?::(?P<line>\d+):\d+)? (?P<code>format|organizeImports|assist/\S+|check|lint\S*)\b",
            line.text,
        ):
            made = sighting.finding(
                file=relative(found["file"]), code=found["code"], first=line.number
            )
            made.last, made.more = sighting.line.number, 8
            return made
    return None


def _listed(sighting: Sighting) -> list[Finding] | None:
    """Biome's summary: the files below, `- src/a.js (1 error, 2 warnings)`."""
    made = []
    for line in sighting.after(200):
        found = re.match(r"\s*- (?P<file>\S+)(?: \((?P<count>.+)\))?$", line.text)
        if not found:
            if line.text.strip():
                break
            continue
        one = sighting.finding(file=relative(found["file"]), at=line.number, first=line.number)
        one.warning = bool(found["count"]) and "error" not in found["count"]
        one.last = line.number
        made.append(one)
    return made or None


RULES: tuple[Rule, ...] = (
    rule("biome", SYNTAX, "rrors", r"ℹ (?P<message>.*files have parsing errors):$", _listed),
    rule("biome", LINT, "violat", r"ℹ (?P<message>.*files have violations):$", _listed),
    rule(
        "oxlint",
        LINT,
        "rror/",
        rf"^\s*{AT}: (?P<message>.+?) \[Error/(?P<code>[\w@/-]+\([\w@/-]+\))\]$",
    ),
    rule(
        "biome",
        LINT,
        (LOCATION,),
        rf"^{AT} (?P<code>(?:lint|assist|suppressions|plugin)/?\S*)(?:\s|$)",
        _block,
    ),
    rule("biome", SYNTAX, (LOCATION,), rf"^{AT} (?P<code>parse|syntax)\b", _block),
    rule(
        "biome",
        LINT,
        (" would ", "would have"),
        r"(?:×|✖) (?P<message>(?:Formatter would have printed|The imports and exports are not sorted|Import statements could be|File content differs).*)",
        _biome_file,
    ),
    rule(
        "biome",
        LINT,
        "rror",
        r"(?:×|✖) (?P<message>(?:The imports and exports are not sorted|Import statements could).*)",
        _biome_file,
    ),
    rule("oxlint", LINT, ("×",), r"^\s*× (?P<code>[\w@/-]+\([\w@/-]+\)): (?P<message>.+)", _boxed),
    rule(
        "prettier",
        LINT,
        ("annot", " issues", "would"),
        r"^\[?(?:warn|error)?\]? ?(?P<message>Code style issues (?:found|were).*)",
        _unformatted,
    ),
    rule(
        "prettier",
        SYNTAX,
        "rror",
        r"^\[error\] (?P<file>\S.*?\.\w+): (?:SyntaxError|CssSyntaxError|Error): (?P<message>.+?)(?: \((?P<line>\d+):(?P<column>\d+)\))?$",
    ),
    rule(
        "standard",
        LINT,
        (LOCATION,),
        r"^\s{2}(?P<file>/?[^\s:]+\.(?:[cm]?[jt]sx?|vue)):(?P<line>\d+):(?P<column>\d+): (?P<message>.+?)(?: \((?P<code>[\w@/.-]+)\))?$",
    ),
    rule("commitlint", LINT, "✖", r"^✖\s+(?P<message>[a-z].+?) \[(?P<code>[\w-]+)\]$"),
    rule("cspell", LINT, "Unknown", rf"^{AT} - (?P<message>Unknown word .+)"),
)
