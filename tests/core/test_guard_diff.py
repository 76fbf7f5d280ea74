"""Diffs are read whole or refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeb_mcp.errors import InvalidRequest
from codeb_mcp.guard.compose import diff_of
from codeb_mcp.guard.diff import parse_diff
from codeb_mcp.guard.verdict import judge
from tests.core.guard_rules import RULES

PLAIN = "--- a/x.sh\n+++ b/x.sh\n@@ -1 +1 @@\n-npm test\n+npm test || true\n"


def test_empty_text_changes_nothing() -> None:
    assert parse_diff("") == ()
    assert judge("\n", RULES).decision == "allow"


def test_rename_without_a_change_is_one_file() -> None:
    text = "diff --git a/a.py b/b.py\nsimilarity index 100%\nrename from a.py\nrename to b.py\n"
    (change,) = parse_diff(text)
    assert (change.old_path, change.new_path, change.renamed) == ("a.py", "b.py", True)


def test_quoted_path_is_decoded() -> None:
    text = 'diff --git "a/\\303\\244.py" "b/\\303\\244.py"\n' + (
        '--- "a/\\303\\244.py"\n+++ "b/\\303\\244.py"\n@@ -1 +1 @@\n-a\n+b\n'
    )
    assert parse_diff(text)[0].path == "ä.py"


def test_binary_mode_and_deletion_are_read() -> None:
    text = (
        "diff --git a/i.png b/i.png\nindex 1..2 100644\nBinary files a/i.png and b/i.png differ\n"
        "diff --git a/r.sh b/r.sh\nold mode 100644\nnew mode 100755\n"
        "diff --git a/d.py b/d.py\ndeleted file mode 100644\n--- a/d.py\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n"
    )
    binary, mode, deleted = parse_diff(text)
    assert binary.binary
    assert mode.new_mode == "100755"
    assert deleted.deleted


def test_carriage_returns_do_not_hide_a_line() -> None:
    assert judge(PLAIN.replace("\n", "\r\n"), RULES).decision == "block"


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "npm test || true\n",
        PLAIN.replace("@@ -1 +1 @@", "@@ -1 +1,2 @@"),
        PLAIN.replace("@@ -1 +1 @@", "@@ -1 +0,0 @@"),
        PLAIN + "+npm run lint || true\n",
        PLAIN.replace("@@ -1 +1 @@", "@@ first @@"),
        "@@ -1 +1 @@\n-a\n+b\n",
        "diff --cc x.sh\nindex 1,2..3\n@@@ -1,1 -1,1 +1,1 @@@\n",
        "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n",
        "diff --git a/x b/x\n@@ -1 +1 @@\n-a\n+b\n",
        PLAIN + "\0",
    ],
)
def test_what_is_no_whole_diff_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_diff(text)
    assert refused.value.code == "unreadable_diff"


LINES = st.lists(st.text(st.characters(exclude_characters="\n\r\0"), max_size=12), max_size=12)


@given(LINES, LINES)
def test_composed_diff_is_read_back(old: list[str], new: list[str]) -> None:
    before, after = "".join(f"{x}\n" for x in old), "".join(f"{x}\n" for x in new)
    text = diff_of("a.txt", before, after)
    if before == after:
        assert text == ""
        return
    if not text.strip():
        return
    (change,) = parse_diff(text)
    added = [t for h in change.hunks for tag, t in zip(h.tags, h.texts, strict=True) if tag == "+"]
    assert all(line in new for line in added)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        assert isinstance(parse_diff(text), tuple)
