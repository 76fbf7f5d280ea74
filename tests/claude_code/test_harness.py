"""The real Claude Code calls tools of an MCP server, told to by a scripted Messages API."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.claude_code import (
    ClaudeCode,
    ClaudeCodeFailed,
    MessagesApi,
    MessagesRequest,
    Text,
    ToolUse,
    Turn,
    require_claude_code,
)

pytestmark = pytest.mark.system

_SERVER = """
import threading
from pathlib import Path
from mcp.server import MCPServer

server = MCPServer("probe", instructions="Greet people by their first name.")

@server.tool()
def greet(name: str) -> dict[str, str]:
    '''Greet someone.'''
    Path("greeted").write_text(name)
    return {"greeting": f"Hello {name}"}

@server.tool()
def fail() -> str:
    '''Fail.'''
    raise RuntimeError("the server is out of greetings")

@server.tool()
def hang() -> str:
    '''Never return.'''
    threading.Event().wait()
    return "unreachable"

server.run()
"""


@pytest.fixture(scope="module")
def claude_code() -> ClaudeCode:
    return require_claude_code()


@pytest.fixture
def mcp_config(tmp_path: Path) -> dict[str, Any]:
    program = tmp_path / "probe.py"
    program.write_text(_SERVER)
    return {"mcpServers": {"probe": {"command": sys.executable, "args": [str(program)]}}}


def test_tool_is_really_called_and_its_result_comes_back(
    claude_code: ClaudeCode, mcp_config: dict[str, Any], tmp_path: Path
) -> None:
    script: list[Turn] = [ToolUse("mcp__probe__greet", {"name": "Ada"}), Text("Ada was greeted.")]
    with MessagesApi(*script) as api:
        result = claude_code.run(
            "Greet Ada", mcp_config, allowed_tools=["mcp__probe__greet"], api=api, cwd=tmp_path
        )

    assert (result.is_error, result.text) == (False, "Ada was greeted.")
    assert (tmp_path / "greeted").read_text() == "Ada"
    assert api.requests[1].last_tool_result.json() == {"greeting": "Hello Ada"}


def test_model_sees_prompt_schema_and_instructions(
    claude_code: ClaudeCode, mcp_config: dict[str, Any], tmp_path: Path
) -> None:
    with MessagesApi(Text("Nobody is here.")) as api:
        claude_code.run("Greet everyone", mcp_config, allowed_tools=[], api=api, cwd=tmp_path)

    request = api.requests[0]
    assert "Greet everyone" in request.text
    assert request.tools["mcp__probe__greet"]["input_schema"]["required"] == ["name"]
    assert "Greet people by their first name." in request.system + request.text


def test_next_turn_is_computed_from_a_tool_result(
    claude_code: ClaudeCode, mcp_config: dict[str, Any], tmp_path: Path
) -> None:
    def repeat(request: MessagesRequest) -> ToolUse:
        return ToolUse("mcp__probe__greet", {"name": request.last_tool_result.json()["greeting"]})

    script: list[Turn] = [ToolUse("mcp__probe__greet", {"name": "Ada"}), repeat, Text("Done.")]
    with MessagesApi(*script) as api:
        claude_code.run(
            "Greet Ada twice",
            mcp_config,
            allowed_tools=["mcp__probe__greet"],
            api=api,
            cwd=tmp_path,
        )

    results = api.requests[-1].tool_results
    assert [result.json()["greeting"] for result in results] == ["Hello Ada", "Hello Hello Ada"]


def test_failing_tool_reaches_the_model_as_an_error(
    claude_code: ClaudeCode, mcp_config: dict[str, Any], tmp_path: Path
) -> None:
    with MessagesApi(ToolUse("mcp__probe__fail", {}), Text("It failed.")) as api:
        claude_code.run(
            "Fail", mcp_config, allowed_tools=["mcp__probe__fail"], api=api, cwd=tmp_path
        )

    failure = api.requests[1].last_tool_result
    assert failure.is_error
    assert failure.name == "mcp__probe__fail"


def test_tool_that_is_not_allowed_is_not_called(
    claude_code: ClaudeCode, mcp_config: dict[str, Any], tmp_path: Path
) -> None:
    script: list[Turn] = [ToolUse("mcp__probe__greet", {"name": "Ada"}), Text("I may not.")]
    with MessagesApi(*script) as api:
        result = claude_code.run(
            "Greet Ada", mcp_config, allowed_tools=["mcp__probe__fail"], api=api, cwd=tmp_path
        )

    assert result.permission_denials == ["mcp__probe__greet"]
    assert not (tmp_path / "greeted").exists()


def test_run_that_hangs_ends_at_its_timeout(
    claude_code: ClaudeCode, mcp_config: dict[str, Any], tmp_path: Path
) -> None:
    with (
        MessagesApi(ToolUse("mcp__probe__hang", {})) as api,
        pytest.raises(ClaudeCodeFailed, match="did not end within 10 s"),
    ):
        claude_code.run(
            "Hang",
            mcp_config,
            allowed_tools=["mcp__probe__hang"],
            api=api,
            cwd=tmp_path,
            timeout=10,
        )

    assert len(api.requests) == 1


def test_installed_version_is_used_again_without_npm(claude_code: ClaudeCode) -> None:
    assert ClaudeCode.install(claude_code.node, Path("/npm/is/not/needed")) == claude_code
