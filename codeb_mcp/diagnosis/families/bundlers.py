"""Bundlers and compilers of JavaScript: webpack, Vite, Rollup, esbuild, SWC, Babel, Next, Parcel."""

import re
from itertools import pairwise

from codeb_mcp.diagnosis.frames import marked_line
from codeb_mcp.diagnosis.lines import Line
from codeb_mcp.diagnosis.paths import foreign, relative
from codeb_mcp.diagnosis.rules import AT, FILE, Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

IMPORT, SYNTAX = IncidentType.IMPORT_ERROR, IncidentType.SYNTAX_ERROR
TYPE, CONFIG, LINT = IncidentType.TYPE_ERROR, IncidentType.CONFIG_ERROR, IncidentType.LINT_ERROR

MISSING = re.compile(
    r"Module not found|Cannot find module|Can't resolve|ould not resolve|Could not load|No matching export|is not exported by|"
    r"Failed to resolve|[Ee]xport .{1,80} (?:was not found|doesn't exist)|Attempted import error|failed to resolve|does not provide an export"
    r"|ENOENT: no such file|Unable to resolve|Missing \".+\" specifier|Cannot resolve dependency"
)
_TS = re.compile(r"\b(?P<code>TS-?\d{4,})\b:? ?(?P<message>.*)")
_CODED = re.compile(r"^\s*\[(?P<code>[A-Z]+(?:_[A-Z]+)+)\] (?P<message>.+)$")
_SYNTAX = re.compile(
    r"SyntaxError|Syntax [Ee]rror|Unexpected|Expected|Unterminated|Parse (?:error|failure)|Module parse failed|PARSE_ERROR|parse error|Invalid|Transform failed|Missing semicolon|has already been declared|Unknown word"
)
_PLACES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"[╭,][-─]+\[ ?{AT} ?\]",
        rf"^\s*(?:file|File|id): {AT}(?:$|\s)",
        r"^\s*(?:>\s*)?(?P<file>(?:\.{0,2}/)?[^\s:()]+\.\w{1,8}) \((?P<line>\d+):(?P<column>\d+)\)",
        r"(?:SyntaxError|Error|error): (?:\[.{1,60}\] )?(?P<file>/?[^\s:()]+\.\w{1,8}): .{0,200}\((?P<line>\d+):(?P<column>\d+)\)",
        r"^\s*(?:@ |at )?(?P<file>\.{0,2}/[^\s:]+\.\w{1,8}):? (?P<line>\d+):(?P<column>\d+)",
        rf"^\s*{AT}:?(?:$|\s| ERROR)",
        r"^\s*(?:file|File|id): (?P<file>\S+\.\w+)(?P<line>)(?P<column>)$",
        rf"\({AT}\)?$",
    )
)
_BOX = re.compile(r"[╭,][-─]+\[")
_FROM = re.compile(
    r"(?:from|in|by|imported by) ['\"]?(?P<file>(?:\.{0,2}/)?[^\s'\":]+\.\w{1,8})['\"]?"
)
_NEXT_FILE = re.compile(r"^(?P<file>\.{1,2}/\S+\.\w{1,8})(?::(?P<line>\d+):(?P<column>\d+))?$")


def place(made: Finding, lines: list[Line]) -> Finding:
    """Fill in the first place that the lines name, the project's before a dependency's."""
    found = [
        (line, match)
        for line in lines
        if not line.text.lstrip().startswith("at ")
        for pattern in _PLACES
        if (match := pattern.search(line.text))
    ]
    own = [each for each in found if not foreign(each[1]["file"])]
    for line, match in own or found:
        made.file = relative(match["file"])
        made.line = int(match["line"][:8]) if match["line"] else made.line
        made.column = int(match["column"][:8]) if match["column"] else None
        made.last = max(made.last, line.number)
        if made.column == 1 and _BOX.search(line.text):
            made.line = _under_caret(lines, line) or made.line
        break
    if made.line is None:
        made.line = next((number for number in map(marked_line, lines) if number), None)
    return made


def _under_caret(lines: list[Line], head: Line) -> int | None:
    """SWC may name the first line that it shows; the one with the caret below is meant."""
    shown = None
    for line in lines[lines.index(head) + 1 :][:14]:
        if row := re.match(r"\s*(\d{1,8})\s*[│|]", line.text):
            shown = int(row[1])
        elif re.match(r"\s*[:·]\s.*[\^─┬]", line.text):
            return shown
    return None


def kind(made: Finding, text: str) -> Finding:
    """What sort of error a bundler's message is."""
    if found := _TS.search(text):
        made.type, made.code = TYPE, found["code"]
        made.message = found["message"] or made.message
    elif MISSING.search(text):
        made.type = IMPORT
    elif _SYNTAX.search(text):
        made.type = SYNTAX
    return made


def _paragraph(sighting: Sighting, count: int, blanks: int = 3) -> list[Line]:
    lines: list[Line] = []
    empty = 0
    for line in sighting.after(count):
        empty = 0 if line.text.strip() else empty + 1
        if empty >= blanks or re.match(
            r"(?:ERROR|WARNING) in |\S* ?\[(?:ERROR|WARNING)\]|webpack .*compiled|> Build failed|npm ERR!|npm error",
            line.text,
        ):
            break
        lines.append(line)
    return [line for line in lines if line.text.strip()]


def _esbuild(sighting: Sighting) -> Finding:
    made = sighting.finding()
    lines = _paragraph(sighting, 12, 3)
    place(made, [line for line in lines if re.match(rf"\s+{AT}:$", line.text)])
    made.last = min((lines[-1].number if lines else made.at), made.at + 8)
    return kind(made, made.message)


def _rolldown(sighting: Sighting, lines: list[Line]) -> list[Finding]:
    """Vite since 8: `[CODE] message` and a box with the place, for each of several errors."""
    begins = [at for at, line in enumerate(lines) if _CODED.match(line.text)]
    made = []
    for begin, end in pairwise([*begins, len(lines)]):
        head = _CODED.match(lines[begin].text)
        if not head:
            continue
        one = sighting.finding(message=head["message"], code=head["code"])
        one.at = one.first = lines[begin].number
        place(one, lines[begin + 1 : end])
        one.last = max(one.at, min(one.last, lines[end - 1].number))
        made.append(kind(one, lines[begin].text))
    return made


def _build_error(sighting: Sighting) -> Finding | list[Finding] | None:
    """Vite and Rollup: `error during build:` or `[!] Error:`, the message, then `file: …`."""
    lines = _paragraph(sighting, 30, 3)
    head = sighting.group("message")
    if not head:
        if not lines:
            return None
        head, lines = lines[0].text.strip(), lines[1:]
    if several := _rolldown(sighting, lines):
        return several
    made = sighting.finding(message=head)
    body = [line for line in lines if not re.match(r"\s+at ", line.text)]
    if body and head.rstrip().endswith((":", "error")) and len(head) < 160:
        detail = next(
            (line.text.strip() for line in body if re.search(r"ERROR:|rror:", line.text)), ""
        )
        made.message = f"{head} {detail}".strip()
    text = "\n".join([head, *(line.text for line in body[:4])])
    kind(made, text)
    quoted = _FROM.search(head)
    heading = [Line(sighting.line.number, head)]
    place(made, [*heading, *body])
    if quoted and not foreign(quoted["file"]) and (made.file is None or foreign(made.file)):
        made.file, made.line = relative(quoted["file"]), made.line
    if made.file is None:
        place(made, lines)
    made.last = body[min(len(body) - 1, 14)].number if body else made.at
    return made


def _webpack(sighting: Sighting) -> Finding | None:
    """`ERROR in ./src/a.js 3:5-10`, with the message on the next lines."""
    lines = _paragraph(sighting, 40, 3)
    body = [line for line in lines if not re.match(r"\s+at |@ ", line.text)]
    if not body:
        return None
    head = body[0].text.strip()
    if re.match(r"(?:\S+/)?\S+\.\w+$", head) and len(body) > 1:
        head = body[1].text.strip()
    made = sighting.finding(message=head)
    text = "\n".join(line.text for line in body[:4])
    if "Module build failed" in head and len(body) > 1:
        made.message = f"{head} {body[1].text.strip()}"
    kind(made, text)
    if "[eslint]" in text or re.search(r"\d+:\d+\s+error\s", text):
        return None
    if not made.file or made.line is None or "Module build failed" in head:
        known = made.file
        place(made, body)
        if made.line is None:
            at = next(
                (
                    re.match(r"\s*@ (?P<file>\S+) (?P<line>\d+):(?P<column>\d+)", line.text)
                    for line in lines
                    if re.match(r"\s*@ \S+ \d+:\d+", line.text)
                ),
                None,
            )
            if at and (known is None or at["file"].endswith(known)):
                made.file, made.line = relative(at["file"]), int(at["line"][:8])
        made.file = made.file or known
    if made.type is IMPORT and "|" in sighting.line.text:
        made.file = None
    made.last = body[min(len(body) - 1, 12)].number
    return made


def _next(sighting: Sighting) -> list[Finding]:
    """Below `Failed to compile.`: a file, and a message with a frame, several times over."""
    made: list[Finding] = []
    lines = _next_lines(sighting)
    for index, line in enumerate(lines):
        found = _NEXT_FILE.match(line.text.strip())
        if not found:
            continue
        below = list(lines[index + 1 : index + 25])
        stop = next(
            (
                at
                for at, each in enumerate(below)
                if _NEXT_FILE.match(each.text.strip()) or each.text.startswith("Import trace")
            ),
            len(below),
        )
        below = [each for each in below[:stop] if each.text.strip()]
        if below and (each := _next_one(sighting, line, found, below)):
            made.append(each)
    return made


def _next_lines(sighting: Sighting) -> list[Line]:
    lines: list[Line] = []
    for line in sighting.after(150):
        if re.match(
            r"> Build failed|.*Next\.js build worker exited|npm ERR!|npm error|\s?ELIFECYCLE|info  - Need",
            line.text,
        ):
            break
        lines.append(line)
    return lines


def _next_one(
    sighting: Sighting, line: Line, found: re.Match[str], below: list[Line]
) -> Finding | None:
    head = below[0].text.strip()
    if head.startswith("Type error:") or re.match(r"\d+:\d+\s+(?:Error|Warning)", head):
        return None
    made = sighting.finding(
        file=relative(found["file"]),
        message=head,
        at=line.number,
        first=line.number,
        last=below[min(len(below) - 1, 12)].number,
    )
    kind(made, head)
    if found["line"]:
        made.line, made.column = int(found["line"][:8]), int(found["column"][:8])
    if "Error:" in head and len(below) > 1 and made.type is SYNTAX:
        made.message = f"{head} {below[1].text.strip()}".removeprefix("Error: ")
    if made.line is None:
        file = made.file
        place(made, below)
        made.file = file
    return made


def _babel(sighting: Sighting) -> Finding:
    made = sighting.finding(last=sighting.line.number, more=7)
    if MISSING.search(made.message):
        made.type = IMPORT
    return made


def _swc(sighting: Sighting) -> Finding | None:
    """`× Expected …` above `╭─[file:1:2]`."""
    made = sighting.finding()
    lines = list(sighting.after(6))
    place(made, [line for line in lines if "╭" in line.text or ",-" in line.text])
    made.last, made.more = sighting.line.number, 8
    return kind(made, made.message) if made.file else None


def _node_esm(sighting: Sighting) -> Finding:
    made = sighting.finding()
    for line in sighting.before(8):
        if found := re.match(rf"(?:file://)?{AT}$", line.text.strip()):
            made.file, made.line = relative(found["file"]), int(found["line"][:8])
            made.first = line.number
            break
    return made


def _swc_line(sighting: Sighting) -> Finding | None:
    """`error: Expected …` above ` --> file:1:2` or ` |`; Rust says the same, and is asked first."""
    for line in sighting.after(1):
        found = re.match(rf"\s+--> {FILE}:(?P<line>\d+):(?P<column>\d+)$", line.text)
        if found and re.search(r"\.[cm]?[jt]sx?$", found["file"]):
            return sighting.finding(
                file=relative(found["file"]), line=int(found["line"][:8]), last=line.number, more=5
            )
    return None


def _prerender(sighting: Sighting) -> Finding | None:
    said = next((line.text.strip() for line in sighting.after(4) if "rror" in line.text), "")
    made = sighting.finding(
        message=f"prerendering {sighting.group('message')}: {said}",
        last=sighting.line.number,
        more=10,
    )
    made.type = IncidentType.CONFIG_ERROR if "env" in said.lower() else IncidentType.TYPE_ERROR
    return place(made, list(sighting.after(12)))


def _boxed(sighting: Sighting) -> Finding | None:
    """`x message` or `× message` above `,-[file:1:2]`."""
    for line in sighting.before(3):
        if found := re.match(r"^\s*(?:Error:\s+)?(?:x|×|✖|error:) (?P<message>\S.*)$", line.text):
            made = sighting.finding(message=found["message"], at=line.number, first=line.number)
            made.last, made.more = sighting.line.number, 6
            return kind(made, made.message)
    return None


RULES: tuple[Rule, ...] = (
    rule("swc", SYNTAX, (",-[", "╭─["), rf"^\s*[╭,][-─]+\[ ?{AT} ?\]", _boxed),
    rule("esbuild", SYNTAX, "ERROR]", r"^\s*(?:✘|X|\u2718|×) \[ERROR\] (?P<message>.+)$", _esbuild),
    rule("vite", IMPORT, "rror during build", r"error during build:$", _build_error),
    rule(
        "rollup",
        IMPORT,
        ("rror", "annot", "ould not", "nexpected", "undefined"),
        r"^\s*\[!\] (?P<message>.+)$",
        _build_error,
    ),
    rule(
        "vite", IMPORT, "rror:", r"\[vite\] Internal server error: (?P<message>.+)$", _build_error
    ),
    rule("vite", IMPORT, "rror", r"^(?:Build failed with \d+ errors?:)$", _build_error),
    rule(
        "webpack",
        CONFIG,
        ("ERROR in ",),
        r"ERROR in (?:\./)?(?P<file>(?:multi )?[^\s:]+\.\w{1,8})(?:[ :](?P<line>\d+):(?P<column>\d+)(?:-[\d:]+)?)?$",
        _webpack,
    ),
    rule("webpack", CONFIG, "ERROR in ", r"ERROR in (?P<chunk>\S.*|)$", _webpack),
    rule("webpack", CONFIG, "xception", r"^Invalid configuration object\. (?P<message>.+)"),
    rule("next", SYNTAX, "Failed to compile", r"^\s*(?:ERROR\s+)?Failed to compile\b.*$", _next),
    rule(
        "next",
        SYNTAX,
        ("rror: Turbopack", "build failed"),
        r"(?:Turbopack build failed with \d+ errors?:)$",
        _next,
    ),
    rule("swc", SYNTAX, "×", r"^\s*(?:Error:\s+)?× (?P<message>.+)$", _swc),
    rule("swc", SYNTAX, "rror:", r"^error: (?P<message>.+)$", _swc_line),
    rule(
        "babel",
        SYNTAX,
        "rror: ",
        r"(?:SyntaxError|Error): (?:\[BABEL\] )?(?P<file>(?:[A-Za-z]:)?[^\s:]{1,300}\.\w{1,8}): (?P<message>.+?) \((?P<line>\d+):(?P<column>\d+)\)",
        _babel,
    ),
    rule(
        "next",
        TYPE,
        "rror",
        r"^Error occurred prerendering page \"(?P<message>[^\"]+)\"",
        _prerender,
    ),
    rule(
        "parcel", IMPORT, "rror", r"^🚨 Build failed\.?$|^× Build failed", weight=Weight.CONSEQUENCE
    ),
    rule(
        "node",
        IMPORT,
        "rror: ",
        r"^SyntaxError: (?P<message>(?:The requested module|Named export) .+)",
        _node_esm,
    ),
)
