"""What a person decides, and what no fix may touch."""

import re
from collections.abc import Iterator, Sequence

from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Pair, Reading
from codeb_mcp.guard.rules import Severity

_ROLE_RULES = {
    Role.CI: "workflow-changed",
    Role.HOOK: "workflow-changed",
    Role.LOCK: "lockfile-changed",
    Role.MIGRATION: "migration-changed",
    Role.INFRA: "infrastructure-changed",
    Role.CONTAINER: "infrastructure-changed",
    Role.SNAPSHOT: "snapshot-changed",
}
_AUTH = re.compile(
    r"(?i)(?:^|/|[._-])(?:auth|authn|authz|authentication|authorization|login|oauth2?|permissions?"
    r"|acl|rbac|jwt|passwords?|sessions?)(?:/|[._-]|$)"
)
_GUARD = re.compile(r"\bcodeb[ -]guard\b|\bvet_fix\b")
_EXCEPTIONS = re.compile(r"(?:^|/)\.codeb/|(?:^|/)guard-allow\.toml$")


def people_hits(pairs: Sequence[Pair]) -> Iterator[Hit]:
    """One hit per file that a person must look at, or that a fix may not change."""
    kept = any(_GUARD.search(text) for pair in pairs for _, _, text in pair.added_lines())
    for pair in pairs:
        reading = _first(pair)
        if reading is None:
            continue
        change = pair.change
        paths = (change.file.old_path, change.file.new_path)
        if any(_EXCEPTIONS.search(path.lower()) for path in paths if path):
            yield reading.hit("guard-changed", Severity.BLOCK, _at(reading), change.file.path)
        elif Role.GUARD in (change.place.role, change.old_place.role):
            yield reading.hit("guard-changed", Severity.REVIEW, _at(reading), change.file.path)
        elif change.place.language is not Language.PROSE and change.place.role is not Role.DOCS:
            yield from _guard_taken_out(pair, kept)
        rule = _ROLE_RULES.get(change.place.role) or _ROLE_RULES.get(change.old_place.role)
        if rule is None and change.place.role is Role.SOURCE and _AUTH.search(change.file.path):
            rule = "authentication-changed"
        if rule:
            yield reading.hit(rule, Severity.REVIEW, _at(reading), change.file.path)


def _first(pair: Pair) -> Reading | None:
    for reading in (*pair.new, *pair.old):
        if reading.side.changed:
            return reading
    return next(iter((*pair.new, *pair.old)), None)


def _at(reading: Reading) -> int:
    return min(reading.side.changed, default=0)


def _guard_taken_out(pair: Pair, kept: bool) -> Iterator[Hit]:
    if kept:
        return
    for reading, index, text in pair.removed_lines():
        if _GUARD.search(text):
            yield reading.hit("guard-changed", Severity.BLOCK, index, text[:120])
