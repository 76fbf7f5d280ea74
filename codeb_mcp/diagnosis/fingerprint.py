"""A name for a failure that stays the same in the next run."""

import hashlib
import re

from codeb_mcp.diagnosis.paths import in_project

_VARIABLE = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.I), "#"),
    (re.compile(r"\bsha\d{1,3}[-:][\w+/=-]{20,}"), "#"),
    (re.compile(r"(?:[A-Za-z]:)?[\\/](?:[\w.@+-]+[\\/])+"), "/"),  # folders differ between runners
    (re.compile(r"\b(?:tmp|temp|pytest-)[\w-]*\d[\w-]*|\btmp\w{6,}", re.I), "#"),
    (re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{7,64}\b|\b0x[0-9a-f]+\b", re.I), "#"),
    (re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\b,? |\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?=\d)"), ""),
    # digits within a name tell it from another
    (re.compile(r"(?<![A-Za-z_\d])\d+(?:[.,:]\d+)*(?:\s?(?:ms|s|m|min|h|[kKMG]i?B|bytes|seconds?|minutes?)\b)?"), "#"),
    (re.compile(r"\s+"), " "),
)  # fmt: skip


def normal(message: str) -> str:
    """`message` without what changes from run to run: numbers, times, hashes, folders."""
    for pattern, instead in _VARIABLE:
        message = pattern.sub(instead, message)
    return message.strip().lower()


def fingerprint(kind: str, tool: str, file: str | None, code: str | None, message: str) -> str:
    """16 hex digits. A shift of lines in the file does not change them."""
    where = in_project(file) if file else ""
    parts = "\n".join((kind, tool, where, code or "", normal(message)))
    return hashlib.sha256(parts.encode()).hexdigest()[:16]
