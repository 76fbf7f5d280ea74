"""The guard as a pre-commit hook of a real repository."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codeb_mcp.errors import InvalidRequest, Refused
from codeb_mcp.services.commit_hook import install_commit_hook
from codeb_mcp.wiring import open_hooks
from tests.outcomes import fails_with

CODEB = str(Path(sys.executable).with_name("codeb"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    who = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        who |= {f"GIT_{role}_NAME": "me", f"GIT_{role}_EMAIL": "me@shop.example"}
    argv = ["git", "-C", str(folder), *arguments]
    return subprocess.run(
        argv, capture_output=True, text=True, env={**os.environ, **who}, check=False
    )


async def test_commit_that_hides_a_failure_is_refused_and_an_honest_one_is_made(
    repository: Path,
) -> None:
    assert await install_commit_hook(open_hooks(), repository, CODEB) == (
        repository / ".git" / "hooks" / "pre-commit",
        True,
    )
    script = repository / "check.sh"
    script.write_text("#!/bin/sh\nnpm test\n")
    git(repository, "add", "check.sh")
    first = git(repository, "commit", "-m", "first")
    assert first.returncode == 0, first.stderr
    script.write_text("#!/bin/sh\nnpm test || true\n")
    git(repository, "add", "check.sh")
    refused = git(repository, "commit", "-m", "green")
    assert refused.returncode != 0
    assert "error-ignored" in refused.stdout + refused.stderr
    assert git(repository, "log", "--format=%s").stdout == "first\n"
    script.write_text("#!/bin/sh\nset -e\nnpm test\n")
    git(repository, "add", "check.sh")
    assert git(repository, "commit", "-m", "honest").returncode == 0


async def test_hook_of_somebody_else_is_left_alone(repository: Path) -> None:
    theirs = repository / ".git" / "hooks" / "pre-commit"
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_text("#!/bin/sh\nmake check\n")
    async with fails_with(Refused, "hook_exists", "guard --repo . --staged"):
        await install_commit_hook(open_hooks(), repository, CODEB)
    assert theirs.read_text() == "#!/bin/sh\nmake check\n"


async def test_hook_goes_where_git_looks_for_it_and_the_same_again_changes_nothing(
    repository: Path,
) -> None:
    git(repository, "config", "core.hooksPath", ".hooks")
    path, _ = await install_commit_hook(open_hooks(), repository, CODEB)
    assert path == repository / ".hooks" / "pre-commit"
    assert path.stat().st_mode & 0o111
    assert await install_commit_hook(open_hooks(), repository, CODEB) == (path, False)


async def test_folder_without_repository_is_told(tmp_path: Path) -> None:
    async with fails_with(InvalidRequest, "no_repository"):
        await install_commit_hook(open_hooks(), tmp_path, CODEB)
