"""A name for a failure that stays the same in the next run."""

import hashlib
import re

_VARIABLE = (
    (re.compile(r"(?:[A-Za-z]:)?[\\/](?:[\w.@+-]+[\\/])+"), "/"),  # folders differ between runners
    (re.compile(r"\b[0-9a-f]{7,64}\b|\b0x[0-9a-f]+\b", re.I), "#"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "#"),
    (re.compile(r"\s+"), " "),
)


def normal(message: str) -> str:
    """`message` without what changes from run to run: numbers, times, hashes, folders."""
    for pattern, instead in _VARIABLE:
        message = pattern.sub(instead, message)
    return message.strip().lower()


def fingerprint(kind: str, tool: str, file: str | None, code: str | None, message: str) -> str:
    """16 hex digits. A shift of lines in the file does not change them."""
    parts = "\n".join((kind, tool, file or "", code or "", normal(message)))
    return hashlib.sha256(parts.encode()).hexdigest()[:16]
