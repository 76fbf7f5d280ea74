"""A tolerant reader: which characters of a fragment are code, comment or string.

A hunk begins and ends anywhere, so a whole parser would give up on most of them. This reader knows
only how comments and strings begin and end in a family of languages; that is enough to tell a
suppression from a sentence about one. Every pattern is linear: no repetition holds another.
"""

import re
from dataclasses import dataclass

from codeb_mcp.guard.places import Language, Place

_DOUBLE = r'"(?:\\.|[^"\\\n])*"'
_SINGLE = r"'(?:\\.|[^'\\\n])*'"
_TEMPLATE = r"`(?:\\[\s\S]|[^`\\])*`"
_SLASHES = r"//[^\n]*|/\*[\s\S]*?(?:\*/|\Z)"
# a regular expression of JavaScript, where a division cannot be
_REGEX = r"(?<=[(,=:\[!&|?{};\n])\ ?/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/[a-z]{0,8}"
_TRIPLE = r'[rRbBfFuU]{0,2}"""[\s\S]*?"""|[rRbBfFuU]{0,2}\'\'\'[\s\S]*?\'\'\''
_HASH = r"(?:(?<=[\s;])|^)\#[^\n]*"
_MARKUP = r"<!--[\s\S]*?(?:-->|\Z)"
_JSX_TEXT = r"(?<=[\w\"'/}])>[^<>{}=;\n]{2,400}(?=</)"


def _family(comment: str, string: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<c>{comment})|(?P<s>{string})", re.M)


def _tagged(comment: str, string: str) -> re.Pattern[str]:
    """Of a language in which text stands between tags: shown, not run."""
    return re.compile(rf"(?P<c>{comment})|(?P<t>{_JSX_TEXT})|(?P<s>{string})", re.M)


_QUOTES = f"{_DOUBLE}|{_SINGLE}"
_C = _family(_SLASHES, _QUOTES)
_HASHED = _family(_HASH, _QUOTES)
_FAMILIES: dict[Language, re.Pattern[str]] = {
    Language.JS: _family(_SLASHES, f"{_QUOTES}|{_TEMPLATE}|{_REGEX}"),
    Language.PYTHON: _family(r"\#[^\n]*", f"{_TRIPLE}|{_QUOTES}"),
    Language.GO: _family(_SLASHES, rf"{_DOUBLE}|'(?:\\.[^'\n]{{0,8}}|[^'\\\n])'|`[^`]*`"),
    Language.RUST: _family(
        _SLASHES, rf'{_DOUBLE}|r\#"[\s\S]*?"\#|\'(?:\\[^\'\n]{{1,8}}|[^\'\\])\''
    ),
    Language.JVM: _family(_SLASHES, rf'"""[\s\S]*?"""|{_QUOTES}'),
    Language.CSHARP: _C,
    Language.PHP: _family(rf"{_SLASHES}|\#(?!\[)[^\n]*", _QUOTES),
    Language.C: _C,
    Language.SWIFT: _family(_SLASHES, rf'"""[\s\S]*?"""|{_DOUBLE}'),
    Language.DART: _C,
    Language.CSS: _family(r"/\*[\s\S]*?(?:\*/|\Z)|(?<![:\w])//[^\n]*", _QUOTES),
    Language.HCL: _family(rf"{_SLASHES}|\#[^\n]*", _DOUBLE),
    Language.JSON: _family(_SLASHES, _DOUBLE),
    Language.RUBY: _family(rf"{_HASH}|^=begin[\s\S]*?^=end", _QUOTES),
    Language.SHELL: _family(_HASH, r'"(?:\\[\s\S]|[^"\\])*"|\'[^\']*\''),
    Language.POWERSHELL: _family(r"\#[^\n]*|^(?:rem|::)\b[^\n]*", rf'"[^"\n]*"|{_SINGLE}'),
    Language.LUA: _family(r"--\[\[[\s\S]*?\]\]|--[^\n]*", _QUOTES),
    Language.SQL: _family(r"--[^\n]*|/\*[\s\S]*?\*/", r"'[^'\n]*'"),
    Language.HASKELL: _family(r"--[^\n]*|\{-[\s\S]*?-\}", _DOUBLE),
    Language.INI: _family(r"(?:(?<=\s)|^)[\#;][^\n]*", r"(?!)"),
    Language.MARKUP: _family(_MARKUP, _QUOTES),
}
_DIALECTS = {
    ".tsx": _tagged(_SLASHES, f"{_QUOTES}|{_TEMPLATE}|{_REGEX}"),
    ".jsx": _tagged(_SLASHES, f"{_QUOTES}|{_TEMPLATE}|{_REGEX}"),
    ".vue": _family(f"{_MARKUP}|{_SLASHES}", f"{_QUOTES}|{_TEMPLATE}"),
    ".svelte": _family(f"{_MARKUP}|{_SLASHES}", f"{_QUOTES}|{_TEMPLATE}"),
    ".astro": _family(f"{_MARKUP}|{_SLASHES}", f"{_QUOTES}|{_TEMPLATE}"),
}
_BLOCK_COMMENTS = frozenset(
    {language for language, pattern in _FAMILIES.items() if r"/\*" in pattern.pattern}
    - {Language.JSON, Language.HCL, Language.SQL}
)
_TRIPLES = re.compile(r'"""|\'\'\'')
_CLOSING_TEMPLATE = re.compile(r"`[)\],;.}]{0,8}")
_NOT_NEWLINE = re.compile(r"[^\n]")


@dataclass(frozen=True, slots=True)
class Masked:
    """A text three times, character by character in the same places.

    `live` is without comments, `code` without comments and without what strings hold.
    `comments` and `strings` are (offset, text), in order; strings with their quotes.
    """

    text: str
    live: str
    code: str
    comments: tuple[tuple[int, str], ...]
    strings: tuple[tuple[int, str], ...]


def masked(place: Place, text: str) -> Masked:
    """`text` as the language of `place` reads it."""
    return _masked(_pattern(place), place.language, text)


def _pattern(place: Place) -> re.Pattern[str] | None:
    if place.language is Language.PROSE:
        return None
    if place.language is Language.JS:
        for suffix, pattern in _DIALECTS.items():
            if place.name.endswith(suffix):
                return pattern
    return _FAMILIES.get(place.language, _HASHED)


def _masked(pattern: re.Pattern[str] | None, language: Language, text: str) -> Masked:
    if pattern is None:
        blank = _blank(text)
        return Masked(text, blank, blank, (), ())
    start = _start_of_code(language, text)
    live: list[str] = [_blank(text[:start])]
    code: list[str] = [live[0]]
    comments: list[tuple[int, str]] = [(0, text[:start])] if start else []
    strings: list[tuple[int, str]] = []
    at = start
    for match in pattern.finditer(text, start):
        between = text[at : match.start()]
        found = match.group()
        blank = _blank(found)
        live.append(between)
        code.append(between)
        if match.lastgroup in ("c", "t"):
            if match.lastgroup == "c":
                comments.append((match.start(), found))
            live.append(blank)
            code.append(blank)
        else:
            strings.append((match.start(), found))
            live.append(found)
            code.append(found[0] + blank[1:-1] + found[-1] if len(found) > 1 else found)
        at = match.end()
    live.append(text[at:])
    code.append(text[at:])
    return Masked(text, "".join(live), "".join(code), tuple(comments), tuple(strings))


def _blank(text: str) -> str:
    return " " * len(text) if "\n" not in text else _NOT_NEWLINE.sub(" ", text)


def _start_of_code(language: Language, text: str) -> int:
    """Where code begins in a fragment that may begin inside of a comment or a docstring."""
    if language is Language.JS and (end := _after_template(text)):
        return end
    if language in _BLOCK_COMMENTS:
        return _after_block_comment(text)
    if language is Language.PYTHON:
        return _after_docstring(text)
    return 0


def _after_template(text: str) -> int:
    """Past the backtick that ends a template literal, when it begins before the fragment."""
    first = text.find("`")
    if first < 0:
        return 0
    line_start = text.rfind("\n", 0, first) + 1
    line_end = text.find("\n", first)
    line = text[line_start : line_end if line_end >= 0 else len(text)].strip()
    return first + 1 if _CLOSING_TEMPLATE.fullmatch(line) else 0


def _after_block_comment(text: str) -> int:
    end = text.find("*/")
    if end < 0:
        # nothing but ` * …`: the middle of a comment
        first = text.lstrip()
        if first.startswith("* ") and all(
            line.lstrip().startswith("*") for line in text.split("\n") if line.strip()
        ):
            return len(text)
        return 0
    begin = text.find("/*")
    if 0 <= begin < end + 1:
        return 0
    line = text[text.rfind("\n", 0, end) + 1 : end]
    return end + 2 if not any(quote in line for quote in "\"'`") else 0


def _after_docstring(text: str) -> int:
    """Past the closing quotes, when the fragment begins inside of a docstring.

    The first triple quotes close one when their number is odd and they stand where no docstring
    opens: not after a line that ends with `:`, `=`, `(` or `,`.
    """
    marks = [match.start() for match in _TRIPLES.finditer(text)]
    if len(marks) % 2 == 0:
        return 0
    first = marks[0]
    line_start = text.rfind("\n", 0, first) + 1
    before_on_line = text[line_start:first].strip()
    line_end = text.find("\n", first)
    after = text[first + 3 : line_end if line_end >= 0 else len(text)].strip()
    if before_on_line.endswith(("=", "(", ",", "return", ":", "r", "f", "b", "+", "[")):
        return 0
    if before_on_line:
        return first + 3
    previous = text[:line_start].rstrip()
    if previous.endswith((":", "(", ",", "=", "[")) or not previous or after:
        return 0
    return first + 3
