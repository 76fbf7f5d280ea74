"""Checks that still run and look at less: fewer paths, fewer goals, only by hand."""

import re
from collections.abc import Iterator, Sequence

from codeb_mcp.guard.checks.families import families_of, families_of_text
from codeb_mcp.guard.checks.patterns import command_text
from codeb_mcp.guard.checks.testing import replaced
from codeb_mcp.guard.entries import Entry
from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Pair, Reading
from codeb_mcp.guard.rules import Severity
from codeb_mcp.guard.shell import Command
from codeb_mcp.guard.words import words

_LOOKING = words(
    "eslint tsc jest vitest mocha pytest mypy ruff flake8 pylint pyright prettier stylelint "
    "biome oxlint rubocop rspec phpstan phpunit psalm bandit shellcheck golangci-lint go ava "
    "cypress playwright py.test basedpyright ty black isort hadolint yamllint tsd nyc c8"
)
_VALUED = frozenset(
    ("-c", "--config", "-p", "--project", "-o", "--output-file", "-f", "--format", "-n", "--ext")
)
_PATH = re.compile(
    r"[\w.*{},@/\[\]-]*(?:/|\*|\.[a-z]{1,5}$|^\.{1,3}$)[\w.*{},@/\[\]:-]*|(?:src|lib|app)"
)
_GOALS = re.compile(r"^([\w.-]{1,60}) ?:(?!=) ?([\w. -]{0,300})$")
_BY_HAND = re.compile(r"^(?:manual|never|on_fail|on_failure|delayed)$")
_CHOOSING = re.compile(
    r"(?<=\s)(?:-k|-m|-t|-g|-run|--grep|--fgrep|--testNamePattern|--test-name-pattern"
    r"|--testPathPatterns?|--filter|--tests|--only|--onlyChanged|--changed|--changedSince"
    r"|--findRelatedTests|--related|--spec|--suite|--lf|--last-failed|--tag|--tags|--include"
    r"|-Dtest|--example|--group|--testsuite|--lastCommit)(?=[= ]|$)"
)
_KEPT_LISTS = re.compile(r"^(?:jobs|needs|requires|dependsOn|depends_on|stages)$")
_TASK = re.compile(r"^(?:multi)?task\b|\b(?:dependsOn|finalizedBy|depends_on)\b")


def narrowing_hits(pairs: Sequence[Pair]) -> Iterator[Hit]:
    """The checks of which the change leaves a part."""
    for pair in pairs:
        language = pair.change.place.language
        if pair.change.place.role in (Role.FIXTURE, Role.DOCS):
            continue
        yield from _paths(pair)
        if language is Language.MAKE:
            yield from _goals(pair)
        elif language in (Language.RUBY, Language.JVM):
            yield from _depended(pair)
        elif language is Language.YAML:
            yield from _jobs(pair)
            yield from _by_hand(pair)
            yield from _lists(pair)
            yield from _retried(pair)


def _paths(pair: Pair) -> Iterator[Hit]:
    """`eslint .` that became `eslint src/index.ts`."""
    new = list(_looking(pair.new))
    still = {command.words for _, command in new}
    old = [(r, command) for r, command in _looking(pair.old) if command.words not in still]
    for reading, command in new:
        match = next((o for _, o in old if _tool(o) == _tool(command)), None)
        if match is None or any(c.words == command.words for _, c in old):
            continue
        chosen = _CHOOSING.search(command_text(command))
        if chosen and not _CHOOSING.search(command_text(match)):
            yield reading.hit("scope-narrowed", Severity.BLOCK, command.line, chosen.group())
            continue
        before, after = _arguments(match), _arguments(command)
        if after and all(_beneath(path, before) for path in after) and set(after) != set(before):
            weight = Severity.BLOCK if any(_narrow(p) for p in after) else Severity.REVIEW
            yield reading.hit("scope-narrowed", weight, command.line, " ".join(after)[:120])


def _looking(readings: tuple[Reading, ...]) -> Iterator[tuple[Reading, Command]]:
    for reading in readings:
        if reading.side.changed and not reading.words.isdisjoint(_LOOKING):
            for command, _ in reading.commands:
                if command.line in reading.side.changed and _tool(command):
                    yield reading, command


def _tool(command: Command) -> str:
    return next((w for w in command.words[:5] if w.rsplit("/", 1)[-1] in _LOOKING), "")


def _arguments(command: Command) -> list[str]:
    """The paths that the tool is given, not those of its options."""
    rest = list(command.words)
    rest = rest[rest.index(_tool(command)) + 1 :]
    paths: list[str] = []
    for at, word in enumerate(rest):
        if word.startswith("-") or (at and rest[at - 1] in _VALUED):
            continue
        if _PATH.fullmatch(word):
            paths.append(word.removeprefix("./") or ".")
    return paths


def _beneath(path: str, before: Sequence[str]) -> bool:
    """Whether `path` is one of those looked at before, or lies in one of them."""
    if not before:
        return True
    return any(
        top in (".", "./...", "...", "**", "*")
        or path == top
        or path.startswith(f"{top.rstrip('/*')}/")
        for top in before
    )


def _narrow(path: str) -> bool:
    """Whether `path` is one file, or a folder within a folder."""
    return (bool(re.search(r"\.[a-z]{1,5}$", path)) and "*" not in path) or path.strip("/").count(
        "/"
    ) > 1


def _goals(pair: Pair) -> Iterator[Hit]:
    """`check: lint test` that became `check: lint`."""
    for old, (reading, index, new) in replaced(pair):
        one, other = _GOALS.match(old), _GOALS.match(new)
        if one and other and one[1] == other[1]:
            for goal in one[2].split():
                if goal not in other[2].split() and families_of_text(goal):
                    yield reading.hit("check-removed", Severity.BLOCK, index, f"-{goal}")


def _depended(pair: Pair) -> Iterator[Hit]:
    """`task default: [:lint, :spec]` or `dependsOn("test")` that names a check less."""
    for old, (reading, index, new) in replaced(pair):
        if not _TASK.search(old) or not _TASK.search(new):
            continue
        lost = [name for name in re.findall(r"\w+", old) if not re.search(rf"\b{name}\b", new)]
        for name in lost:
            if families_of_text(name) - {"build"}:
                yield reading.hit("check-removed", Severity.BLOCK, index, f"-{name}")


def _retried(pair: Pair) -> Iterator[Hit]:
    """A check that an action now runs until it passes."""
    removed = any(
        command.line in reading.side.changed and "test" in families_of(command.words)
        for reading, command in _checks(pair.old)
    )
    for reading, index, text in pair.added_lines():
        if removed and re.match(r"(?:- )?uses: ?\S*/retry\b", text):
            yield reading.hit("test-retried", Severity.BLOCK, index, text[:120])


def _jobs(pair: Pair) -> Iterator[Hit]:
    """A job that a dot before its name hides."""
    if pair.change.place.role is not Role.CI:
        return
    gone = {text for _, _, text in pair.removed_lines()}
    for reading, index, text in pair.added_lines():
        if re.fullmatch(r"\.[\w-]+:", text) and text[1:] in gone:
            yield reading.hit("workflow-disabled", Severity.BLOCK, index, text)


def _by_hand(pair: Pair) -> Iterator[Hit]:
    """A check that was run by itself and now waits for a person, or for a failure."""
    role = pair.change.place.role
    if role not in (Role.CI, Role.HOOK):
        return
    before: set[tuple[str, ...]] | None = None
    for reading in pair.new:
        for entry in reading.entries:
            if entry.index not in reading.side.changed or not _BY_HAND.match(entry.value):
                continue
            if entry.last == "stages" and role is Role.HOOK:
                yield reading.hit("workflow-disabled", Severity.BLOCK, entry.index, entry.last)
            elif entry.last == "when" and role is Role.CI:
                before = {c.words for _, c in _checks(pair.old)} if before is None else before
                if _holds_check(reading, entry, before):
                    what = f"when: {entry.value}"
                    yield reading.hit("workflow-disabled", Severity.BLOCK, entry.index, what)


def _checks(readings: tuple[Reading, ...]) -> Iterator[tuple[Reading, Command]]:
    for reading in readings:
        for command, _ in reading.commands:
            if families_of(command.words):
                yield reading, command


def _holds_check(reading: Reading, when: Entry, before: set[tuple[str, ...]]) -> bool:
    """Whether the job or step that `when` belongs to runs a check that was run before."""
    lines = {c.line for _, c in _checks((reading,)) if c.words in before}
    parent = when.path[: when.path.index("when")] if "when" in when.path else when.path[:-1]
    if parent[-2:-1] == ("rules",):
        parent = parent[:-2]
    return any(
        entry.index in lines and entry.path[: len(parent)] == parent and entry.path != when.path
        for entry in reading.entries
    )


def _lists(pair: Pair) -> Iterator[Hit]:
    """A checking job that no list of jobs names any more."""
    if pair.change.place.role is not Role.CI or pair.change.file.deleted:
        return
    kept = {
        entry.value for r in pair.new for entry in r.entries if _KEPT_LISTS.match(entry.last)
    } | {entry.last for r in pair.new for entry in r.entries if "jobs" in entry.path}
    for reading in pair.old:
        for entry in reading.entries:
            gone = entry.index in reading.side.changed and _KEPT_LISTS.match(entry.last)
            if gone and entry.value and entry.value not in kept and families_of_text(entry.value):
                yield reading.hit("check-removed", Severity.BLOCK, entry.index, entry.value)
