"""Rust: rustc, Cargo, Clippy, rustfmt, tests and panics; Foundry's tests, which print alike."""

import re

from codeb_mcp.diagnosis.kinds import kind_of
from codeb_mcp.diagnosis.paths import foreign, relative
from codeb_mcp.diagnosis.rules import FILE, Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

TYPE, IMPORT, SYNTAX = IncidentType.TYPE_ERROR, IncidentType.IMPORT_ERROR, IncidentType.SYNTAX_ERROR
DEPENDENCY, TEST, LINT = (
    IncidentType.DEPENDENCY_ERROR,
    IncidentType.TEST_FAILURE,
    IncidentType.LINT_ERROR,
)
CONFIG, UNKNOWN, INFRA = (
    IncidentType.CONFIG_ERROR,
    IncidentType.UNKNOWN,
    IncidentType.INFRASTRUCTURE,
)
VULN = IncidentType.SECURITY_VULN

_IMPORTS = frozenset(("E0432", "E0433", "E0463", "E0583", "E0460", "E0461", "E0462"))
_ARROW = re.compile(rf"^\s*-->\s+{FILE}:(?P<line>\d+):(?P<column>\d+)")
_RULES = re.compile(
    r"clippy::(?P<clippy>\w+)|`(?:-D|#\[deny\() ?(?P<lint>[\w:-]+)\)?\]?`|rust-clippy/\S*#(?P<help>\w+)"
)
_SYNTAX = re.compile(
    r"^(?:expected |unexpected |unclosed delimiter|this file contains|mismatched closing|unknown start of token|unterminated|missing |invalid suffix|`[^`]+` is not )|found `.+`$|^expected"
)


def _compiler(sighting: Sighting) -> Finding | None:
    made = sighting.finding()
    notes: list[str] = []
    for line in sighting.after(30):
        text = line.text
        if not text.strip() and made.file and notes is not None and len(notes) > 3:
            break
        if (found := _ARROW.match(text)) and made.file is None:
            made.file, made.line, made.column = (
                relative(found["file"]),
                int(found["line"][:8]),
                int(found["column"][:8]),
            )
        elif re.match(r"(?:error|warning)(?:\[|:)", text):
            break
        notes.append(text)
        made.last = line.number
    if made.file is None:
        return None
    if not re.search(r"\.(?:rs|sol|toml|vy|cairo|move|sway)$", made.file):
        return None
    if made.file.endswith(".toml"):
        made.type, made.tool = CONFIG, "cargo"
    if made.file.endswith(".sol"):
        made.tool = "solc"
    if made.code in _IMPORTS:
        made.type = IMPORT
    elif made.code is None:
        rules = _RULES.search("\n".join(notes))
        if rules:
            made.type, made.tool = LINT, "clippy" if (rules["clippy"] or rules["help"]) else "rustc"
            made.code = (
                f"clippy::{rules['clippy'] or rules['help']}"
                if made.tool == "clippy"
                else rules["lint"]
            )
        elif _SYNTAX.search(made.message):
            made.type = SYNTAX
    made.last = min(made.last, made.at + 16)
    return made


def _panic(sighting: Sighting) -> Finding:
    """`thread 'x' panicked at src/lib.rs:5:9:` with the message below, or, before 1.73, inside."""
    made = sighting.finding()
    name = sighting.group("thread") or "main"
    said = made.message if sighting.match["message"] else ""
    if not said:
        lines: list[str] = []
        for line in sighting.after(6):
            if not line.text.strip() or line.text.startswith(("note:", "stack backtrace")):
                break
            lines.append(line.text.strip())
            made.last = line.number
        said = " ".join(lines)
    made.message = f"{name}: {said}"
    if name in {"main", "<unnamed>"}:
        made.type = UNKNOWN
        made.weight = Weight.HINT if foreign(made.file or "") else Weight.SUMMARY
    if made.file and foreign(sighting.group("file") or ""):
        made.file = made.line = made.column = None
    return made


def _cargo(sighting: Sighting) -> Finding:
    said = [line.text.strip() for line in sighting.after(10)]
    stop = next((at for at, text in enumerate(said) if not text and at > 3), len(said))
    causes = [text for text in said[:stop] if text and text != "Caused by:"][:4]
    made = sighting.finding(last=sighting.line.number + min(stop, 8))
    made.message = " ".join([made.message, *causes])
    if re.search(
        r"timed out|Could not resolve host|spurious network|SSL|failed to download|\[\d+\] (?:Couldn't|Timeout|SSL)|50\d",
        made.message,
    ):
        made.type = INFRA
    elif re.search(
        r"failed to (?:parse|load) (?:manifest|source)|could not find `Cargo\.toml`|no such (?:command|subcommand)|toolchain '.+' is not installed|virtual manifest",
        made.message,
    ):
        made.type = CONFIG
        path = re.search(r"`(?P<file>\S*Cargo\.toml)`", made.message)
        made.file = relative(path["file"]) if path else None
        arrow = next(
            (
                found
                for line in sighting.after(8)
                if (found := re.match(rf"\s*-->\s+{FILE}:(?P<line>\d+)", line.text))
            ),
            None,
        )
        if arrow:
            made.file, made.line = relative(arrow["file"]), int(arrow["line"][:8])
    return made


def _fmt(sighting: Sighting) -> Finding:
    return sighting.finding(
        message="is not formatted (cargo fmt --check)", last=sighting.line.number, more=6
    )


def _old_panic(sighting: Sighting) -> Finding:
    made = _panic(sighting)
    if sighting.match["file2"]:
        path = sighting.match["file2"]
        if not foreign(path):
            made.file, made.line = relative(path), int(sighting.match["line2"][:8])
            made.column = int(sighting.match["column2"][:8])
    return made


def _short(sighting: Sighting) -> Finding:
    """`--message-format=short`: all on one line."""
    made = sighting.finding()
    made.type, _ = kind_of(made.code, made.message, TYPE if made.code else SYNTAX)
    return made


RULES: tuple[Rule, ...] = (
    rule(
        "cargo",
        UNKNOWN,
        (
            "rror: could not compile",
            "rror: aborting",
            "rror: test failed",
            "rror: doctest failed",
            "rror: build failed",
            "rror: 1 target failed",
        ),
        r"^error: (?P<message>(?:could not compile|aborting due to|test failed|doctest failed|build failed|\d+ targets? failed).*)",
        weight=Weight.CONSEQUENCE,
    ),
    rule(
        "cargo",
        DEPENDENCY,
        "rror: ",
        r"^error: (?P<message>(?:failed to (?:select|get|run custom build|download|resolve|parse manifest|load|fetch|compile|determine)|no matching package|the lock file|package `.+` cannot be built|cannot update the lock file|rustc \S+ is not supported|could not find `Cargo\.toml`|no such (?:sub)?command|toolchain '|failed to sync|linking with|unable to (?:get|update)).*)",
        _cargo,
    ),
    rule(
        "cargo deny",
        VULN,
        "rror[",
        r"^error\[(?P<code>vulnerability|rejected|banned|unmaintained|yanked)\]: (?P<message>.+)",
    ),
    rule(
        "rustc",
        TYPE,
        ("rror[", "rror: ", "rror (", "rror:"),
        r"^\s*[eE]rror(?:\[(?P<code>E\d{4})\]| \((?P<number>\d{4})\))?: (?P<message>.+)$",
        _compiler,
    ),
    rule(
        "rustc",
        TYPE,
        ("rror[", "rror: "),
        r"^(?P<file>\S+\.rs):(?P<line>\d+):(?P<column>\d+): error(?:\[(?P<code>E\d{4})\])?: (?P<message>.+)$",
        _short,
    ),
    rule(
        "cargo test",
        TEST,
        "anicked",
        rf"thread '(?P<thread>[^']{{1,300}})'(?: \(\d+\))? panicked at (?:{FILE}:(?P<line>\d+):(?P<column>\d+):?$|'(?P<message>.*)', (?P<file2>\S+):(?P<line2>\d+):(?P<column2>\d+)$)",
        _old_panic,
    ),
    rule(
        "cargo test",
        TEST,
        "FAILED",
        r"^test (?P<message>\S+(?: - .+)?) \.\.\. FAILED$",
        weight=Weight.SUMMARY,
    ),
    rule("rustfmt", LINT, "Diff in", rf"^Diff in {FILE}(?: at line |:)(?P<line>\d+):?$", _fmt),
    rule("forge", TEST, "FAIL", r"\[FAIL(?:\. Reason: |: )(?P<message>.+?)\] (?P<name>\w+\(.*?\))"),
)
