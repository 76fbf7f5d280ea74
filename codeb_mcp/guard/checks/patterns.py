"""The patterns of the rules, held against one side."""

import re
from collections.abc import Iterator

from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Reading, squeezed
from codeb_mcp.guard.rules import Match, Rule, Rules, Severity, Where
from codeb_mcp.guard.shell import Command

_MARKS = re.compile(
    r"^(?:<!--|//+[!/]?|/\*+!?|\*+(?!/)|#+!?|--+(?:\[\[)?|;+|%+|\{-|\(\*|REM |\"\"\"|''')[ \t]*",
    re.I,
)
_TAIL = re.compile(r"[ \t]*(?:\*+/|-->|-\}|\*\))[ \t]*$")
_NEXT = re.compile(r"(?<![`'\"\w])(?=(?:#|//)[ \t]*\w)")
_SPREAD = re.compile(
    r"/\*+[\s*]{0,40}((?:eslint|@?ts-|biome|deno|tslint|jshint|pyright)[^*]{1,400})"
)
"""A directive that is written over several lines of one comment."""
_TALKERS = frozenset(("echo", "printf", "cat", "grep", "rg", "sed", "awk"))
"""Their words are text, not options of a check."""
_FAKE = re.compile(
    r"EXAMPLE|x{6,}|X{6,}|0{8,}|1234567|abcdef(?:gh|12)|<[a-z_-]+>|\.\.\.|\$\{", re.I
)


def pattern_hits(reading: Reading, rules: Rules) -> Iterator[Hit]:
    """Every hit of every pattern."""
    yield from _comments(reading, rules)
    yield from _texts(reading, rules, Where.CODE)
    yield from _texts(reading, rules, Where.LIVE)
    yield from _lines(reading, rules)
    yield from _commands(reading, rules)
    yield from _settings(reading, rules)


def _wanted(reading: Reading, match: Match) -> bool:
    place = reading.place
    if match.roles and place.role not in match.roles:
        return False
    if place.role in match.not_roles:
        return False
    return not match.needs or not match.needs.isdisjoint(reading.words)


def _patterns(reading: Reading, rules: Rules, where: Where) -> list[tuple[Rule, Match]]:
    """The patterns that can have a hit on this side."""
    if reading.place.language is Language.PROSE:
        return []
    every = rules.patterns(where, reading.place.language)
    return [(rule, match) for rule, match in every if _wanted(reading, match)]


def _severity(reading: Reading, match: Match) -> Severity:
    # what a fixture holds is looked at, not run
    return Severity.REVIEW if reading.place.role is Role.FIXTURE else match.severity


def comment_parts(text: str) -> Iterator[tuple[int, str]]:
    """The parts of a comment that may be directives, each with its line in the comment."""
    for number, line in enumerate(text.split("\n")):
        body = squeezed(_TAIL.sub("", line.strip()))
        for part in _NEXT.split(body):
            stripped = part.strip()
            previous = None
            while stripped != previous:
                previous, stripped = stripped, _MARKS.sub("", stripped, count=1).strip()
            if stripped:
                yield number, stripped
    if "\n" in text and (whole := _SPREAD.match(text)):
        yield 0, squeezed(whole[1].replace("\n", " "))


def _comments(reading: Reading, rules: Rules) -> Iterator[Hit]:
    wanted = [
        (r, m)
        for r, m in rules.patterns(Where.COMMENT, reading.place.language)
        if _wanted(reading, m)
    ]
    if not wanted:
        return
    side = reading.side
    for offset, text in side.masked.comments:
        first = side.index_at(offset)
        for number, part in comment_parts(text):
            for rule, match in wanted:
                if found := match.pattern.search(part):
                    at = first + number
                    key = squeezed(found.group())
                    host = side.host(at)
                    yield reading.hit(rule.id, _severity(reading, match), at, key, host=host)
                    break


def _texts(reading: Reading, rules: Rules, where: Where) -> Iterator[Hit]:
    wanted = [
        (r, m) for r, m in rules.patterns(where, reading.place.language) if _wanted(reading, m)
    ]
    if not wanted:
        return
    lines = reading.code if where is Where.CODE else reading.live
    text = "\n".join(lines)
    for rule, match in wanted:
        for found in match.pattern.finditer(text):
            first = text.count("\n", 0, found.start())
            key = squeezed(found.group())
            yield reading.hit(rule.id, _severity(reading, match), first, key)


def _lines(reading: Reading, rules: Rules) -> Iterator[Hit]:
    for rule, match in rules.patterns(Where.LINE, reading.place.language):
        if not _wanted(reading, match):
            continue
        if match.contains and not any(each in reading.side.text for each in match.contains):
            continue
        for index in sorted(reading.side.changed):
            line = reading.side.lines[index]
            if (found := match.pattern.search(line)) and not _FAKE.search(found.group()):
                severity = Severity.REVIEW if reading.place.is_test else match.severity
                yield reading.hit(rule.id, severity, index, found.group()[:60])


def _commands(reading: Reading, rules: Rules) -> Iterator[Hit]:
    wanted = [
        (r, m)
        for r, m in rules.patterns(Where.COMMAND, reading.place.language)
        if _wanted(reading, m)
    ]
    if not wanted:
        return
    for command, _ in reading.commands:
        if command.name in _TALKERS:
            continue
        text = command_text(command)
        for rule, match in wanted:
            if found := match.pattern.search(text):
                key = squeezed(found.group())
                yield _command_hit(reading, rule, match, command.line, key)


def _command_hit(reading: Reading, rule: Rule, match: Match, line: int, key: str) -> Hit:
    return reading.hit(rule.id, _severity(reading, match), line, key)


def command_text(command: Command) -> str:
    """A command in one line: its assignments, then its words."""
    heads = [f"{name}={value}" for name, value in command.assignments]
    return squeezed(" ".join([*heads, *command.words]).replace("\n", " "))[:2000]


def _settings(reading: Reading, rules: Rules) -> Iterator[Hit]:
    wanted = [
        (r, m)
        for r, m in rules.patterns(Where.SETTING, reading.place.language)
        if _wanted(reading, m)
    ]
    if not wanted:
        return
    for entry in reading.entries:
        key = entry.key
        value = entry.value[:400]
        for rule, match in wanted:
            if match.key is None or entry.block:
                continue
            if match.key.search(key) and match.pattern.search(value):
                what = f"{entry.last}={squeezed(value)}"
                host = f"{key}={squeezed(value)}"
                yield reading.hit(rule.id, _severity(reading, match), entry.index, what, host=host)
