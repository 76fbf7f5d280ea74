"""Of some lines that no rule knows, the one that most likely says why."""

import re
from collections.abc import Sequence

from codeb_mcp.diagnosis.lines import Line

_WORDS = (
    (re.compile(r"\b(?:fatal|panic|exception|error)\b\s*[:!]|\bERR!|^E\d*:", re.I), 6),
    (
        re.compile(
            r"\b(?:cannot|can't|could not|couldn't|unable to|no such|not found|denied|invalid|"
            r"missing|undefined|unexpected|refused|unsupported|required|mismatch|conflict)\b",
            re.I,
        ),
        4,
    ),
    (re.compile(r"\b(?:error|fail(?:ed|ure|s)?|abort(?:ed)?|killed)\b", re.I), 3),
    (re.compile(r"^\s*(?:at |File \"|\||\^|~|[-=*_#─━]{4,})"), -6),
    (
        re.compile(
            r"\b0 (?:errors|failures|failed)\b|\bno errors\b|exit (?:code|status)|exited with", re.I
        ),
        -5,
    ),
    (re.compile(r"^\s*(?:✓|✔|ok \d|PASS|\[INFO\]|INFO|DEBUG|npm (?:notice|warn))"), -5),
)


def most_telling(lines: Sequence[Line]) -> Line:
    """The line with the best score; of equals the last."""
    return max(lines, key=lambda line: (score(line.text), line.number))


def score(text: str) -> int:
    """How much a line looks like a reason."""
    return sum(worth for pattern, worth in _WORDS if pattern.search(text))
