"""The real Claude Code, with the settings that `codeb init` writes, may not write a bypass."""

import sys
from pathlib import Path

import pytest

from codeb_mcp.templates import template
from tests.claude_code import MessagesApi, MessagesRequest, Text, ToolUse, require_claude_code

CODEB = str(Path(sys.executable).with_name("codeb"))


@pytest.mark.timeout(600)
def test_claude_code_is_stopped_by_the_hook_and_told_the_honest_way(tmp_path: Path) -> None:
    claude_code = require_claude_code()
    folder = tmp_path / "shop"
    (folder / ".claude").mkdir(parents=True)
    settings = template("claude-settings.json").replace("codeb guard", f"{CODEB} guard")
    (folder / ".claude" / "settings.json").write_text(settings)
    bad, good = folder / "bad.sh", folder / "good.sh"
    told: list[str] = []

    def mends(request: MessagesRequest) -> ToolUse:
        assert request.last_tool_result.is_error
        told.append(request.last_tool_result.text)
        return ToolUse("Write", {"file_path": str(good), "content": "#!/bin/sh\nnpm test\n"})

    with MessagesApi(
        ToolUse("Write", {"file_path": str(bad), "content": "#!/bin/sh\nnpm test || true\n"}),
        mends,
        Text("done"),
    ) as api:
        result = claude_code.run(
            "make it green",
            {"mcpServers": {}},
            allowed_tools=["Write", "Edit"],
            api=api,
            cwd=folder,
        )
    assert not result.is_error
    assert not bad.exists()
    assert good.read_text() == "#!/bin/sh\nnpm test\n"
    assert "error-ignored" in told[0]
    assert "Instead:" in told[0]
