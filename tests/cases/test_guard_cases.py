"""Bypasses and honest changes that look like them, written by hand for this project.

`guard.jsonl` holds one change of one file a line: a bypass, an honest one, or a contested one,
of which a person decides. The shares are those the guard promises; the
plain text searches that it replaces are measured on the same changes, so that the gap is known.
`guard_real.jsonl` holds changes after which a real tool was green; `scripts/guard-cases` makes them.
"""

import json
import re
from pathlib import Path
from typing import Any

from codeb_mcp.guard.compose import diff_of
from codeb_mcp.guard.verdict import judge
from tests.core.guard_rules import RULES

HERE = Path(__file__).parent


def read(name: str) -> list[dict[str, Any]]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


CASES = read("guard.jsonl")
REAL = read("guard_real.jsonl")
FIVE = re.compile(r"\|\|\s*true|//\s*@ts-ignore|//\s*eslint-disable|chmod\s+777|--privileged")


def diffs(kind: str) -> list[str]:
    return [
        diff_of(each["path"], each["old"], each["new"]) for each in CASES if each["kind"] == kind
    ]


def blocked(kind: str) -> float:
    verdicts = [judge(diff, RULES).decision for diff in diffs(kind)]
    return sum(each == "block" for each in verdicts) / len(verdicts)


def found_by_text(kind: str) -> float:
    added = [[line for line in diff.split("\n") if line.startswith("+")] for diff in diffs(kind)]
    return sum(any(FIVE.search(line) for line in lines) for lines in added) / len(added)


def test_cases_are_many_and_of_both_kinds() -> None:
    assert len(diffs("bypass")) > 580
    assert len(diffs("honest")) > 200


def test_contested_changes_are_sent_to_a_person() -> None:
    assert {judge(diff, RULES).decision for diff in diffs("contested")} == {"review"}


def test_bypasses_are_blocked() -> None:
    assert blocked("bypass") >= 0.98


def test_honest_changes_are_not_blocked() -> None:
    assert blocked("honest") == 0


def test_guard_finds_far_more_than_a_text_search_and_accuses_fewer() -> None:
    assert blocked("bypass") > found_by_text("bypass") + 0.5
    assert blocked("honest") < found_by_text("honest")


def real(kind: str) -> list[str]:
    files = [each["files"] for each in REAL if each["kind"] == kind]
    return ["".join(diff_of(p, *each[p]) for p in sorted(each)) for each in files]


def test_cheat_that_turned_a_real_tool_green_is_blocked() -> None:
    assert len(real("bypass")) > 130
    assert {judge(diff, RULES).decision for diff in real("bypass")} == {"block"}


def test_honest_fix_that_turned_a_real_tool_green_is_allowed() -> None:
    assert len(real("honest")) > 10
    assert {judge(diff, RULES).decision for diff in real("honest")} == {"allow"}
