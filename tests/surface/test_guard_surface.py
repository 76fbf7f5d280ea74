"""`codeb guard` and `vet_fix` as callers meet them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client
from mcp_types import TextContent

from codeb_mcp.server import build_server
from codeb_mcp.wiring import Application
from tests.fakes.systems import InMemoryHost

BYPASS = "--- a/x.sh\n+++ b/x.sh\n@@ -1 +1 @@\n-npm test\n+npm test || true\n"
HONEST = "--- a/x.sh\n+++ b/x.sh\n@@ -1 +1 @@\n-npm test\n+npm run test\n"
PERSON = "--- a/go.sum\n+++ b/go.sum\n@@ -1 +1 @@\n-a\n+b\n"


def guard(*argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "codeb_mcp.cli", "guard", *argv],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("diff", "options", "code", "verdict"),
    [
        (BYPASS, (), 3, "block"),
        (HONEST, (), 0, "allow"),
        (PERSON, (), 0, "review"),
        (PERSON, ("--strict",), 3, "review"),
    ],
)
def test_exit_code_and_json_say_the_verdict(
    diff: str, options: tuple[str, ...], code: int, verdict: str
) -> None:
    ended = guard("--diff", "-", "--json", *options, stdin=diff)
    assert ended.returncode == code
    document = json.loads(ended.stdout)
    assert document["verdict"] == verdict
    assert document.keys() == {"verdict", "diff_sha256", "findings"}
    for finding in document["findings"]:
        keys = {"rule", "severity", "path", "line", "text", "why", "instead"}
        assert finding.keys() == keys


def test_unreadable_diff_leaves_with_2() -> None:
    ended = guard("--diff", "-", "--json", stdin="this is no diff")
    assert ended.returncode == 2
    assert json.loads(ended.stdout)["error"]["code"] == "unreadable_diff"
    assert guard("--diff", "/nowhere.diff").returncode == 2


def test_findings_are_written_as_sarif_and_annotations(tmp_path: Path) -> None:
    target = tmp_path / "guard.sarif"
    ended = guard("--diff", "-", "--sarif", str(target), "--annotate", stdin=BYPASS)
    assert "::error file=x.sh,line=1,title=error-ignored::" in ended.stdout
    (run,) = json.loads(target.read_text())["runs"]
    assert run["results"][0]["ruleId"] == "error-ignored"
    assert run["tool"]["driver"]["rules"][0]["id"] == "error-ignored"


def test_rule_is_explained() -> None:
    shown = guard("--explain", "error-ignored")
    assert shown.returncode == 0
    assert "instead:" in shown.stdout
    assert guard("--explain", "no-such-rule").returncode == 2


def test_hook_denies_and_lets_through() -> None:
    written = {"file_path": "/nowhere/a.sh", "content": "npm test || true\n"}
    call = {"tool_name": "Write", "cwd": "/", "tool_input": written}
    denied = guard("--hook", stdin=json.dumps(call))
    assert denied.returncode == 0
    assert json.loads(denied.stdout)["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert guard("--hook", stdin="{").returncode == 2


async def test_tool_answers_with_the_verdict(tmp_path: Path) -> None:
    async with Client(build_server(Application(InMemoryHost(tmp_path).systems()))) as client:
        result = await client.call_tool("vet_fix", {"diff": BYPASS})
        assert result.structured_content is not None
        assert result.structured_content["verdict"] == "block"
        refused = await client.call_tool("vet_fix", {"diff": "nothing"})
        assert refused.is_error
        (content,) = refused.content
        assert isinstance(content, TextContent)
        assert "unreadable_diff" in content.text
