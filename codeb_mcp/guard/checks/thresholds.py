"""Thresholds and levels, compared with what they were."""

import re
from collections.abc import Iterator, Sequence

from codeb_mcp.guard.checks.testing import replaced
from codeb_mcp.guard.entries import Entry
from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Pair, Reading
from codeb_mcp.guard.rules import Severity

_THRESHOLD = re.compile(
    r"(?i)(?:^|\.)(?:[\w-]*threshold[\w-]*(?:\.[\w.*/]+)?|fail[-_]?under|cov-fail-under"
    r"|min(?:imum)?[-_]?(?:coverage|score|msi|covered)\w*|minimumCoverage|"
    r"(?:coverage\w*|thresholds?|global|watermarks|statistics)(?:\.[\w.*/{}-]+)?\.(?:lines"
    r"|branches|functions|statements|target|minimum)|"
    r"lines|branches|functions|statements|coverageThreshold\S*|project\.default\.target"
    r"|patch\.default\.target|target|level|check-coverage|typeCoverage\.atLeast|atLeast"
    r"|covered_?ratio|minCoverage)$"
)
_CEILING = re.compile(
    r"(?i)(?:^|\.)(?:max[-_]?(?:warnings|issues|errors|violations|problems)|errorLevel|allowedWarnings|max[-_](?:complexity|line-length"
    r"|statements|branches|args|returns|locals|nested\S*)|line[-_]length|maxSize|cyclomatic\S*"
    r"|fail_over|threshold_percent|maxDepth)$"
)
_TIMEOUT = re.compile(
    r"(?i)(?:^|[._])[\w-]*(?:timeout|retries|attempts|retry_wait\w*|deadline)[\w-]*$"
)
_ASSIGNED = re.compile(
    r"\b(errorLevel|max(?:Issues|Errors|Warnings|Violations)|min(?:imum|Coverage|Score)?|toolLevel|threshold"
    r"|mutationThreshold|coverageThreshold)\b"
    r"[ \w.]{0,20}(?:=|\.set\(|\(|>)? ?\"?(\d{1,9}(?:\.\d{1,6})?)\b"
)
_RETRYING = frozenset((Role.CONFIG, Role.TEST))
_LEVELS = ("info", "low", "moderate", "medium", "high", "critical", "none")
_AUDIT_LEVEL = re.compile(
    r"(?i)(?:^|\.)(?:audit[-_]?level|auditLevel|severity-threshold|fail-on-severity"
    r"|severityThreshold|npmAuditLevel)$"
)


def threshold_hits(
    pair: Pair, new: Sequence[tuple[Reading, Entry]], old: Sequence[tuple[Reading, Entry]]
) -> Iterator[Hit]:
    """Thresholds and levels, compared with what they were."""
    before: dict[str, list[str]] = {}
    for _, entry in old:
        before.setdefault(entry.key, []).append(entry.value)
    after = {entry.key for _, entry in new}
    for reading, entry in new:
        was = before.get(entry.key, [None]).pop(0) if before.get(entry.key) else None
        if was is None:
            if (
                _THRESHOLD.search(entry.key)
                and entry.value in ("0", "false")
                and not pair.change.file.added
            ):
                yield reading.hit("threshold-lowered", Severity.BLOCK, entry.index, entry.key)
            continue
        if weight := _worse(pair, entry, was):
            rule, severity = weight
            yield reading.hit(rule, severity, entry.index, f"{entry.key}: {was} to {entry.value}")
    if pair.change.file.deleted:
        return
    for reading, entry in old:
        named = re.search(r"(?i)threshold|fail[-_]?under|minimum|coverage", entry.key)
        if not named or not _THRESHOLD.search(entry.key) or _number(entry.value) is None:
            continue
        if not any(other.rsplit(".", 1)[-1] == entry.last for other in after):
            yield reading.hit("threshold-lowered", Severity.BLOCK, entry.index, f"-{entry.key}")


def gradle_hits(pair: Pair) -> Iterator[Hit]:
    """The same for build files that are code: `maxIssues = 50`, `minimum = 0.5`."""
    if pair.change.place.language not in (Language.JVM, Language.MARKUP):
        return
    if pair.change.place.role is Role.TEST:
        return
    for old, (reading, index, new) in replaced(pair):
        one, other = _ASSIGNED.search(old), _ASSIGNED.search(new)
        if one and other and one[1] == other[1]:
            lower = float(other[2]) < float(one[2])
            if (
                lower
                if re.search(r"(?i)min|threshold|toolLevel", one[1])
                else not lower and old != new
            ):
                what = f"{one[1]}: {one[2]} to {other[2]}"
                yield reading.hit("threshold-lowered", Severity.BLOCK, index, what)


def _worse(pair: Pair, entry: Entry, was: str) -> tuple[str, Severity] | None:
    key, value = entry.key, entry.value
    if _AUDIT_LEVEL.search(key):
        one, other = was.lower(), value.lower()
        if one in _LEVELS and other in _LEVELS and _LEVELS.index(other) > _LEVELS.index(one):
            return "audit-weakened", Severity.BLOCK
        return None
    one_number, other_number = _number(was), _number(value)
    if one_number is None or other_number is None:
        return None
    if (
        _THRESHOLD.search(key)
        and other_number < one_number
        and pair.change.place.role is not Role.CI
    ):
        return "threshold-lowered", Severity.BLOCK
    if _CEILING.search(key) and other_number > one_number:
        hard = re.search(r"(?i)warnings|issues|errors?|violations|problems", key)
        return "threshold-lowered", Severity.BLOCK if hard else Severity.REVIEW
    retried = re.search(r"(?i)(?:retries|reruns|retry)$", key)
    if retried and other_number > one_number and pair.change.place.role in _RETRYING:
        return "test-retried", Severity.BLOCK
    if _TIMEOUT.search(key) and other_number > one_number:
        return "timeout-raised", Severity.REVIEW
    return None


def _number(text: str) -> float | None:
    match = re.fullmatch(r"\s*(-?\d{1,9}(?:\.\d{1,6})?)\s*(?:%|s|ms|m)?\s*", text)
    return float(match[1]) if match else None
