"""An assistant's message as the Messages API sends it: whole, or as server-sent events."""

import json
from collections.abc import Iterator
from typing import Any

from .conversation import Text, ToolUse

_PIECE = 24  # characters per delta: small, so that a client has to join several


def whole_message(block: Text | ToolUse, number: int, model: str) -> dict[str, Any]:
    """The response body of a request without `stream`; `number` makes the ids unique."""
    content = _start(block, number) | (
        {"text": block.text} if isinstance(block, Text) else {"input": dict(block.input)}
    )
    return _message(number, model) | {
        "content": [content],
        "stop_reason": _stop_reason(block),
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def events(block: Text | ToolUse, number: int, model: str) -> Iterator[bytes]:
    """The same message as server-sent events, each one encoded and ready to send."""
    yield _event("message_start", message=_message(number, model))
    yield _event("content_block_start", index=0, content_block=_start(block, number))
    yield _event("ping")
    for delta in _deltas(block):
        yield _event("content_block_delta", index=0, delta=delta)
    yield _event("content_block_stop", index=0)
    yield _event(
        "message_delta",
        delta={"stop_reason": _stop_reason(block), "stop_sequence": None},
        usage={"output_tokens": 1},
    )
    yield _event("message_stop")


def _message(number: int, model: str) -> dict[str, Any]:
    return {
        "id": f"msg_{number:024d}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 0},
    }


def _start(block: Text | ToolUse, number: int) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": ""}
    return {"type": "tool_use", "id": f"toolu_{number:024d}", "name": block.name, "input": {}}


def _deltas(block: Text | ToolUse) -> Iterator[dict[str, str]]:
    if isinstance(block, Text):
        for piece in _pieces(block.text):
            yield {"type": "text_delta", "text": piece}
    else:
        for piece in _pieces(json.dumps(dict(block.input))):
            yield {"type": "input_json_delta", "partial_json": piece}


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]


def _stop_reason(block: Text | ToolUse) -> str:
    return "end_turn" if isinstance(block, Text) else "tool_use"


def _event(name: str, **data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()
