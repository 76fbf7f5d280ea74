"""Secrets: a value that does not print itself, and their removal from text that others wrote."""

import re
from collections.abc import Iterable

MASK = "•••"
CUT = " … (cut)"
"""What a line ends with that was too long to show."""
KEY_LINES = 200
"""A private key has no more lines than this."""
# A shorter value would mask half of an innocent text.
SHORTEST_VALUE = 6
SHORTEST_BEGINNING = 3

_KEYWORDS = (
    r"pass(?:word|wd|phrase)?|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|"
    r"credentials?|client[_-]?secret|auth[_-]?token|session[_-]?key|pgpassword"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # scheme://user:password@host
    (
        re.compile(r"(?P<keep>[a-z][a-z0-9+.-]{1,30}://[^\s:/@]{0,100}:)[^\s@/]{1,500}(?=@)", re.I),
        "",
    ),
    # Authorization: Bearer …, Basic …
    (re.compile(r"(?P<keep>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.I), ""),
    # password=…, "apiKey": "…", DB_PASSWORD: …
    (
        re.compile(
            rf"(?P<keep>\b[\w.-]{{0,60}}(?:{_KEYWORDS})[\w]{{0,30}}[\"']?\s{{0,3}}[=:]\s{{0,3}})"
            r"(?:\"[^\"\n]+\"|'[^'\n]+'|[^\s,;&\"')\]}]+)",
            re.I,
        ),
        "",
    ),
    # tokens that are known by their form
    (
        re.compile(
            r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|sk-[A-Za-z0-9_-]{16,}|"
            r"xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[0-9A-Z]{16}|glpat-[A-Za-z0-9_-]{16,}|"
            r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,})"
        ),
        "whole",
    ),
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.S
        ),
        "whole",
    ),
)

_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_KEY_END = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")


class Secret:
    """A value that must not show up anywhere by accident. `reveal` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__


def mask(text: str, known: Iterable[str] = ()) -> str:
    """`text` without the `known` values and without what looks like a secret."""
    for value in sorted(known, key=len, reverse=True):
        if len(value) >= SHORTEST_VALUE:
            text = _without_beginning(text.replace(value, MASK), value)
    for pattern, whole in _PATTERNS:
        text = pattern.sub(MASK if whole else rf"\g<keep>{MASK}", text)
    return text


def _without_beginning(text: str, value: str) -> str:
    """Where a line was cut within `value`, what is left of it is masked too."""
    if not text.endswith(CUT):
        return text
    head = text.removesuffix(CUT)
    for length in range(min(len(value), len(head)), SHORTEST_BEGINNING - 1, -1):
        if head.endswith(value[:length]):
            return f"{head[:-length]}{MASK}{CUT}"
    return text


class LineMasker:
    """Masks lines as they come, with what goes on over several: a private key, to its end."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = tuple(known)
        self._key_lines_left = 0

    def mask(self, line: str) -> str:
        """The next line, masked."""
        ends = _KEY_END.search(line)
        inside = self._key_lines_left > 0
        if inside:
            self._key_lines_left = 0 if ends else self._key_lines_left - 1
            line = MASK + (line[ends.end() :] if ends else "")
        elif ends and not _KEY_BEGIN.search(line):
            line = MASK + line[ends.end() :]
        if (begins := _KEY_BEGIN.search(line)) and not _KEY_END.search(line, begins.end()):
            self._key_lines_left = KEY_LINES
        return mask(line, self._known)


def mask_lines(lines: Iterable[str], known: Iterable[str] = ()) -> tuple[str, ...]:
    """Lines that follow each other, masked."""
    masker = LineMasker(known)
    return tuple(masker.mask(line) for line in lines)
