"""What a change does to whole files without a line of text: renamed, moved away, no longer run."""

import re
from collections.abc import Iterator, Sequence

from codeb_mcp.guard.places import Role
from codeb_mcp.guard.reading import Hit, Pair, Reading
from codeb_mcp.guard.rules import Severity

_READ_BY_NAME = frozenset((Role.CONFIG, Role.HOOK, Role.CI))
_ASIDE = re.compile(
    r"(?i)(?:[._-](?:bak|old|orig|disabled?|off|skip(?:ped)?|unused|ignore|tmp|txt|todo)|~)$"
)


def file_hits(pairs: Sequence[Pair]) -> Iterator[Hit]:
    """Files that are still there and no longer found, or no longer run."""
    for pair in pairs:
        change = pair.change
        file = change.file
        reading = next(iter((*pair.new, *pair.old)), None)
        if reading is None:
            continue
        if file.renamed and change.old_place.role in _READ_BY_NAME:
            yield from _renamed(pair, reading)
        hooked = change.place.role is Role.HOOK
        if hooked and _runs(file.old_mode) and file.new_mode and not _runs(file.new_mode):
            yield reading.hit("hook-skipped", Severity.BLOCK, 0, f"mode {file.new_mode}")


def _runs(mode: str) -> bool:
    return mode.endswith(("755", "775", "777"))


def _renamed(pair: Pair, reading: Reading) -> Iterator[Hit]:
    file = pair.change.file
    role = pair.change.old_place.role
    aside = bool(_ASIDE.search(file.new_path)) and not _ASIDE.search(file.old_path)
    if aside or (role is Role.CI and pair.change.place.role is not Role.CI):
        rule = {Role.CI: "workflow-disabled", Role.HOOK: "hook-skipped"}.get(role, "rule-disabled")
        yield reading.hit(rule, Severity.BLOCK, 0, f"renamed to {file.new_path}"[:120])
