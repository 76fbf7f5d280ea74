"""Assertions that are held to less: a wider tolerance, any exception, no waiting for the answer."""

import re
from collections.abc import Iterator, Sequence

from codeb_mcp.guard.checks.testing import replaced
from codeb_mcp.guard.places import Role
from codeb_mcp.guard.reading import Hit, Pair
from codeb_mcp.guard.rules import Severity

_TOLERANCE = re.compile(
    r"\b(?:abs|rel|atol|rtol|delta|epsilon|eps|tolerance|tol|msg_tolerance|maxDiffPixels"
    r"|maxDiffPixelRatio|threshold|within|be_within) ?[=:(] ?([\d.]+(?:e-?\d+)?)"
)
_CLOSE = re.compile(r"\.(?:toBeCloseTo|assertAlmostEquals?)\([^\n]{0,200}?, ?(\d+) ?\)")
_RAISED = re.compile(
    r"\b(?:raises|assertRaises\w*|assertThrows|Throws(?:Async)?|toThrow\w*|raise_error|expectException"
    r"|should_panic)\b ?[(<]? ?(\w*)"
)
_ANY = frozenset(("Exception", "BaseException", "Error", "Throwable", "StandardError", "Object"))
_AWAITED = re.compile(r"^(?:await|return) (?=expect\()")
_PROMISED = re.compile(r"\.(?:resolves|rejects)\b")
_WIDER = 10


def exactness_hits(pairs: Sequence[Pair]) -> Iterator[Hit]:
    """The assertions of tests that are still there and prove less."""
    for pair in pairs:
        if pair.change.place.role is not Role.TEST:
            continue
        for old, (reading, index, new) in replaced(pair):
            if old != new and (weight := _looser(old, new)):
                yield reading.hit("assertion-weakened", weight, index, new[:120])


def _looser(old: str, new: str) -> Severity | None:
    if _AWAITED.match(old) and _PROMISED.search(new) and _AWAITED.sub("", old) == new:
        return Severity.BLOCK
    one, other = _RAISED.search(old), _RAISED.search(new)
    if one and other and other[1] in _ANY and one[1] not in (*_ANY, ""):
        return Severity.BLOCK
    return _tolerance(old, new)


def _tolerance(old: str, new: str) -> Severity | None:
    before, after = _TOLERANCE.search(old), _TOLERANCE.search(new)
    if after and re.search(r"(?i)approx|close|almost|within|delta|tol|diff|allclose|eps", new):
        was = float(before[1].strip(".") or 0) if before else 0.01
        now = float(after[1].strip(".") or 0)
        if now > was:
            return Severity.BLOCK if now >= was * _WIDER else Severity.REVIEW
    places, fewer = _CLOSE.search(old), _CLOSE.search(new)
    if places and fewer and int(fewer[1][:9]) < int(places[1][:9]):
        return Severity.BLOCK if int(fewer[1][:9]) <= 0 else Severity.REVIEW
    return None
