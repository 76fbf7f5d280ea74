"""Node, Deno and Bun themselves: an exception that nobody caught."""

import re

from codeb_mcp.diagnosis.frames import first_own, javascript
from codeb_mcp.diagnosis.paths import foreign, relative
from codeb_mcp.diagnosis.rules import AT, Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

UNKNOWN, IMPORT, SYNTAX = IncidentType.UNKNOWN, IncidentType.IMPORT_ERROR, IncidentType.SYNTAX_ERROR
TYPE, CONFIG = IncidentType.TYPE_ERROR, IncidentType.CONFIG_ERROR

_KINDS = (
    (
        re.compile(
            r"Cannot find (?:module|package)|ERR_MODULE_NOT_FOUND|ERR_PACKAGE_PATH_NOT_EXPORTED|ERR_REQUIRE_ESM|does not provide an export|ERR_UNSUPPORTED_DIR_IMPORT"
        ),
        IMPORT,
    ),
    (
        re.compile(r"^(?:Uncaught )?SyntaxError|Unexpected token|Cannot use import statement"),
        SYNTAX,
    ),
    (re.compile(r"^(?:Uncaught )?(?:TypeError|ReferenceError|RangeError)"), TYPE),
    (
        re.compile(
            r"[Cc]onfig|environment variable|env\b|ERR_OSSL_EVP_UNSUPPORTED|Unknown option|ERR_UNKNOWN_FILE_EXTENSION"
        ),
        CONFIG,
    ),
)


def _uncaught(sighting: Sighting) -> Finding | None:
    """An error's name and message with a stack below, or with `file:line` and the code above."""
    frames = [place for line in sighting.after(14) if (place := javascript(line))]
    made = sighting.finding()
    above = None
    for line in sighting.before(6):
        if found := re.match(rf"^(?:Uncaught Exception:)?(?:file://)?{AT}$", line.text.strip()):
            above = (line, found)
            break
    own = first_own(frames)
    message = sighting.line.text.strip()
    made.type = next((kind for pattern, kind in _KINDS if pattern.search(message)), UNKNOWN)
    if (
        above
        and (made.type is SYNTAX or not own or own.foreign)
        and not foreign(above[1]["file"])
        and "node:" not in above[0].text
    ):
        made.file, made.line = relative(above[1]["file"]), int(above[1]["line"][:8])
        made.first = above[0].number
    elif own and not own.foreign:
        made.file, made.line, made.column = own.file, own.line, own.column
    imported = re.search(r"imported from (?P<file>\S+\.\w+)", message)
    if imported and made.file is None and not foreign(imported["file"]):
        made.file = relative(imported["file"].strip("'\""))
    for line in sighting.after(12):
        if (
            (found := re.match(r"\s*- (?P<file>/\S+\.\w+)$", line.text))
            and made.file is None
            and made.type is IMPORT
            and not foreign(found["file"])
        ):
            made.file = relative(found["file"])
    if made.file is None and not frames:
        return None
    if made.type is UNKNOWN and made.file is None:
        made.weight = Weight.HINT
    made.code = made.code or _code(sighting)
    made.last = frames[-1].at if frames else made.at + 1
    return made


def _code(sighting: Sighting) -> str | None:
    found = re.search(r"\[(ERR_[A-Z_]+)\]", sighting.line.text)
    if found:
        return found[1]
    for line in sighting.after(20):
        if found := re.match(r"\s+code: '([A-Z_0-9]+)'", line.text):
            return found[1]
    return None


RULES: tuple[Rule, ...] = (
    rule(
        "node",
        CONFIG,
        "rror:0308010C",
        r"(?P<message>error:0308010C:digital envelope routines::unsupported)",
    ),
    rule(
        "node",
        UNKNOWN,
        "rror",
        r"^\s{0,2}(?:Uncaught |Exception during run: )?(?:\[?[A-Z]\w*Error(?: \[\w+\])?|Error(?: \[\w+\])?): (?P<message>.+)$",
        _uncaught,
        Weight.SUMMARY,
    ),
)
