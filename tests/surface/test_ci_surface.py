"""`codeb ci`, as a self-healing workflow calls it, against a small GitHub on loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.github import TOKEN, GitHubServer, Job, github_server


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    with github_server() as server:
        yield server


def codeb(server: GitHubServer, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "CODEB_HOME": str(home),
        "CODEB_GITHUB_URL": server.url,
        "CODEB_GITHUB_TOKEN": TOKEN,
        "GITHUB_REPOSITORY": "octo/shop",
    }
    argv = [sys.executable, "-m", "codeb_mcp.cli", "ci", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)


def test_logs_of_failed_jobs_are_written_for_the_heal(server: GitHubServer, tmp_path: Path) -> None:
    log = "##[error]src/a.ts(3,7): error TS2322: Type 'string' is not assignable\n"
    server.add_run(7, [Job("quality", "failure", log), Job("tests", "success", "fine")])
    target = tmp_path / "ci.log"
    done = codeb(server, tmp_path / "home", "logs", "7", "--output", str(target))
    assert done.returncode == 0, done.stderr
    assert target.read_text() == log
    assert "quality" in done.stdout
    server.add_run(8, [Job("tests", "success")])
    assert codeb(server, tmp_path / "home", "logs", "8").returncode == 2


def test_workflow_is_started_on_the_branch_that_has_the_fix(
    server: GitHubServer, tmp_path: Path
) -> None:
    healed = tmp_path / "heal.json"
    healed.write_text(json.dumps({"outcome": "committed", "branch": "develop", "pushed": True}))
    done = codeb(server, tmp_path / "home", "run", "ci-cd.yml", "--healed", str(healed))
    assert done.returncode == 0, done.stderr
    assert server.dispatches == [("ci-cd.yml", {"ref": "develop", "inputs": {}})]
    healed.write_text(json.dumps({"outcome": "gave_up", "branch": None, "pushed": False}))
    refused = codeb(server, tmp_path / "home", "run", "ci-cd.yml", "--healed", str(healed))
    assert (refused.returncode, len(server.dispatches)) == (2, 1)
    assert TOKEN not in done.stdout + done.stderr + refused.stderr
