"""The rules: data from `rules/bypass/*.toml`, parsed into types that can only hold valid ones."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from codeb_mcp.errors import InvalidRequest
from codeb_mcp.guard.places import Language, Role


class Severity(StrEnum):
    """What a finding leads to."""

    REVIEW = "review"
    BLOCK = "block"


class Where(StrEnum):
    """Which reading of a file a pattern is held against."""

    COMMENT = "comment"
    CODE = "code"
    LIVE = "live"
    LINE = "line"
    COMMAND = "command"
    SETTING = "setting"


@dataclass(frozen=True, slots=True)
class Match:
    """One pattern of a rule.

    `needs` are words in lower case of which the stretch must hold one, and `contains` pieces of
    text: they spare the pattern most of the work. `key` is for settings: what their key must match.
    """

    where: Where
    pattern: re.Pattern[str]
    key: re.Pattern[str] | None
    languages: frozenset[Language]
    roles: frozenset[Role]
    not_roles: frozenset[Role]
    needs: frozenset[str]
    contains: tuple[str, ...]
    severity: Severity


@dataclass(frozen=True, slots=True)
class Example:
    """A change of one file with the verdict it must get."""

    path: str
    old: str
    new: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `title` completes “in this change …”."""

    id: str
    title: str
    why: str
    instead: str
    severity: Severity
    matches: tuple[Match, ...]
    examples: tuple[Example, ...]


class Rules:
    """Every rule, by id."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._by_id = {rule.id: rule for rule in rules}
        every = [(rule, match) for rule in rules for match in rule.matches]
        self._patterns = {
            (where, language): tuple(
                (rule, match)
                for rule, match in every
                if match.where is where and (not match.languages or language in match.languages)
            )
            for where in Where
            for language in Language
        }

    def patterns(self, where: Where, language: Language) -> tuple[tuple[Rule, Match], ...]:
        """The patterns for one reading of one language, each with its rule."""
        return self._patterns[where, language]

    def __iter__(self) -> Any:
        return iter(self._by_id.values())

    def get(self, rule_id: str) -> Rule:
        """The rule, or InvalidRequest with the ids that there are."""
        rule = self._by_id.get(rule_id)
        if rule is None:
            raise InvalidRequest(
                f"no rule is called {rule_id[:80]!r}",
                hint=f"the rules are: {', '.join(sorted(self._by_id))}",
                code="unknown_rule",
            )
        return rule


def load_rules(texts: Mapping[str, str]) -> Rules:
    """The rules of TOML files, given as name to text. InvalidRequest names what is wrong."""
    rules: list[Rule] = []
    for name, text in sorted(texts.items()):
        try:
            rules += [_rule(data) for data in tomllib.loads(text)["rule"]]
        except (KeyError, TypeError, ValueError, re.error) as error:
            raise InvalidRequest(
                f"the rules in {name} cannot be used: {error}",
                hint="each [[rule]] needs id, title, why, instead and examples",
                code="invalid_rules",
            ) from error
    ids = [rule.id for rule in rules]
    if doubled := {each for each in ids if ids.count(each) > 1}:
        raise InvalidRequest(f"two rules are called {doubled.pop()}", code="invalid_rules")
    return Rules(rules)


def _rule(data: dict[str, Any]) -> Rule:
    severity = Severity(data.get("severity", "block"))
    return Rule(
        id=data["id"],
        title=data["title"],
        why=data["why"],
        instead=data["instead"],
        severity=severity,
        matches=tuple(_match(each, severity) for each in data.get("match", ())),
        examples=tuple(
            Example(
                each["path"], each["old"].lstrip("\n"), each["new"].lstrip("\n"), each["verdict"]
            )
            for each in data["example"]
        ),
    )


def _match(data: dict[str, Any], severity: Severity) -> Match:
    known = {"where", "pattern", "key", "languages", "roles", "not_roles", "needs", "contains"}
    if unknown := data.keys() - known - {"severity"}:
        raise ValueError(f"a match has no field {unknown.pop()}")
    return Match(
        where=Where(data["where"]),
        pattern=re.compile(data["pattern"], re.M),
        key=re.compile(data["key"]) if "key" in data else None,
        languages=frozenset(Language(each) for each in data.get("languages", ())),
        roles=frozenset(Role(each) for each in data.get("roles", ())),
        not_roles=frozenset(Role(each) for each in data.get("not_roles", ())),
        needs=frozenset(data.get("needs", ())),
        contains=tuple(data.get("contains", ())),
        severity=Severity(data.get("severity", severity)),
    )
