"""The scripted Messages API, asked without Claude Code."""

import json
from typing import Any

import httpx
import pytest

from tests.claude_code import MessagesApi, MessagesRequest, ScriptFailed, Text, ToolUse

_TOOL = {"name": "mcp__probe__greet", "input_schema": {"type": "object"}}


def _ask(api: MessagesApi, **body: Any) -> httpx.Response:
    default = {
        "model": "any",
        "max_tokens": 10,
        "tools": [_TOOL],
        "messages": [{"role": "user", "content": "Hello"}],
    }
    headers = {"x-api-key": "made-up"}
    return httpx.post(f"{api.base_url}/v1/messages", json=default | body, headers=headers)


def test_streamed_tool_use_joins_to_the_input_of_the_script() -> None:
    wanted = {"name": "Ada", "note": "Grüße, " * 20}
    with MessagesApi(ToolUse("mcp__probe__greet", wanted)) as api:
        reply = _ask(api, stream=True)

    assert reply.headers["content-type"] == "text/event-stream"
    events = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert len(deltas) > 1
    assert json.loads("".join(delta["partial_json"] for delta in deltas)) == wanted
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    assert events[-1] == {"type": "message_stop"}


def test_request_without_stream_is_answered_whole() -> None:
    with MessagesApi(Text("Hello yourself")) as api:
        message = _ask(api).json()

    assert message["content"] == [{"type": "text", "text": "Hello yourself"}]
    assert message["stop_reason"] == "end_turn"


def test_request_without_tools_uses_up_no_turn() -> None:
    with MessagesApi(Text("the only turn")) as api:
        _ask(api, tools=[])
        assert _ask(api).json()["content"][0]["text"] == "the only turn"

    assert (len(api.requests), len(api.side_requests)) == (1, 1)


def test_tokens_are_counted_without_using_up_a_turn() -> None:
    with MessagesApi() as api:
        reply = httpx.post(
            f"{api.base_url}/v1/messages/count_tokens",
            json={"model": "any", "messages": []},
            headers={"x-api-key": "made-up"},
        )

    assert reply.json()["input_tokens"] > 0


def test_unknown_path_is_refused_and_remembered() -> None:
    with MessagesApi() as api:
        reply = httpx.post(f"{api.base_url}/v1/unheard_of", json={})

    assert reply.status_code == 404
    assert reply.json()["error"]["type"] == "not_found_error"
    assert api.unknown == ["POST /v1/unheard_of"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"model": "any"}'])
def test_malformed_request_is_refused(body: bytes) -> None:
    with MessagesApi() as api:
        headers = {"x-api-key": "made-up"}
        reply = httpx.post(f"{api.base_url}/v1/messages", content=body, headers=headers)

    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "invalid_request_error"


def test_request_beyond_the_script_fails_the_test() -> None:
    api = MessagesApi()
    with pytest.raises(ScriptFailed, match="request 1 came, the script has 0 turns"), api:
        assert _ask(api).status_code == 400


def test_turn_left_over_fails_the_test() -> None:
    with (
        pytest.raises(ScriptFailed, match="0 of the script's 1 turns"),
        MessagesApi(Text("never")),
    ):
        pass


def test_assertion_within_a_turn_fails_the_test() -> None:
    def disappointed(request: MessagesRequest) -> Text:
        assert request.text == "Goodbye"
        return Text("unreachable")

    api = MessagesApi(disappointed)
    with pytest.raises(ScriptFailed, match="Goodbye"), api:
        assert _ask(api).status_code == 400
