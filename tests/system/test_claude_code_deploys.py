"""The real Claude Code, headless, deploys to staging with codeb's tools and sees it answer."""

import json
from pathlib import Path

import pytest

from tests.claude_code import (
    ClaudeCode,
    MessagesApi,
    MessagesRequest,
    Text,
    ToolUse,
    Turn,
    require_claude_code,
)

from .sites import Site

TOOLS = ["deploy", "get_status", "read_logs", "list_projects", "init_project", "allocate_port"]


@pytest.fixture(scope="module")
def claude_code() -> ClaudeCode:
    return require_claude_code()


def tool(name: str) -> str:
    return f"mcp__codeb__{name}"


async def test_claude_code_deploys_to_staging_and_the_application_answers(
    site: Site, claude_code: ClaudeCode, tmp_path: Path
) -> None:
    image = site.image("claude:v1", page="deployed by an agent\n")
    program, *arguments = site.command()
    server = {
        "command": program,
        "args": arguments,
        "env": dict(site.environment() or {}),
    }

    def deploys(request: MessagesRequest) -> ToolUse:
        """Told that there is no such project, the model makes it; the error says how."""
        assert request.last_tool_result.is_error
        assert "init_project name=claude-app" in request.last_tool_result.text
        return ToolUse(tool("init_project"), {"project": "claude-app"})

    def reports(request: MessagesRequest) -> Text:
        (environment,) = request.last_tool_result.json()["environments"]
        assert (environment["status"], environment["healthy"]) == ("running", True)
        return Text(f"staging is up at {environment['url']}")

    wanted = {"project": "claude-app", "environment": "staging", "image": image}
    script: list[Turn] = [
        ToolUse(tool("deploy"), wanted),
        deploys,
        ToolUse(tool("deploy"), wanted),
        ToolUse(tool("get_status"), {"project": "claude-app"}),
        reports,
    ]
    with MessagesApi(*script) as api:
        result = claude_code.run(
            "deploy staging",
            {"mcpServers": {"codeb": server}},
            allowed_tools=[tool(name) for name in TOOLS],
            api=api,
            cwd=tmp_path,
        )
    assert not result.is_error
    assert f"staging.claude-app.{site.base_domain}" in result.text
    assert {tool(name) for name in TOOLS} <= set(api.requests[0].tools)
    assert "Deploy to staging unless production was asked for" in json.dumps(api.requests[0].body)
    answer = await site.get(f"staging.claude-app.{site.base_domain}")
    assert answer.text == "deployed by an agent\n"
