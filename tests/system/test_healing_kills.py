"""A heal that is killed anywhere leaves no half of a fix, and the next one goes on."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.claude_code import ClaudeCode, MessagesApi, Text, ToolUse, Turn

from .healing import PROJECTS, Broken, Workbench

BROKEN = next(each for each in PROJECTS if each.name == "js-import")
# A git that kills whoever called it, before or after it does its work.
_GIT = """\
#!/bin/bash
if [[ " $* " == *"{words}"* && ! -e {mark} ]]; then
  touch {mark}
  if [ {when} = after ]; then {git} "$@"; fi
  kill -9 $PPID
  exit 1
fi
exec {git} "$@"
"""


def repairs_by_api(broken: Broken) -> list[Turn]:
    fix = broken.fix
    return [
        ToolUse("edit", {"path": fix.path, "old": fix.old, "new": fix.new}),
        Text("The cause is removed."),
    ]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    nowhere = ClaudeCode(Path("/nonexistent"), Path("/nonexistent"))
    return Workbench.of(BROKEN, tmp_path, nowhere, Path("/nonexistent"))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "words",
    [
        " checkout-index ",
        " apply ",
        " commit-tree ",
        " read-tree -m -u ",
        " update-ref ",
        " push ",
    ],
)
def test_heal_that_is_killed_at_git_is_finished_by_the_next(
    bench: Workbench, words: str, when: str
) -> None:
    shim = bench.root / "bin"
    shim.mkdir()
    mark = bench.root / "killed"
    script = _GIT.format(words=words, mark=mark, when=when, git=shutil.which("git"))
    (shim / "git").write_text(script)
    (shim / "git").chmod(0o755)
    with MessagesApi(*repairs_by_api(BROKEN)) as api:
        environment = bench.environment(api)
        path = f"{shim}:{environment['PATH']}"
        killed = subprocess.run(
            bench.command("--push", "--fixer", "anthropic"),
            env={**environment, "PATH": path},
            cwd=bench.root,
            capture_output=True,
            timeout=120,
            check=False,
        )
        api.leave_the_rest()
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    _the_next_goes_on(bench)


@pytest.mark.parametrize(
    "step", ["run the check", "ask for a fix", "vet the fix", "run the checks"]
)
def test_heal_that_is_killed_at_a_step_is_done_by_the_next(bench: Workbench, step: str) -> None:
    with MessagesApi(*repairs_by_api(BROKEN)) as api:
        command = bench.command("--push", "--fixer", "anthropic")
        command.remove("--json")
        process = subprocess.Popen(
            command,
            env=bench.environment(api),
            cwd=bench.root,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert process.stderr is not None
        for line in process.stderr:
            if step in line:
                break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        process.stderr.close()
        api.leave_the_rest()
    _the_next_goes_on(bench)


def _the_next_goes_on(bench: Workbench) -> None:
    base = bench.git("rev-list", "--max-parents=0", "HEAD").strip()
    with MessagesApi(*repairs_by_api(BROKEN)) as api:
        view = bench.heal(api, "--push", "--fixer", "anthropic")
        api.leave_the_rest()

    assert view["outcome"] in ("committed", "stopped"), view
    there = bench.remote_branches()["feature"]
    assert bench.git("rev-list", f"{base}..{there}").split() == [there]
    assert bench.git("rev-parse", "HEAD").strip() == there
    assert bench.git("status", "--porcelain") == ""
    assert bench.passes(BROKEN.check)
    assert list((bench.root / "codeb/heal").iterdir()) == []
    assert not list((bench.repo / ".git").glob("codeb-heal*"))
    assert not list((bench.repo / ".git").glob("*.lock"))
