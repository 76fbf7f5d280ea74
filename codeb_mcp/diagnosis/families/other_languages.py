""".NET, Ruby, PHP, Elixir, Dart, Swift and others: the forms that are their own."""

import re

from codeb_mcp.diagnosis.lines import Line
from codeb_mcp.diagnosis.paths import foreign, relative
from codeb_mcp.diagnosis.prefilter import LOCATION
from codeb_mcp.diagnosis.rules import AT, FILE, Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

TYPE, IMPORT, SYNTAX = IncidentType.TYPE_ERROR, IncidentType.IMPORT_ERROR, IncidentType.SYNTAX_ERROR
DEPENDENCY, TEST, LINT = (
    IncidentType.DEPENDENCY_ERROR,
    IncidentType.TEST_FAILURE,
    IncidentType.LINT_ERROR,
)
CONFIG, UNKNOWN = IncidentType.CONFIG_ERROR, IncidentType.UNKNOWN


def _dotnet_test(sighting: Sighting) -> Finding | None:
    said: list[str] = []
    made = sighting.finding()
    telling = False
    for line in sighting.after(40):
        text = line.text.strip()
        if re.match(r"(?:Failed|Passed|Skipped) \S", text) or text.startswith("Failed!"):
            break
        if text == "Error Message:":
            telling = True
        elif text == "Stack Trace:":
            telling = False
        elif telling and text:
            said.append(text)
        elif (
            (found := re.search(r" in (?P<file>.+?):line (?P<line>\d+)$", text))
            and made.file is None
            and not foreign(found["file"])
        ):
            made.file, made.line = relative(found["file"]), int(found["line"][:8])
            made.last = line.number
    if not said and not made.file:
        return None
    made.message = f"{made.message}: {' '.join(said[:4])}"
    return made


def _rspec(sighting: Sighting) -> Finding | None:
    """`Failure/Error:` between `1) title` and the frames `# ./spec/a_spec.rb:5:in …`."""
    title = next(
        (
            found["title"]
            for line in sighting.before(4)
            if (found := re.match(r"\s+\d+\) (?P<title>.+)", line.text))
        ),
        "",
    )
    said = [sighting.group("message") or ""]
    made = sighting.finding()
    for line in sighting.after(40):
        text = line.text.strip()
        if found := re.match(r"# (?P<file>\S+?):(?P<line>\d+):in", text):
            if not foreign(found["file"]):
                made.file, made.line, made.last = (
                    relative(found["file"]),
                    int(found["line"][:8]),
                    line.number,
                )
                break
        elif re.match(r"\d+\) ", text) or text.startswith("Finished in"):
            break
        elif text and len(said) < 5:
            said.append(text)
    made.message = f"{title}: {' '.join(said)}".lstrip(": ")
    return made


def _minitest(sighting: Sighting) -> Finding | None:
    lines = list(sighting.after(12))
    for line in lines[:2]:
        found = re.match(
            r"(?P<name>\S+#\S+)(?: \[(?P<file>[^\]:]+):(?P<line>\d+)\])?:$", line.text.strip()
        )
        if not found:
            continue
        below = [each for each in lines if each.number > line.number]
        said = [each.text.strip() for each in below[:3] if each.text.strip()]
        made = sighting.finding(
            message=f"{found['name']}: {' '.join(said)}", last=line.number, more=3
        )
        if found["file"]:
            made.file, made.line = relative(found["file"]), int(found["line"][:8])
        else:
            place = next(
                (
                    at
                    for each in below
                    if (at := re.match(r"\s+(?P<file>\S+\.rb):(?P<line>\d+):in", each.text))
                    and not foreign(at["file"])
                ),
                None,
            )
            if place:
                made.file, made.line = relative(place["file"]), int(place["line"][:8])
        return made
    return None


def _phpunit(sighting: Sighting) -> list[Finding]:
    """`There was 1 failure:` and each failure with its number."""
    made: list[Finding] = []
    block: list[Line] = []
    for line in sighting.after(600):
        if re.match(r"(?:FAILURES|ERRORS)!|--$|Tests: \d+", line.text):
            break
        if re.match(r"\d+\) \S+::", line.text):
            made += _phpunit_one(sighting, block)
            block = []
        block.append(line)
    return made + _phpunit_one(sighting, block)


def _phpunit_one(sighting: Sighting, block: list[Line]) -> list[Finding]:
    body = [line for line in block if line.text.strip()]
    if len(body) < 2 or not re.match(r"\d+\) ", body[0].text):
        return []
    places = [
        found
        for line in body
        if (found := re.match(r"(?P<file>/?\S+\.php):(?P<line>\d+)$", line.text))
        and not foreign(found["file"])
    ]
    name = body[0].text.split(") ", 1)[1]
    made = sighting.finding(
        message=f"{name}: {body[1].text.strip()}",
        at=body[0].number,
        first=body[0].number,
        last=body[min(9, len(body) - 1)].number,
    )
    if places:
        made.file, made.line = relative(places[0]["file"]), int(places[0]["line"][:8])
    return [made]


def _exunit(sighting: Sighting) -> Finding | None:
    lines = list(sighting.after(20))
    found = next(
        (
            match
            for line in lines[:2]
            if (match := re.match(rf"\s+{FILE}:(?P<line>\d+)$", line.text))
        ),
        None,
    )
    if not found or not found["file"].endswith((".exs", ".ex")):
        return None
    said = [line.text.strip() for line in lines[1:5] if line.text.strip()]
    made = sighting.finding(
        message=f"{sighting.group('message')}: {' '.join(said)}", last=sighting.line.number, more=8
    )
    made.file, made.line = relative(found["file"]), int(found["line"][:8])
    for line in lines:
        if inner := re.match(r"\s+(?P<file>test/\S+\.exs):(?P<line>\d+): ", line.text):
            made.line = int(inner["line"][:8])
            break
    return made


def _phpstan(sighting: Sighting) -> list[Finding]:
    """A table per file: `  Line   src/A.php`, a ruler, then `  12     message`."""
    made = []
    for line in sighting.before(200):
        if row := re.match(r"\s{1,3}(?P<line>\d+)\s{2,}(?P<message>\S.*)$", line.text):
            made.append(
                sighting.finding(
                    line=int(row["line"][:8]),
                    message=row["message"],
                    at=line.number,
                    first=line.number,
                    last=line.number,
                )
            )
        elif head := re.match(r"\s+Line\s+(?P<file>\S+\.php)", line.text):
            for each in made:
                if each.file is None:
                    each.file = relative(head["file"])
    return [each for each in made[::-1] if each.file]


def _phpcs(sighting: Sighting) -> Finding | None:
    for line in sighting.before(80):
        if found := re.match(r"FILE: (?P<file>\S+)", line.text):
            return sighting.finding(file=relative(found["file"]))
    return None


def _ruby(sighting: Sighting) -> Finding | None:
    made = sighting.finding()
    if foreign(sighting.group("file") or ""):
        place = next(
            (
                found
                for line in sighting.after(30)
                if (found := re.match(r"\s+from (?P<file>\S+\.\w+):(?P<line>\d+):in", line.text))
                and not foreign(found["file"])
            ),
            None,
        )
        made.file, made.line = (
            (relative(place["file"]), int(place["line"][:8])) if place else (None, None)
        )
    if "LoadError" in made.message or "cannot load such file" in made.message:
        made.type = IMPORT
    elif "SyntaxError" in made.message or "syntax error" in made.message:
        made.type = SYNTAX
    return made


def _composer(sighting: Sighting) -> Finding:
    said = [
        line.text.strip(" -") for line in sighting.after(4) if line.text.strip().startswith("-")
    ]
    return sighting.finding(
        message=" ".join(said[:3]), last=sighting.line.number, more=3, file="composer.json"
    )


RULES: tuple[Rule, ...] = (
    rule(
        "composer",
        DEPENDENCY,
        "ould not be resolved",
        r"(?P<message>Your requirements could not be resolved.*)",
        weight=Weight.SUMMARY,
    ),
    rule(
        "nuget",
        DEPENDENCY,
        "rror NU",
        rf"(?:{FILE} : )?error (?P<code>NU\d{{4}}): (?P<message>.+?)(?: \[.+\])?$",
    ),
    rule(
        "msbuild",
        CONFIG,
        ("rror MSB", "rror NETSDK"),
        r"error (?P<code>MSB\d{4}|NETSDK\d{4}): (?P<message>.+?)(?: \[.+\])?$",
    ),
    rule(
        "dotnet test",
        TEST,
        "Failed ",
        r"^\s*Failed (?P<message>\S.*?)(?: \[[<\d].*\])?$",
        _dotnet_test,
    ),
    rule("rspec", TEST, "Failure/Error", r"^\s+Failure/Error: (?P<message>.*)$", _rspec),
    rule(
        "rspec",
        IMPORT,
        "rror occurred while loading",
        rf"^An error occurred while loading {FILE}\.$",
    ),
    rule(
        "minitest",
        TEST,
        ("Failure:", "Error:", "Failure:"),
        r"^\s*(?:\d+\) )?(?:Failure|Error):$",
        _minitest,
    ),
    rule(
        "rubocop",
        LINT,
        (LOCATION,),
        r"^(?P<file>\S+\.(?:rb|rake|gemspec|ru)|\S*(?:Gemfile|Rakefile)):(?P<line>\d+):(?P<column>\d+): (?P<severity>[CWEFR]): (?:\[\S+\] )?(?P<code>[A-Z]\w+(?:/\w+)+): (?P<message>.+)$",
    ),
    rule(
        "ruby",
        UNKNOWN,
        ("rror)", "rror: ", "rror,"),
        r"^(?P<file>\S+\.rb):(?P<line>\d+):(?:in [`'].+': ?)? ?(?P<message>.*\((?:\w+::)*\w*Error\)|syntax error.*)$",
        _ruby,
        Weight.SUMMARY,
    ),
    rule(
        "bundler",
        DEPENDENCY,
        ("ould not find", "rror occurred while installing", "annot continue"),
        r"^(?P<message>(?:Could not find (?:gem|compatible versions|\S+-\d\S* in)|Bundler could not find compatible|An error occurred while installing|Your bundle is locked to|The gemspec).*)$",
    ),
    rule(
        "phpunit",
        TEST,
        ("failure", "rror:", "rrors:"),
        r"^There (?:was|were) \d+ (?:failure|error)s?:$",
        _phpunit,
    ),
    rule("phpstan", LINT, ("rrors", "rror"), r"^\s*\[ERROR\] Found \d+ errors?", _phpstan),
    rule(
        "phpcs",
        LINT,
        "ERROR |",
        r"^\s+(?P<line>\d+) \| ERROR\s+\| (?:\[.\] )?(?P<message>.+)$",
        _phpcs,
    ),
    rule("psalm", TYPE, "ERROR: ", rf"^ERROR: (?P<code>\w+)(?:\n| - ){AT} - (?P<message>.+)$"),
    rule(
        "php",
        SYNTAX,
        "arse error",
        r"(?:PHP )?Parse error: \s?(?P<message>.+) in (?P<file>\S+\.php) on line (?P<line>\d+)$",
    ),
    rule(
        "php",
        UNKNOWN,
        "atal error",
        r"(?:PHP )?Fatal error: \s?(?P<message>.+) in (?P<file>\S+\.php)(?::| on line )(?P<line>\d+)",
    ),
    rule("composer", DEPENDENCY, "roblem ", r"^\s+(?P<message>Problem \d+)$", _composer),
    rule(
        "elixir",
        TYPE,
        "rror) ",
        rf"\*\* \((?P<code>CompileError|SyntaxError|TokenMissingError|Mix)\) (?:{FILE}:(?P<line>\d+)(?::(?P<column>\d+))?: )?(?P<message>.+)$",
    ),
    rule("dart", TYPE, "rror", rf"^\s*error [•-] (?P<message>.+?) [•-] {AT} [•-] (?P<code>\w+)$"),
    rule("dart", TYPE, "rror: ", rf"^{AT}: Error: (?P<message>.+)$"),
    rule(
        "yamllint", LINT, "rror]", rf"^{AT}: \[error\] (?P<message>.+?)(?: \((?P<code>[\w-]+)\))?$"
    ),
    rule(
        "markdownlint",
        LINT,
        ("rror MD", "<:line:column>"),
        rf"^{FILE}:(?P<line>\d+)(?::(?P<column>\d+))? (?:error )?(?P<code>MD\d{{3}}/\S+) (?P<message>.+)$",
    ),
    rule(
        "hadolint",
        LINT,
        "rror: ",
        rf"^{FILE}:(?P<line>\d+) (?P<code>DL\d{{4}}|SC\d{{4}}) (?:\x1b\[\S*)?error: (?P<message>.+)$",
    ),
    rule(
        "actionlint",
        LINT,
        (LOCATION,),
        r"^(?P<file>\S+\.ya?ml):(?P<line>\d+):(?P<column>\d+): (?P<message>.+) \[(?P<code>[\w-]+)\]$",
    ),
    rule(
        "ktlint",
        LINT,
        (LOCATION,),
        r"^(?P<file>\S+\.kts?):(?P<line>\d+):(?P<column>\d+):? (?P<message>.+?) (?:\((?P<code>[\w:-]+)\)|\[(?P<rule>\w+)\])$",
    ),
)
