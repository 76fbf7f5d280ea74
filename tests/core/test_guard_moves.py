"""Where a change stands, and what stands beside it, does not decide whether it is honest."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeb_mcp.guard.compose import diff_of
from codeb_mcp.guard.verdict import judge
from tests.core.guard_rules import RULES

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "cases" / "guard.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
CLEAR = [case for case in CASES if case["kind"] in ("bypass", "honest")]
BYPASSES = [case for case in CASES if case["kind"] == "bypass"]
BESIDE = diff_of(
    "lib/money.py", "def cents(x):\n    return x\n", "def cents(x):\n    return 1 * x\n"
)
NAMES_OF_TESTS = re.compile(r"testMatch|python_files")
INVISIBLE = ["\u200b", "\u2060", "\u00ad", "\ufeff"]
LOOK_ALIKES = {"a": "\u0430", "e": "\u0435", "o": "\u043e", "i": "\u0456", "s": "\u0455"}
WORDS = [
    ("src/a.ts", "// {}\nload(x);", "@ts-ignore"),
    ("src/a.js", "/* {} */\nload(x);", "eslint-disable"),
    ("app/a.py", "load(x)  # {}", "type: ignore"),
    ("app/a.py", "load(x)  # {}", "noqa"),
    ("a.go", "load(x) // {}", "nolint"),
    ("a.sh", "# {}\nload x", "shellcheck disable=SC2086"),
    ("run.sh", "podman run {} app", "--privileged"),
    ("run.sh", "npm test {}", "|| true"),
]


def verdict(*parts: str) -> str:
    return judge("".join(parts), RULES).decision.value


def moved(case: dict[str, str], folder: str = "", end: str = "\n") -> str:
    """The case's diff in another folder, with other line ends."""
    texts = (case["old"], case["new"])
    old, new = (None if text is None else text.replace("\n", end) for text in texts)
    return diff_of(folder + case["path"], old, new)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(CLEAR), st.sampled_from(["packages/shop/", "a/b/c/", "Services/Pay/"]))
def test_folder_does_not_change_the_verdict(case: dict[str, str], folder: str) -> None:
    blocked = verdict(moved(case, folder)) == "block"
    assert blocked == (case["kind"] == "bypass"), case


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(CLEAR))
def test_windows_line_ends_do_not_change_the_verdict(case: dict[str, str]) -> None:
    blocked = verdict(moved(case, end="\r\n")) == "block"
    assert blocked == (case["kind"] == "bypass"), case


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(BYPASSES), st.booleans())
def test_honest_change_beside_it_does_not_hide_a_bypass(case: dict[str, str], first: bool) -> None:
    # what a change of the code explains is a person's to decide, not found the less
    parts = (BESIDE, moved(case)) if first else (moved(case), BESIDE)
    assert verdict(*parts) in ("block", "review"), case


@pytest.mark.parametrize(("path", "form", "words"), WORDS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_letters_that_only_look_alike_are_read_as_what_they_imitate(
    path: str, form: str, words: str, data: st.DataObject
) -> None:
    spelled = []
    for char in words:
        swap = char in LOOK_ALIKES and data.draw(st.booleans())
        spelled.append(LOOK_ALIKES[char] if swap else char)
        if data.draw(st.integers(0, 9)) == 0:
            spelled.append(data.draw(st.sampled_from(INVISIBLE)))
    plain = form.replace("{}", "").strip("/*# ")
    assert verdict(diff_of(path, plain, form.format("".join(spelled)))) == "block"


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(BYPASSES))
def test_taking_a_bypass_out_again_is_not_accused_of_adding_it(case: dict[str, str]) -> None:
    added = {f.rule for f in judge(moved(case), RULES).findings if f.severity == "block"}
    back = {**case, "old": case["new"], "new": case["old"]}
    if not case["old"] or not case["new"] or "removed" in str(added):
        return
    if "expectation-changed" in added or NAMES_OF_TESTS.search(case["new"]):
        return  # one value for another: which of the two was right, no diff tells
    for finding in judge(moved(back), RULES).findings:
        assert finding.severity != "block", (case, finding)
