"""The guard on real repositories, as a hook, and its exceptions."""

import json
import subprocess
from datetime import date
from pathlib import Path

import pytest

from codeb_mcp.adapters.git import GitRepository
from codeb_mcp.adapters.rule_files import bypass_rules
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.edit_hook import hook_answer
from codeb_mcp.services.vetting import Vetting

TODAY = date(2030, 1, 15)
ALLOWED = """
[[allow]]
rule = "error-ignored"
path = "scripts/*.sh"
text = "npm test"
reason = "the upstream test server is down"
approved_by = "Kim"
expires = {expires}
"""


@pytest.fixture
def vetting() -> Vetting:
    return Vetting(bypass_rules, GitRepository(), lambda: TODAY)


def git(folder: Path, *argv: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *who, *argv], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "check.sh").write_text("set -e\nnpm test\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def ignore_failure(folder: Path) -> None:
    (folder / "scripts" / "check.sh").write_text("set -e\nnpm test || true\n")


async def test_change_of_a_working_copy_is_judged(vetting: Vetting, repository: Path) -> None:
    assert (await vetting.vet(None, repository)).verdict == "allow"
    ignore_failure(repository)
    found = await vetting.vet(None, repository)
    assert found.verdict == "block"
    assert (found.findings[0].path, found.findings[0].line) == ("scripts/check.sh", 2)
    assert (await vetting.vet(None, repository, staged=True)).verdict == "allow"
    git(repository, "add", ".")
    assert (await vetting.vet(None, repository, staged=True)).verdict == "block"


async def test_branch_is_compared_with_where_it_began(vetting: Vetting, repository: Path) -> None:
    git(repository, "checkout", "-qb", "fix")
    ignore_failure(repository)
    git(repository, "commit", "-qam", "fix")
    assert (await vetting.vet(None, repository, "main")).verdict == "block"
    assert (await vetting.vet(None, repository)).verdict == "allow"


async def test_unknown_base_is_refused(vetting: Vetting, repository: Path) -> None:
    for base in ("nowhere", "--output=x"):
        with pytest.raises(InvalidRequest):
            await vetting.vet(None, repository, base)


async def test_exception_of_the_base_counts_until_its_day(
    vetting: Vetting, repository: Path
) -> None:
    (repository / ".codeb").mkdir()
    allowed = repository / ".codeb" / "guard-allow.toml"
    allowed.write_text(ALLOWED.format(expires="2030-02-01"))
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "allow")
    ignore_failure(repository)
    assert (await vetting.vet(None, repository)).verdict == "allow"
    later = Vetting(bypass_rules, GitRepository(), lambda: date(2030, 2, 2))
    assert (await later.vet(None, repository)).verdict == "block"


async def test_fix_cannot_allow_itself(vetting: Vetting, repository: Path) -> None:
    ignore_failure(repository)
    (repository / ".codeb").mkdir()
    allowed = repository / ".codeb" / "guard-allow.toml"
    allowed.write_text(ALLOWED.format(expires="2030-02-01"))
    git(repository, "add", ".")
    found = await vetting.vet(None, repository)
    assert {"error-ignored", "guard-changed"} <= {each.rule for each in found.findings}
    assert found.verdict == "block"


@pytest.mark.parametrize("expires", ["2035-01-01", '"soon"'])
async def test_exception_without_an_end_within_a_year_is_refused(
    vetting: Vetting, repository: Path, expires: str
) -> None:
    (repository / ".codeb").mkdir()
    (repository / ".codeb" / "guard-allow.toml").write_text(ALLOWED.format(expires=expires))
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "allow")
    ignore_failure(repository)
    with pytest.raises(InvalidRequest, match="guard-allow"):
        await vetting.vet(None, repository)


async def test_whole_file_tells_a_docstring_from_code(vetting: Vetting, repository: Path) -> None:
    lines = [
        '"""Words.',
        *("text" for _ in range(20)),
        "except Exception: pass",
        '"""',
        "x = 1",
        "",
    ]
    (repository / "a.py").write_text("\n".join(lines).replace("except Exception: pass\n", ""))
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "words")
    (repository / "a.py").write_text("\n".join(lines))
    assert (await vetting.vet(None, repository)).verdict == "allow"


def hook(vetting: Vetting, tool: str, files: dict[str, str], **arguments: object) -> str:
    call = {"tool_name": tool, "tool_input": arguments, "cwd": "/repo"}
    return hook_answer(json.dumps(call), vetting, lambda path: files.get(str(path)))


def test_edit_that_hides_an_error_is_denied_with_the_honest_way(vetting: Vetting) -> None:
    answer = hook(
        vetting,
        "Edit",
        {"/repo/src/a.ts": "const a = 1;\nexport const b = f(a);\n"},
        file_path="/repo/src/a.ts",
        old_string="export const b",
        new_string="// @ts-ignore\nexport const b",
    )
    decision = json.loads(answer)["hookSpecificOutput"]
    assert decision["hookEventName"] == "PreToolUse"
    assert decision["permissionDecision"] == "deny"
    assert "src/a.ts:2" in decision["permissionDecisionReason"]
    assert "Correct the type" in decision["permissionDecisionReason"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("Write", {"file_path": "/repo/a.py", "content": "def a():\n    return 1\n"}),
        ("Edit", {"file_path": "/repo/b.ts", "old_string": "1", "new_string": "2"}),
        ("Read", {"file_path": "/repo/b.ts"}),
        ("Bash", {"command": "npm test || true"}),
    ],
)
def test_honest_call_is_let_through(
    vetting: Vetting, tool: str, arguments: dict[str, object]
) -> None:
    assert hook(vetting, tool, {"/repo/b.ts": "let b = 1;\n"}, **arguments) == ""


def test_command_that_skips_hooks_is_denied(vetting: Vetting) -> None:
    assert "hook-skipped" in hook(vetting, "Bash", {}, command="git commit -nm fix")


def test_write_over_a_test_is_judged_by_what_it_takes_away(vetting: Vetting) -> None:
    old = "def test_a():\n    assert f() == 1\n\n\ndef test_b():\n    assert f() == 2\n"
    new = "def test_a():\n    assert f() == 1\n"
    path = "/repo/tests/test_f.py"
    assert "test-removed" in hook(vetting, "Write", {path: old}, file_path=path, content=new)


@pytest.mark.parametrize("call", ["", "[]", "{}", '{"tool_name": "Edit", "tool_input": {}}'])
def test_hook_input_that_cannot_be_read_stops_the_edit(vetting: Vetting, call: str) -> None:
    with pytest.raises(InvalidRequest):
        hook_answer(call, vetting, lambda _: None)
