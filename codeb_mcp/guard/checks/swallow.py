"""Exceptions that are caught and dropped, read from blocks and not from lines."""

import re
from collections.abc import Iterator

from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Reading, squeezed
from codeb_mcp.guard.rules import Severity

_BRACED = frozenset(
    (
        Language.JS,
        Language.JVM,
        Language.CSHARP,
        Language.PHP,
        Language.C,
        Language.SWIFT,
        Language.DART,
    )
)
_CATCH = re.compile(
    r"(?<![\w.$])catch\b\s{0,8}(?:\([^()\n]{0,200}(?:\([^()\n]{0,60}\))?[^()\n]{0,60}\))?\s{0,40}"
    r"(?:when\s{0,4}\([^()\n]{0,100}\)\s{0,4})?\{"
    r"|(?<![\w.$])catch\s+[\w.]{1,60}(?:\s+\w{1,40})?\s{0,4}\{"
)
_PROMISE = re.compile(
    r"\.catch\(\s{0,8}(?:async\s)?(?:\(?\s?[\w:\s]{0,40}\)?\s{0,4}=>"
    r"|function\s?\w{0,30}\s?\([\w\s,]{0,40}\))\s{0,8}\{"
)
_TRIVIAL = re.compile(
    r"^(?:;|void 0|return;?|return (?:undefined|void 0);?|noop\(\);?|continue;?|pass|(?:_ = )?(?:e"
    r"|err|error|ex|_)\w{0,10};?|/\* ?\*/)$"
)
_DEFAULT = re.compile(
    r"^return (?:null|nil|None|false|False|true|True|0|-1|\[ ?\]|\{ ?\}|\( ?\{ ?\} ?\)|\" ?\"|' ?'"
    r"|` ?`|new \w+\( ?\)|Optional\.empty\(\)|undefined|\( ?\)|emptyList\(\)|default);?$"
    r"|^(?:null|false|emptyList\(\)|emptyMap\(\)|Unit)$"
    r"|^[\w.$]{1,60} ?= ?(?:null|nil|None|undefined|false|False|0|-1|\[ ?\]|\{ ?\}|\" ?\"|' ?');?$"
)
_YES_OR_NO = re.compile(r"^return (?:true|false|0|-1)\b")
_LOG_ONLY = re.compile(
    r"^(?:console\.\w+|log(?:ger)?\.\w+|self\.\w*log\w*\.\w+|logging\.\w+|print(?:ln|f)?"
    r"|System\.out\.\w+|e\.printStackTrace)\(.*\);?$|^echo\b[^;]*;?$"
)
_EXCEPT = re.compile(r"^(\s*)except\b([^:\n]*(?:\([^()\n]*\)[^:\n]*)?):\s*(.*)$")
_BROAD = re.compile(
    r"^\*?\s*(?:\(?[^)\n]{0,120}\b(?:Base)?Exception\b(?!Group)[^)\n]{0,60}\)?"
    r"|\(?[^)\n]{0,120}\bAssertionError\b[^)\n]{0,60}\)?)?\s*(?:as \w+)?$"
)
_TELLING = re.compile(
    r"HTTPError|HTTPStatusError|CalledProcessError|ValidationError|TypeError|AttributeError"
    r"|NameError|RuntimeError"
)
"""Narrow, and yet what a defect raises: dropping it around code that was there hides the defect."""
_IN_TRY = re.compile(r"\btry ?\{ ?([^{}]{4,120}?);? ?\}")
_RESCUE = re.compile(r"^(\s*)rescue\b(.*)$")
_WORDS = frozenset(("catch", "except", "rescue", "err"))


def swallow_hits(reading: Reading) -> Iterator[Hit]:
    """Every handler on this side that drops what it caught."""
    if reading.words.isdisjoint(_WORDS):
        return
    language = reading.place.language
    if language in _BRACED:
        yield from _braced(reading, _CATCH)
        if language is Language.JS:
            yield from _braced(reading, _PROMISE)
    elif language is Language.PYTHON:
        yield from _python(reading)
    elif language is Language.RUBY:
        yield from _ruby(reading)
    elif language is Language.GO:
        yield from _go(reading)


def _weight(reading: Reading, severity: Severity) -> Severity:
    return Severity.REVIEW if reading.place.role is Role.FIXTURE else severity


def _braced(reading: Reading, pattern: re.Pattern[str]) -> Iterator[Hit]:
    side = reading.side
    code = side.masked.code
    for match in pattern.finditer(code):
        end = closing(code, match.end())
        if end is None:
            continue
        body = squeezed(code[match.end() : end].replace("\n", " "))
        first, last = side.index_at(match.start()), side.index_at(end)
        live = squeezed(side.masked.live[match.end() : end].replace("\n", " "))
        if not body or _TRIVIAL.match(body):
            weight = Severity.BLOCK
        elif _DEFAULT.match(live):
            firm = _wraps(reading, first) and not _YES_OR_NO.match(live)
            weight = Severity.BLOCK if firm else Severity.REVIEW
        elif _LOG_ONLY.match(body) and body.count(";") <= 1:
            weight = Severity.BLOCK if _wraps(reading, first) else Severity.REVIEW
        else:
            continue
        host = _before(reading, first)
        yield reading.hit(
            "exception-swallowed", _weight(reading, weight), first, "catch " + body, last, host
        )


def closing(code: str, at: int) -> int | None:
    """Where the block that began just before `at` ends; None when the text ends first."""
    depth = 1
    size = min(len(code), at + 4000)
    while at < size:
        char = code[at]
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return None


def _before(reading: Reading, index: int) -> str:
    """What the handler guards, as far as it can be told: the code just before it."""
    lines = [line for line in reading.live[max(0, index - 4) : index] if len(line) > 2]
    return " ".join([*lines[-2:], reading.live[index]])


def _wraps(reading: Reading, index: int) -> bool:
    """Whether the handler was put around code that stood there before.

    True when a line before it, inside of the `try`, is an added one that only its indentation
    tells from one that was taken out: `reading.moved` holds those.
    """
    side = reading.side
    moved = reading.moved
    for at in range(index, max(-1, index - 12), -1):
        line = reading.live[at]
        if at in side.changed and len(line) > 2 and line in moved:
            return True
        if inside := _IN_TRY.search(line):
            return any(len(inside[1]) > 4 and inside[1] in m for m in moved)
        if at != index and re.match(r"try\b", line):
            # `try { users = await load(); }` around what was `const users = await load();`
            inner = re.sub(r"^try ?[:{]? ?", "", line)
            return any(len(m) > 8 and inner and m in inner for m in moved)
    return False


def _python(reading: Reading) -> Iterator[Hit]:
    side = reading.side
    code = side.masked.code.split("\n")
    for index, line in enumerate(code):
        if "except" not in line:
            continue
        match = _EXCEPT.match(line)
        if match is None:
            continue
        body, last = _indented(code, index, len(match[1]), match[3])
        kind = match[2].strip()
        broad = not kind or bool(_BROAD.match(kind))
        drops = bool(body) and all(_nothing_python(each) for each in body)
        defaults = len(body) == 1 and bool(_DEFAULT.match(squeezed(body[0])))
        logs = bool(body) and all(
            _nothing_python(e) or _LOG_ONLY.match(squeezed(e)) or _DEFAULT.match(squeezed(e))
            for e in body
        )
        if drops:
            weight = Severity.BLOCK if broad else Severity.REVIEW
            if not broad and _TELLING.search(kind) and _wraps(reading, index):
                weight = Severity.BLOCK
        elif defaults or logs:
            weight = Severity.BLOCK if broad and _wraps(reading, index) else Severity.REVIEW
            if not broad:
                continue
        else:
            continue
        key = f"except {kind}: " + " ".join(squeezed(each) for each in body)
        yield reading.hit(
            "exception-swallowed",
            _weight(reading, weight),
            index,
            key,
            last,
            _before(reading, index),
        )


def _indented(code: list[str], index: int, indent: int, inline: str) -> tuple[list[str], int]:
    if inline.strip():
        return [part for part in inline.split(";") if part.strip()], index
    body: list[str] = []
    at = index + 1
    last = index
    while at < len(code):
        text = code[at]
        if text.strip():
            if len(text) - len(text.lstrip()) <= indent:
                break
            body.append(text)
            last = at
        at += 1
    return body, last


def _nothing_python(line: str) -> bool:
    text = squeezed(line)
    return text in ("pass", "...", "continue", "return", "return None", "None", "_ = None") or bool(
        re.fullmatch(r"(?:[rbuf]?[\"'].*[\"']|_ = \w+|\d+|True|False|del \w+|break)", text)
    )


def _ruby(reading: Reading) -> Iterator[Hit]:
    code = reading.side.masked.code.split("\n")
    for index, line in enumerate(code):
        match = _RESCUE.match(line)
        if match is None:
            continue
        at = index + 1
        body: list[str] = []
        while at < len(code) and not re.match(r"\s*(?:end|else|ensure|rescue)\b", code[at]):
            if code[at].strip():
                body.append(squeezed(code[at]))
            at += 1
        if at >= len(code):
            continue
        if all(
            each in ("nil", "false", "true", "next", "return", "return nil", "[]", "{}")
            for each in body
        ):
            yield reading.hit(
                "exception-swallowed",
                _weight(reading, Severity.BLOCK),
                index,
                "rescue" + squeezed(match[2]),
                at,
                _before(reading, index),
            )


def _go(reading: Reading) -> Iterator[Hit]:
    side = reading.side
    code = side.masked.code
    for match in re.finditer(r"\bif [^{\n]{0,120}\berr != nil \{", code):
        end = closing(code, match.end())
        if end is None:
            continue
        body = squeezed(code[match.end() : end].replace("\n", " "))
        if body in ("", "_ = err", "return nil", "continue", "return"):
            first = side.index_at(match.start())
            weight = Severity.BLOCK if body in ("", "_ = err") else Severity.REVIEW
            yield reading.hit(
                "exception-swallowed",
                _weight(reading, weight),
                first,
                "if err != nil {" + body,
                side.index_at(end),
                _before(reading, first),
            )
