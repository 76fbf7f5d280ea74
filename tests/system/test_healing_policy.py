"""Where a fix goes, what is taken back, and what is not tried again: on real git, with GitHub."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.claude_code import ClaudeCode, MessagesApi, Text
from tests.fakes.github import TOKEN, GitHubServer, github_server

from .healing import PROJECTS, Workbench
from .test_healing_kills import repairs_by_api

BROKEN = next(each for each in PROJECTS if each.name == "js-import")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    nowhere = ClaudeCode(Path("/nonexistent"), Path("/nonexistent"))
    return Workbench.of(BROKEN, tmp_path, nowhere, Path("/nonexistent"))


@pytest.fixture(scope="module")
def github() -> Iterator[GitHubServer]:
    with github_server() as server:
        yield server


def on_github(bench: Workbench, github: GitHubServer) -> None:
    """The remote is one of GitHub's by its name; what git sends goes to the bare one."""
    bench.git(
        "config", f"url.{bench.root}/remote.git.insteadOf", "https://github.com/octo/shop.git"
    )
    bench.git("remote", "set-url", "origin", "https://github.com/octo/shop.git")
    config = bench.root / "codeb/config.toml"
    config.write_text(
        f'{config.read_text()}github_url = "{github.url}"\ngithub_token = "{TOKEN}"\n'
    )


def heal(bench: Workbench, *script: Any, options: tuple[str, ...] = ()) -> dict[str, Any]:
    with MessagesApi(*script) as api:
        return bench.heal(api, "--push", "--fixer", "anthropic", *options)


def change(bench: Workbench, text: str) -> None:
    (bench.repo / "src/note.js").write_text(text)
    bench.git("add", "-A")
    bench.git("commit", "-q", "-m", "Change something")
    bench.git("push", "-q")


def test_fix_that_fails_again_is_reverted_and_its_code_not_tried_again(bench: Workbench) -> None:
    before = bench.git("rev-parse", "HEAD^{tree}")
    with MessagesApi() as api:
        analyzed = subprocess.run(
            [*bench.command()[:4], "--analyze", str(bench.log), "--json"],
            env=bench.environment(api),
            capture_output=True,
            text=True,
            check=True,
        )
    fingerprint = json.loads(analyzed.stdout)["incidents"][0]["fingerprint"]
    (bench.repo / "src/main.js").write_text("import { red } from './colours.js';\n")
    trailers = f"Codeb-Incident: {fingerprint}\nCodeb-Attempt: 1\nCodeb-Verdict: allow ab"
    bench.git("commit", "-qam", f"fix: auto-heal build errors\n\nnode\n\n{trailers}")
    bench.git("push", "-q")
    bad = bench.git("rev-parse", "HEAD").strip()

    view = heal(bench)
    assert view["outcome"] == "reverted", view
    assert bench.git("rev-parse", "HEAD^{tree}") == before
    assert bench.remote_branches()["feature"] == view["commit"]
    assert f"This reverts commit {bad}" in bench.git("log", "-1", "--format=%B")
    again = heal(bench)
    assert again["outcome"] == "stopped"
    assert "was tried" in again["reason"]


def test_fix_for_a_protected_branch_becomes_a_pull_request_with_its_verdict(
    bench: Workbench, github: GitHubServer
) -> None:
    on_github(bench, github)
    bench.git("checkout", "-q", "-b", "main")
    bench.git("push", "-q", "-u", "origin", "main")
    before = bench.git("rev-parse", "HEAD").strip()

    view = heal(bench, *repairs_by_api(BROKEN))
    assert view["outcome"] == "proposed", view
    assert "protected" in view["reason"]
    branches = bench.remote_branches()
    assert branches[view["branch"]] == view["commit"]
    assert branches["main"] == before == bench.git("rev-parse", "HEAD").strip()
    assert view["pull_request"], view["hint"]
    told = json.dumps(github.__dict__, default=str)
    assert "codeb guard: **allow**" in told


def test_third_failure_opens_one_issue_and_stops(bench: Workbench, github: GitHubServer) -> None:
    on_github(bench, github)
    for number in range(3):
        change(bench, f"// {number}\n")
        view = heal(bench, Text("I cannot."), options=("--max-attempts", "1"))
        assert view["outcome"] == "gave_up", view
    change(bench, "// 4\n")
    view = heal(bench)
    assert view["outcome"] == "stopped"
    assert "failed 3 times" in view["reason"]
    told = json.dumps(github.__dict__, default=str)
    assert f"Healing failed: {view['incident']['fingerprint']}" in told


def test_failure_is_given_to_the_agent_of_github(bench: Workbench, github: GitHubServer) -> None:
    on_github(bench, github)
    with MessagesApi() as api:
        view = bench.heal(api, "--fixer", "copilot")
    assert view["pull_request"], view
    assert "Repair the build" in json.dumps(github.__dict__, default=str)


def test_what_a_person_changed_meanwhile_is_kept_and_refuses_the_fix(bench: Workbench) -> None:
    mine = "// mine\n"
    (bench.repo / "src/main.js").write_text(mine)
    before = bench.state()
    with MessagesApi(*repairs_by_api(BROKEN)) as api:
        done = subprocess.run(
            bench.command("--push", "--fixer", "anthropic"),
            env=bench.environment(api),
            cwd=bench.root,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "changed_by_others"
    assert (bench.repo / "src/main.js").read_text() == mine
    assert bench.state() == before


def test_dry_run_ends_with_the_patch_and_history_remembers_the_rest(bench: Workbench) -> None:
    before = bench.state()
    view = heal(bench, *repairs_by_api(BROKEN), options=("--dry-run",))
    assert view["outcome"] == "dry_run", view
    assert "+import { red } from './colour.js';" in view["diff"]
    assert bench.state() == before

    assert heal(bench, *repairs_by_api(BROKEN))["outcome"] == "committed"
    with MessagesApi() as api:
        history = subprocess.run(
            [*bench.command()[:4], "history", "--json"],
            env=bench.environment(api),
            capture_output=True,
            text=True,
            check=True,
        )
    (record,) = json.loads(history.stdout)["heals"]
    assert (record["outcome"], record["branch"], record["fixer"]) == (
        "committed",
        "feature",
        "anthropic",
    )
