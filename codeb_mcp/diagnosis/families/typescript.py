"""Type checkers of JavaScript: tsc and all that run it (Next, Vue, Svelte, Astro, Angular), Flow."""

from codeb_mcp.diagnosis.rules import AT, FILE, Finding, Rule, Sighting, rule
from codeb_mcp.domain.incident import IncidentType

TYPE, CONFIG = IncidentType.TYPE_ERROR, IncidentType.CONFIG_ERROR


def _with_body(sighting: Sighting) -> Finding:
    """A diagnostic, with the indented lines and the code frame that follow it."""
    made = sighting.finding()
    for line in sighting.after(14):
        if (
            line.text.strip()
            and not line.text.startswith((" ", "\t"))
            and not line.text[0].isdigit()
        ):
            break
        if line.text.strip():
            made.last = line.number
    made.warning = sighting.group("severity") == "warning"
    return made


def _place_before(sighting: Sighting) -> Finding | None:
    """`./app/page.tsx:3:9` on the line before `Type error: …`."""
    made = sighting.finding()
    for line in sighting.before(4):
        if found := _PLACE.pattern.match(line.text.strip()):
            place = Sighting(sighting.rule, sighting.window, line, found).finding()
            made.file, made.line, made.column = place.file, place.line, place.column
            made.first = line.number
            break
    made.last = next((line.number for line in sighting.after(12) if not line.text.strip()), made.at)
    if not made.file:
        return None
    made.last = max(
        [made.at, *(line.number for line in sighting.after(14) if line.text[:1] in " >\t")]
    )
    return made


def _file_after(sighting: Sighting) -> Finding | None:
    made = sighting.finding()
    for line in sighting.after(6):
        if found := _PLACE_AFTER.pattern.match(line.text.strip()):
            place = Sighting(sighting.rule, sighting.window, line, found).finding()
            made.file, made.line, made.column = place.file, place.line, place.column
            made.last = line.number
            return made
    return None


def _code_after(sighting: Sighting) -> Finding | None:
    """`[tsl] ERROR in a.ts(3,5)` or `ERROR in a.ts:3:5`, and below it `TS2322: …`."""
    for line in sighting.after(2):
        if found := _CODE.pattern.match(line.text):
            return sighting.finding(code=found["code"], message=found["message"], last=line.number)
    return None


_PLACE = rule("", TYPE, (), rf"(?:ERROR in )?{AT}$")
_PLACE_AFTER = rule("", TYPE, (), rf"(?:FILE\s+|at )?(?:file://)?{AT}$")
_CODE = rule("", TYPE, (), r"\s*(?:\[tsl\] )?(?:ERROR )?(?P<code>TS\d+): (?P<message>.+)")


def _line_after(sighting: Sighting) -> Finding | None:
    for line in sighting.after(2):
        words = line.text.rsplit("  ", 1)
        if line.text.strip():
            code = words[-1].strip() if words[-1].strip().startswith("TS") else None
            return sighting.finding(message=words[0].strip(), code=code, last=line.number)
    return None


def _flow(sighting: Sighting) -> Finding | None:
    for line in sighting.after(3):
        if line.text.strip():
            message, _, code = line.text.strip().rpartition(" [")
            return sighting.finding(
                message=message or line.text,
                code=code.rstrip("]") if message else None,
                last=line.number,
            )
    return None


RULES: tuple[Rule, ...] = (
    rule(
        "tsc",
        TYPE,
        "rror TS",
        rf"(?:^|[\s\]]){FILE}\((?P<line>\d+),(?P<column>\d+)\): (?P<severity>error|warning) (?P<code>TS\d+): (?P<message>.+)",
        _with_body,
        within=True,
    ),
    rule(
        "tsc",
        TYPE,
        "rror TS",
        rf"(?:^|[\s(]){AT} - (?P<severity>error) (?P<code>TS-?\d+): (?P<message>.+)",
        _with_body,
        within=True,
    ),
    rule(
        "astro",
        TYPE,
        "rror",
        rf"^{AT} - (?P<severity>error|warning) (?P<code>ts\(\d+\)|astro\(\d+\)): (?P<message>.+)",
        _with_body,
    ),
    rule(
        "deno",
        TYPE,
        "[ERROR]",
        r"^(?:error: )?(?P<code>TS\d+) \[ERROR\]: (?P<message>.+)",
        _file_after,
    ),
    rule(
        "tsc",
        CONFIG,
        "rror TS",
        r"^(?:error|.{0,40}ERROR.{0,20}) ?(?P<code>TS\d+): (?P<message>.+)",
    ),
    rule("next", TYPE, "ype error", r"^\s*Type error: (?P<message>.+)", _place_before),
    rule(
        "ts-loader",
        TYPE,
        "ERROR in ",
        rf"ERROR in {FILE}\((?P<line>\d+),(?P<column>\d+)\):?$",
        _code_after,
    ),
    rule("fork-ts-checker", TYPE, "ERROR in ", rf"^ERROR in {AT}$", _code_after),
    rule(
        "ts-loader",
        TYPE,
        "rror in ",
        rf"TypeScript error in {FILE}\((?P<line>\d+),(?P<column>\d+)\):$",
        _line_after,
    ),
    rule(
        "rollup",
        TYPE,
        "rror",
        rf"\[plugin typescript\] {FILE} \((?P<line>\d+):(?P<column>\d+)\): (?:@rollup/plugin-typescript )?(?P<code>TS\d+): (?P<message>.+)",
        _with_body,
    ),
    rule(
        "rollup",
        TYPE,
        "rror",
        r"@rollup/plugin-typescript (?P<code>TS\d+): (?P<message>.+)",
        _file_after,
    ),
    rule(
        "vite-plugin-checker",
        TYPE,
        "ERROR(",
        r"ERROR\((?:TypeScript|vue-tsc)\)\s+(?P<message>.+)",
        _file_after,
    ),
    rule(
        "svelte-check",
        TYPE,
        "rror",
        r"^Error: (?P<message>.+?)(?: \((?:ts|js|svelte|css)\))?$",
        _place_before,
    ),
    rule(
        "svelte-check",
        TYPE,
        "ERROR",
        r"^\d{6,} ERROR \"(?P<file>[^\"]+)\" (?P<line>\d+):(?P<column>\d+) \"(?P<message>.+)\"$",
    ),
    rule("flow", TYPE, "rror -", rf"^Error -{{5,}} {AT}$", _flow),
)
