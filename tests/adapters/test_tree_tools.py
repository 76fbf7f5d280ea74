"""What a model can and cannot do with its tools on a tree."""

import os
from pathlib import Path

import pytest

from codeb_mcp.adapters.tree_tools import MOST_LINES, ToolRefused, TreeTools


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "src").mkdir(parents=True)
    (folder / "src/a.py").write_text("one = 1\ntwo = 2\n")
    (tmp_path / "secret").write_text("hunter2")
    return folder


def test_files_are_seen_searched_edited_and_made(tree: Path) -> None:
    tools = TreeTools(tree)
    assert tools.call("view", {"path": "."}) == "src"
    assert tools.call("view", {"path": "src/a.py"}) == "1\tone = 1\n2\ttwo = 2"
    assert tools.call("search", {"text": "two", "files": "*.py"}) == "src/a.py:2: two = 2"
    tools.call("edit", {"path": "src/a.py", "old": "two = 2", "new": "two = 3"})
    assert (tree / "src/a.py").read_text() == "one = 1\ntwo = 3\n"
    tools.call("edit", {"path": "new/b.py", "old": "", "new": "x\n"})
    assert (tree / "new/b.py").read_text() == "x\n"


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../secret", "src/../../secret", ".git/config", "a\0b", "src/.GIT/config"],
)
def test_paths_out_of_the_tree_are_refused(tree: Path, path: str) -> None:
    for name, more in (("view", {}), ("edit", {"old": "", "new": "x"})):
        with pytest.raises(ToolRefused):
            TreeTools(tree).call(name, {"path": path, **more})
    assert not (tree / ".git").exists()


def test_links_are_not_followed_wherever_they_lie_in_a_path(tree: Path, tmp_path: Path) -> None:
    (tree / "link").symlink_to(tmp_path / "secret")
    (tree / "folder").symlink_to(tmp_path)
    tools = TreeTools(tree)
    for path in ("link", "folder/secret", "folder"):
        with pytest.raises(ToolRefused):
            tools.call("view", {"path": path})
    with pytest.raises(ToolRefused):
        tools.call("edit", {"path": "link", "old": "hunter2", "new": "x"})
    with pytest.raises(ToolRefused):
        tools.call("edit", {"path": "folder/made", "old": "", "new": "x"})
    assert tools.call("search", {"text": "hunter2"}) == "it was not found"
    assert (tmp_path / "secret").read_text() == "hunter2"
    assert not (tmp_path / "made").exists()


def test_edit_of_a_text_that_is_not_there_once_is_refused(tree: Path) -> None:
    tools = TreeTools(tree)
    for old in (" = ", "three"):
        with pytest.raises(ToolRefused, match="times, not once"):
            tools.call("edit", {"path": "src/a.py", "old": old, "new": "x"})
    with pytest.raises(ToolRefused):
        tools.call("edit", {"path": "src/a.py", "old": "", "new": "x"})
    assert (tree / "src/a.py").read_text() == "one = 1\ntwo = 2\n"


def test_large_binary_and_special_files_are_refused_and_answers_bounded(tree: Path) -> None:
    (tree / "long.txt").write_text("x\n" * (MOST_LINES + 5))
    (tree / "bytes").write_bytes(b"\xff\xfe\x00")
    os.mkfifo(tree / "pipe")
    tools = TreeTools(tree)
    assert tools.call("view", {"path": "long.txt"}).endswith("… 5 more lines")
    with pytest.raises(ToolRefused, match="no text"):
        tools.call("view", {"path": "bytes"})
    for arguments in ({}, {"path": "a", "first_line": "x"}, {"path": 1}):
        with pytest.raises(ToolRefused):
            tools.call("view", arguments)
    with pytest.raises(ToolRefused, match="no tool"):
        tools.call("run", {"command": "env"})
