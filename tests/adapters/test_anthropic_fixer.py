"""The fixer `anthropic` over the real SDK, against a scripted Messages API that also fails."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from codeb_mcp.adapters.anthropic_fixer import AnthropicFixer, ApiSettings
from codeb_mcp.domain.healing import Effort, FixRequest, Tree
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.watching import unwatched
from codeb_mcp.errors import HostNotReady
from tests.claude_code import DROP, OVERLOADED, MessagesApi, Text, ToolUse, Turn

REPAIR: Sequence[Turn] = (
    ToolUse("view", {"path": "a.py"}),
    ToolUse("edit", {"path": "a.py", "old": "1 - 1", "new": "1 + 1"}),
    Text("It added nothing."),
)


async def ask(api: MessagesApi, folder: Path, *, seconds: float = 60, usd: float = 1) -> Effort:
    (folder / "a.py").write_text("two = 1 - 1\n")
    settings = ApiSettings("claude-haiku-4-5", api.base_url, Secret("made-up"), first_wait=0.01)
    request = FixRequest("Repair it.", "a.py is wrong", seconds, usd)
    return await AnthropicFixer(settings).fix(request, Tree(folder, folder), unwatched)


async def test_model_looks_edits_and_ends(tmp_path: Path) -> None:
    with MessagesApi(*REPAIR) as api:
        effort = await ask(api, tmp_path)

    assert (effort.failure, effort.said) == (None, "It added nothing.")
    assert effort.usd > 0
    assert (tmp_path / "a.py").read_text() == "two = 1 + 1\n"


async def test_requests_stream_and_are_cached_up_to_their_end(tmp_path: Path) -> None:
    with MessagesApi(*REPAIR) as api:
        await ask(api, tmp_path)

    for request in api.requests:
        assert request.body["stream"] is True
        assert "cache_control" in request.body["system"][-1]
        assert "cache_control" in request.body["tools"][-1]
        assert "cache_control" in request.messages[-1]["content"][-1]
        assert sum("cache_control" in str(each) for each in request.messages) == 1


@pytest.mark.parametrize(
    "faults", [[429], [OVERLOADED], [DROP], [500, 429, OVERLOADED, DROP, DROP]], ids=str
)
async def test_what_passes_by_itself_is_tried_again(tmp_path: Path, faults: list[int]) -> None:
    with MessagesApi(*REPAIR, faults=faults) as api:
        effort = await ask(api, tmp_path)

    assert effort.failure is None
    assert (tmp_path / "a.py").read_text() == "two = 1 + 1\n"
    assert len(api.requests) == len(REPAIR)


@pytest.mark.parametrize(("fault", "times"), [(400, 1), (401, 1), (OVERLOADED, 6), (DROP, 6)])
async def test_what_does_not_pass_ends_with_its_reason(
    tmp_path: Path, fault: int, times: int
) -> None:
    with MessagesApi(faults=[fault] * times) as api:
        effort = await ask(api, tmp_path)

    assert effort.failure
    assert "made-up" not in effort.failure
    assert api.next_fault() is None


async def test_model_that_never_ends_is_ended_by_time_and_by_cost(tmp_path: Path) -> None:
    class Endless(MessagesApi):
        def _turn(self, number: int, request: object) -> ToolUse:
            del number, request
            return ToolUse("view", {"path": "a.py"})

    with Endless() as api:
        assert "in time" in str((await ask(api, tmp_path, seconds=0.2)).failure)
        assert "cost" in str((await ask(api, tmp_path, usd=1e-9)).failure)
        assert "turns" in str((await ask(api, tmp_path)).failure)


async def test_refused_tool_call_is_told_and_secrets_of_files_are_masked(tmp_path: Path) -> None:
    (tmp_path / "settings").write_text("api_key = abcdef123456\n")
    script: list[Turn] = [
        ToolUse("view", {"path": "/etc/passwd"}),
        ToolUse("view", {"path": "settings"}),
        Text("no"),
    ]
    with MessagesApi(*script) as api:
        await ask(api, tmp_path)

    refused, shown = api.requests[-1].tool_results
    assert refused.is_error
    assert not shown.is_error
    assert "abcdef123456" not in shown.text


async def test_without_a_key_it_is_not_ready() -> None:
    with pytest.raises(HostNotReady, match="no key"):
        await AnthropicFixer(ApiSettings(None, "http://127.0.0.1:1", None)).ready()
