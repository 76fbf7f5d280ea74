"""The verdict on a change: every finding, with the reason and the honest way instead."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from codeb_mcp.domain.masking import mask
from codeb_mcp.guard.allowances import Allowance
from codeb_mcp.guard.checks.commands import command_hits
from codeb_mcp.guard.checks.config import config_hits
from codeb_mcp.guard.checks.evading import evading_hits
from codeb_mcp.guard.checks.exactness import exactness_hits
from codeb_mcp.guard.checks.fetching import remote_hits
from codeb_mcp.guard.checks.files import file_hits
from codeb_mcp.guard.checks.images import image_hits
from codeb_mcp.guard.checks.modes import mode_hits
from codeb_mcp.guard.checks.narrowing import narrowing_hits
from codeb_mcp.guard.checks.patterns import pattern_hits
from codeb_mcp.guard.checks.people import people_hits
from codeb_mcp.guard.checks.rethrow import rethrow_hits
from codeb_mcp.guard.checks.secrets import secret_hits
from codeb_mcp.guard.checks.softening import softened
from codeb_mcp.guard.checks.swallow import swallow_hits
from codeb_mcp.guard.checks.testing import test_change_hits
from codeb_mcp.guard.checks.unguarded import unguarded_hits
from codeb_mcp.guard.checks.workflow import workflow_hits
from codeb_mcp.guard.diff import parse_diff
from codeb_mcp.guard.places import place_of
from codeb_mcp.guard.reading import Hit, Pair, Reading
from codeb_mcp.guard.rules import Rules, Severity
from codeb_mcp.guard.sides import Change, Whole, change_of

LONGEST_TEXT = 200
_CHANGE_CHECKS = (
    test_change_hits,
    config_hits,
    workflow_hits,
    narrowing_hits,
    file_hits,
    rethrow_hits,
    unguarded_hits,
    exactness_hits,
    image_hits,
    evading_hits,
    people_hits,
)
_SIDE_CHECKS = (command_hits, remote_hits, mode_hits, swallow_hits, secret_hits)
_TOKEN = re.compile(r"\w+")
_CANDIDATES = 40


class Decision(StrEnum):
    """What may happen with a change."""

    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `line` counts in the new file, or in the old one for what was taken out."""

    rule: str
    severity: Severity
    path: str
    line: int
    text: str
    why: str
    instead: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says of one diff. It binds to that diff by its SHA-256."""

    decision: Decision
    diff_sha256: str
    findings: tuple[Finding, ...]


def judge(
    diff: str,
    rules: Rules,
    *,
    wholes: Mapping[str, Whole] | None = None,
    allowances: Sequence[Allowance] = (),
    today: date = date.max,
) -> Verdict:
    """Judge a unified diff. InvalidRequest when it cannot be parsed.

    `wholes` gives the whole text of files by their path, so that a fragment need not be guessed
    at. `allowances` that are not over on `today` take away the findings that they cover.
    """
    files = parse_diff(diff)
    changes = [
        change_of(file, place_of(file.path), place_of(file.old_path or file.path), wholes or {})
        for file in files
    ]
    pairs = [_pair(change) for change in changes]
    hits = list(_added_only(_side_hits(pairs, rules)))
    for check in _CHANGE_CHECKS:
        hits += check(pairs)
    findings = _findings(hits, rules)
    kept = tuple(
        f for f in findings if not any(a.covers(f.rule, f.path, f.text, today) for a in allowances)
    )
    digest = hashlib.sha256(diff.encode("utf-8", "surrogateescape")).hexdigest()
    return Verdict(_decision(kept), digest, kept)


def _decision(findings: Sequence[Finding]) -> Decision:
    if any(finding.severity is Severity.BLOCK for finding in findings):
        return Decision.BLOCK
    return Decision.REVIEW if findings else Decision.ALLOW


def _pair(change: Change) -> Pair:
    return Pair(
        change,
        tuple(Reading(side, change.old) for side in change.new),
        tuple(Reading(side, change.new) for side in change.old),
    )


def _side_hits(pairs: Sequence[Pair], rules: Rules) -> tuple[list[Hit], list[Hit]]:
    new = [hit for pair in pairs for reading in pair.new for hit in _hits_of(reading, rules)]
    kinds = {hit.rule for hit in new}
    if not kinds:
        return [], []
    old = [hit for pair in pairs for reading in pair.old for hit in _hits_of(reading, rules)]
    return new, [hit for hit in old if hit.rule in kinds]


def _hits_of(reading: Reading, rules: Rules) -> Iterator[Hit]:
    side = reading.side
    if not side.changed and not side.cuts:
        return
    for hit in pattern_hits(reading, rules):
        if side.touched(hit.first, hit.last):
            yield softened(hit, reading)
    for check in _SIDE_CHECKS:
        for hit in check(reading):
            if side.touched(hit.first, hit.last):
                yield softened(hit, reading)


def _added_only(sides: tuple[list[Hit], list[Hit]]) -> Iterator[Hit]:
    """The hits that the old side does not have: what was moved or made narrower was not added."""
    new, old = sides
    exact: dict[tuple[str, str], list[Hit]] = defaultdict(list)
    near: dict[tuple[str, str], list[Hit]] = defaultdict(list)
    for hit in old:
        exact[hit.rule, hit.key].append(hit)
        near[hit.rule, hit.side.place.path].append(hit)
    used: set[int] = set()
    for hit in new:
        candidates = (
            exact[hit.rule, hit.key][:_CANDIDATES]
            + near[hit.rule, hit.side.place.path][:_CANDIDATES]
        )
        for other in candidates:
            if id(other) not in used and _covers(other, hit):
                used.add(id(other))
                break
        else:
            yield hit


def _covers(old: Hit, new: Hit) -> bool:
    if not _similar(old.host, new.host):
        return False
    if old.key == new.key:
        return True
    return _narrower(old.key, new.key)


def _similar(one: str, other: str) -> bool:
    if one == other or not one or not other:
        return True
    a, b = set(_TOKEN.findall(one)), set(_TOKEN.findall(other))
    if not a or not b:
        return one == other
    return len(a & b) >= 0.6 * min(len(a), len(b))


_TIGHTER = {
    ("@ts-ignore", "@ts-expect-error"),
    ("@ts-nocheck", "@ts-ignore"),
    ("@ts-nocheck", "@ts-expect-error"),
}


def _narrower(old: str, new: str) -> bool:
    """Whether a directive says less than the one it replaces: `noqa` became `noqa: F401`."""
    if (old, new) in _TIGHTER:
        return True
    a, b = old.replace("[", " ").split(), new.replace("[", " ").split()
    head = re.split(r"[\s:=\[(]", old)[0]
    if head != re.split(r"[\s:=\[(]", new)[0]:
        return False
    codes_old = set(_TOKEN.findall(old)) - set(_TOKEN.findall(head))
    codes_new = set(_TOKEN.findall(new)) - set(_TOKEN.findall(head))
    del a, b
    if not codes_old or codes_old == {"ignore"}:
        return bool(codes_new)
    return bool(codes_new) and codes_new < codes_old


def _printable(text: str) -> str:
    """`text` with what is no character replaced, so that it can be printed and sent."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _findings(hits: Sequence[Hit], rules: Rules) -> list[Finding]:
    found: dict[tuple[str, str, int], Finding] = {}
    for hit in hits:
        rule = rules.get(hit.rule)
        side = hit.side
        line = side.number(hit.first)
        text = mask(_printable(side.raw[hit.first].strip()[:LONGEST_TEXT]))
        key = (hit.rule, side.place.path, line)
        known = found.get(key)
        if known is None or (known.severity is Severity.REVIEW and hit.severity is Severity.BLOCK):
            found[key] = Finding(
                hit.rule,
                hit.severity,
                _printable(side.place.path),
                line,
                text,
                rule.why,
                rule.instead,
            )
    order = {Severity.BLOCK: 0, Severity.REVIEW: 1}
    return sorted(found.values(), key=lambda f: (order[f.severity], f.path, f.line, f.rule))
