"""A raw line of a log as its tool wrote it: what CI systems and runners put around it taken off."""

import json
import re
from dataclasses import dataclass

LONGEST = 4_000
"""Characters of a line that are looked at. No tool's diagnostic is longer, and a bounded line
bounds what any pattern can cost."""

_GH_VIEW = re.compile(r"([^\t]{1,200})\t([^\t]{1,200})\t\ufeff?(?=\d{4}-\d\d-\d\dT)")
_STAMP = re.compile(
    r"\ufeff?(?:"
    r"\x1b_bk;t=\d+\x07"  # Buildkite
    r"|\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?"
    r"(?: \d\d[OE][ +])?"  # GitLab: which stream, and whether the line goes on
    r"|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?(?=\s)"
    r")[ \t]?"
)
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]"
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufeff]")
_MARK = re.compile(
    r"(?:##\[|::|##vso\[task\.logissue (?:[\w=./\\:-]{0,300};)?type=)(error|warning|group|endgroup|section|notice|debug|command)\b([^\]:]*(?:[^\]\n]*?))(?:\]|::)"
)
_PREFIX = re.compile(
    r"(?:"
    r"(?P<buildkit>\#\d+) (?:\d+\.\d+ )?"
    r"|(?P<compose>[A-Za-z][\w.-]{0,60}?)\s+\| ?"  # docker compose
    r"|\s*\+(?P<earthly>[\w./-]+) \| ?"
    r"|(?P<turbo>@?[a-z][\w./@-]{0,80}:[a-z][\w.-]*(?::[a-z][\w.-]*)*): ?"
    r"|(?P<lerna>@[\w.-]+/[\w.-]+): "
    r"|(?P<pnpm>[\w@./-]{1,80} (?:build|test|lint|check|typecheck|type-check|tsc|compile|start|dev|e2e|unit|ci)(?:[:.-][\w:.-]*?)?)[:$] ?"
    r"|\[(?P<bracket>\d+|[A-Za-z][\w:.-]*)\] "  # concurrently, Drone
    r")"
)
# words in brackets that say what a line is, not who wrote it
_NOT_STREAMS = frozenset(
    (
        "info",
        "error",
        "warn",
        "warning",
        "debug",
        "fail",
        "fatal",
        "trace",
        "eslint",
        "tsl",
        "notice",
    )
)
_SHOUTED = re.compile(r"[A-Z]+_[A-Z_]+$")
_PLUGIN = re.compile(
    r"(?:vite|rollup|plugin|commonjs|esbuild|webpack|vue|unplugin|astro|babel)\b", re.I
)
_WRAPPED = re.compile(
    r"\{\"(?:(?:Time|Action|ImportPath)\":.{0,300}\"Action\":\"(?:output|build-output)\"|Action\":\"(?:output|build-output)\"|log\":\")"
)
_SCRIPT_FILE = re.compile(r"\.\w{1,5}:")


@dataclass(slots=True)
class Line:
    """One line: `number` in the log from 1, and `stream` that tells interleaved writers apart.

    `mark` is what the CI system says of the line (`error`, `group`), `attributes` the rest of
    such a mark (`file=a.ts,line=3`). `job` and `step` are there when the line names them.
    """

    number: int
    text: str
    stream: str = ""
    mark: str = ""
    attributes: str = ""
    job: str = ""
    step: str = ""


def read_line(raw: bytes, number: int, longest: int = LONGEST) -> Line:
    """`raw`, without its newline, as a `Line`."""
    # escapes take room too, so some more is read than is kept
    text = raw[: longest * 3].decode("utf-8", "replace")
    line = Line(number, "")
    if text.count("\t", 0, 402) >= 2 and (found := _GH_VIEW.match(text)):
        line.job, line.step = found[1], found[2]
        text = text[found.end() :]
    if found := _STAMP.match(text):
        text = text[found.end() :]
    text = _as_on_a_terminal(text)
    text = _without_mark(text, line)
    line.stream, text = _without_prefix(text)
    if line.stream:
        text = _without_mark(text, line)
    if text.startswith('{"'):
        writer, text = _unwrapped(text)
        line.stream += writer
    line.text = text[:longest].rstrip()
    return line


def _unwrapped(text: str) -> tuple[str, str]:
    """Who wrote a line that is wrapped in JSON (`go test -json`, a container's log), and the line."""
    found = _WRAPPED.match(text)
    if not found:
        return "", text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "", text
    said = value.get("Output") or value.get("log")
    if not isinstance(said, str):
        return "", text
    stream = f"{value.get('Package') or value.get('stream') or 'log'}"
    return stream, _as_on_a_terminal(said.rstrip("\n"))


def _as_on_a_terminal(text: str) -> str:
    """Escapes gone, and of what carriage returns wrote over each other the last that is text."""
    text = _ESCAPES.sub("", text) if "\x1b" in text else text
    if "\r" in text:
        pieces = [piece for piece in text.split("\r") if piece.strip()]
        text = pieces[-1] if pieces else ""
    return _CONTROLS.sub("", text)


def _without_mark(text: str, line: Line) -> str:
    found = _MARK.match(text) if text.startswith(("##[", "::", "##vso")) else None
    if not found:
        return text
    line.mark, line.attributes = found[1], _unescaped(found[2].strip())
    return _unescaped(text[found.end() :])


def _unescaped(text: str) -> str:
    """What workflow commands escape; a message of several lines becomes one."""
    if "%" not in text:
        return text
    for code, plain in (("%0D", ""), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, plain)
    return " ".join(text.split("\n")).rstrip()


def _without_prefix(text: str) -> tuple[str, str]:
    found = _PREFIX.match(text)
    if not found:
        return "", text
    kind = found.lastgroup or ""
    name = found[kind]
    if kind == "bracket" and (
        name.lower() in _NOT_STREAMS or _SHOUTED.match(name) or _PLUGIN.match(name)
    ):
        return "", text
    if kind == "turbo" and (_SCRIPT_FILE.search(name + ":") or _PLUGIN.match(name)):
        return "", text
    return name, text[found.end() :]
