"""Checks that are no longer run: steps, scripts, hooks, instructions, triggers."""

import re
from collections.abc import Iterator, Sequence

from codeb_mcp.guard.checks.families import families_of, families_of_text
from codeb_mcp.guard.checks.patterns import command_text
from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Pair, Reading
from codeb_mcp.guard.rules import Severity
from codeb_mcp.guard.shell import Command

Ran = tuple[Reading, Command, frozenset[str]]

_ROLES = frozenset((Role.CI, Role.HOOK, Role.MANIFEST, Role.CONTAINER, Role.CONFIG))
_EVENTS = re.compile(r"^(?:push|pull_request|pull_request_target|merge_group|schedule)$")
_STRICT = re.compile(
    r"(?<=\s)(--max-warnings[= ]0|--strict\b|--cov-fail-under[= ]\d+|--fail-under[= ]\d+|-Werror\b"
    r"|--Werror|--frozen-lockfile|--immutable|--locked\b|--forbid-only"
    r"|--fail-on-\S+|--error-on-\S+|--exit-code[= ]1|--fail-fast-never|--strict-markers"
    r"|-W ?error\b|--check\b|--require-hashes|--noUnused\S*|--report-unused-disable-directives"
    r"|--coverage\.thresholds\S*|--error-exitcode[= ]\d|--fatal-warnings|--warnings-as-errors"
    r"|--enforce\S*|-D ?warnings|--deny[= ]\S+|--threshold\S*|--typecheck|--no-error-on\S*-never)"
)
_SOFT_STRICT = re.compile(
    r"(?<=\s)(--coverage\b|--cov\b\S*|-race\b|--ci\b|--all-targets|--all-features|--verbose-fail"
    r"|--runInBand)"
)
_LEVEL = re.compile(r"--(?:audit-level|severity-threshold|fail-on|minimum-severity)[= ](\w+)")
_LEVELS = ("info", "low", "moderate", "medium", "high", "critical", "none")
_ERREXIT = re.compile(r"^set -[a-z]*e|^set -o (?:errexit|pipefail)|^set -[a-z]*o pipefail")
_STRICT_SHELL = re.compile(r"^#!.*sh\b.* -\w*e|^SHELL\b.*(?:pipefail|\"-\w*e)")
_LINE_OF_HOOK = re.compile(r"^-? ?id: ?([\w-]+)")


def workflow_hits(pairs: Sequence[Pair]) -> Iterator[Hit]:
    """The checks that the change no longer runs."""
    added = frozenset(
        f for pair in pairs for _, _, families in _ran(pair.new, changed=True) for f in families
    )
    for pair in pairs:
        if pair.change.place.role in _ROLES or _runs(pair):
            yield from _removed_commands(pair, added)
            yield from _loosened(pair)
            yield from _errexit(pair)
        if Role.CI in (pair.change.place.role, pair.change.old_place.role):
            yield from _removed_uses(pair, pairs)
            yield from _triggers(pair)
        if pair.change.place.language is Language.YAML:
            yield from _removed_includes(pair)
        if pair.change.old_place.role is Role.HOOK:
            yield from _removed_hooks(pair, pairs)


def _runs(pair: Pair) -> bool:
    place = pair.change.old_place
    return place.language in (Language.SHELL, Language.MAKE) and place.role is not Role.FIXTURE


def _ran(readings: tuple[Reading, ...], changed: bool) -> Iterator[Ran]:
    """The checks that a side runs: on its changed lines, or on all."""
    for reading in readings:
        if not reading.side.changed or reading.place.role in (Role.FIXTURE, Role.DOCS):
            continue
        for command, _ in reading.commands:
            if changed and command.line not in reading.side.changed:
                continue
            if families := families_of(command.words):
                yield reading, command, families


def _removed_commands(pair: Pair, added: frozenset[str]) -> Iterator[Hit]:
    if pair.change.file.deleted and pair.change.old_place.role is not Role.CI:
        return
    kept = frozenset(
        f
        for reading, command, families in _ran(pair.new, changed=False)
        if command.line not in reading.side.changed
        for f in families
    )
    for reading, command, families in _ran(pair.old, changed=True):
        if families <= {"format"}:
            continue
        missing = families - added
        if missing and not (families & added):
            firm = pair.change.old_place.role in (
                Role.CI,
                Role.HOOK,
                Role.MANIFEST,
                Role.CONTAINER,
            ) or bool(families & {"test", "lint", "types", "audit"})
            weight = Severity.BLOCK if firm and not families <= kept else Severity.REVIEW
            yield reading.hit("check-removed", weight, command.line, command_text(command)[:120])


def _loosened(pair: Pair) -> Iterator[Hit]:
    """A check that runs on with fewer of its strict options."""
    new = list(_ran(pair.new, changed=True))
    for _, old_command, families in _ran(pair.old, changed=True):
        old = command_text(old_command)
        for reading, command, others in new:
            if not families & others or _program(command) != _program(old_command):
                continue
            text = command_text(command)
            dropped = [
                flag
                for flag in _STRICT.findall(old)
                if flag.split("=")[0].split(" ")[0] not in text
            ]
            soft = [flag for flag in _SOFT_STRICT.findall(old) if flag not in text]
            if dropped:
                yield reading.hit("check-loosened", Severity.BLOCK, command.line, f"-{dropped[0]}")
            elif soft:
                yield reading.hit("check-loosened", Severity.REVIEW, command.line, f"-{soft[0]}")
            elif _less_severe(old, text):
                yield reading.hit("audit-weakened", Severity.BLOCK, command.line, text[:120])
            break


def _program(command: Command) -> str:
    return next(
        (
            w
            for w in command.words
            if w not in ("npx", "run", "exec", "python", "-m", "uv", "poetry")
        ),
        "",
    )


def _less_severe(old: str, new: str) -> bool:
    one, other = _LEVEL.search(old), _LEVEL.search(new)
    if not one or not other or one[1] not in _LEVELS or other[1] not in _LEVELS:
        return False
    return _LEVELS.index(other[1]) > _LEVELS.index(one[1])


def _errexit(pair: Pair) -> Iterator[Hit]:
    """`set -e` that is there no more."""
    removed = [text for _, _, text in pair.removed_lines()]
    yield from _interpreter(pair)
    if pair.change.file.deleted or any(re.match(r"set \+", text) for text in removed):
        return
    left = sum(1 for reading in pair.new for text in reading.live if text)
    weight = Severity.REVIEW if len(removed) > 4 * left + 10 else Severity.BLOCK
    added = [
        text
        for _, _, text in pair.added_lines()
        if re.match(r"set -|set \+", text) or re.search(r"^#!.* -\w*e", text)
    ]
    strict = any(re.match(r"set -[a-z]*e|set -o errexit", text) for text in added)
    for reading, index, text in pair.removed_lines():
        if _ERREXIT.match(text) and not strict:
            rest = [t for r in pair.new for t in r.live if re.match(r"set -[a-z]*e", t)]
            if not rest:
                yield reading.hit("error-ignored", weight, index, text)
        elif (
            "pipefail" in text
            and text.startswith("set ")
            and added
            and not any("pipefail" in t for t in added)
        ):
            yield reading.hit("error-ignored", Severity.BLOCK, index, text)


def _interpreter(pair: Pair) -> Iterator[Hit]:
    """`bash -e` in the first line, or in a SHELL instruction, that became plain `bash`."""
    if pair.change.file.deleted:
        return
    raw = " ".join(reading.side.lines[index] for reading, index, _ in pair.added_lines())
    for reading, index, _ in pair.removed_lines():
        line = reading.side.lines[index]
        if _STRICT_SHELL.search(line) and not re.search(r"(?:#!|SHELL|set) ?.*-\w*e", raw):
            yield reading.hit("error-ignored", Severity.BLOCK, index, line.strip()[:120])


def _removed_uses(pair: Pair, pairs: Sequence[Pair]) -> Iterator[Hit]:
    """Actions that check, taken out."""
    kept = frozenset(
        family
        for each in pairs
        for _, _, text in each.added_lines()
        if "uses:" in text
        for family in families_of_text(text)
    ) | frozenset(
        f for each in pairs for _, _, families in _ran(each.new, changed=True) for f in families
    )
    for reading, index, text in pair.removed_lines():
        match = re.match(r"(?:- )?uses: ?[\"']?([^@\s\"']+)", text)
        if match and match[1].rsplit("/", 1)[-1] not in (
            "checkout",
            "cache",
            "setup-node",
            "setup-python",
        ):
            families = families_of_text(match[1]) - {"build", "format"}
            if families and not families & kept:
                yield reading.hit("check-removed", Severity.BLOCK, index, match[1])


def _removed_includes(pair: Pair) -> Iterator[Hit]:
    """Templates and update jobs of a pipeline that check, taken out."""
    added = {text for _, _, text in pair.added_lines()}
    for reading, index, text in pair.removed_lines():
        match = re.match(r"(?:- )?(?:template|component|local|remote|file|extends): ?(\S+)", text)
        if match and families_of_text(match[1]) - {"build", "format"} and text not in added:
            yield reading.hit("check-removed", Severity.BLOCK, index, match[1])
        elif re.match(r"(?:- )?package-ecosystem:", text) and text not in added:
            yield reading.hit("audit-weakened", Severity.REVIEW, index, text)


def _removed_hooks(pair: Pair, pairs: Sequence[Pair]) -> Iterator[Hit]:
    added = {text for each in pairs for _, _, text in each.added_lines()}
    kept = frozenset(f for text in added for f in families_of_text(text))
    for reading, index, text in pair.removed_lines():
        match = _LINE_OF_HOOK.match(text)
        if match and not any(match[1] in each for each in added):
            families = families_of_text(match[1])
            weight = Severity.REVIEW if families and families <= kept else Severity.BLOCK
            yield reading.hit("check-removed", weight, index, match[1])


def _triggers(pair: Pair) -> Iterator[Hit]:
    """Events that no longer start a workflow."""
    if pair.change.file.deleted:
        return
    lost = [(r, i, e) for r, i, e in _events(pair.old, changed=True)]
    new = {event for _, _, event in _events(pair.new, changed=False)}
    for reading, index, event in lost:
        if event in new or event == "schedule":
            continue
        rest = new & {"push", "pull_request", "merge_group", "pull_request_target"}
        yield reading.hit(
            "workflow-disabled", Severity.REVIEW if rest else Severity.BLOCK, index, f"-{event}"
        )


def _events(readings: tuple[Reading, ...], changed: bool) -> Iterator[tuple[Reading, int, str]]:
    for reading in readings:
        for entry in reading.entries:
            if changed and entry.index not in reading.side.changed:
                continue
            path = [part for part in entry.path if part != "-"]
            if path[:1] in (["on"], ["true"]):
                if len(path) > 1 and _EVENTS.match(path[1]):
                    yield reading, entry.index, path[1]
                elif len(path) == 1 and _EVENTS.match(entry.value):
                    yield reading, entry.index, entry.value
