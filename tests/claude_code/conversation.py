"""One side of a conversation is scripted (`Turn`), the other is read (`MessagesRequest`)."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Text:
    """The assistant says something and ends its turn."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The assistant calls a tool; a tool of an MCP server is named `mcp__SERVER__TOOL`."""

    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What one tool call returned, as the model would read it."""

    name: str
    text: str
    is_error: bool

    def json(self) -> Any:
        """The text parsed as JSON (an MCP tool's structured result arrives so)."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """The body of one `POST /v1/messages`."""

    body: Mapping[str, Any]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation so far, oldest first."""
        return list(self.body["messages"])

    @property
    def tools(self) -> dict[str, dict[str, Any]]:
        """The tools offered to the model, with description and input schema, by name."""
        return {tool["name"]: tool for tool in self.body.get("tools", []) if "name" in tool}

    @property
    def system(self) -> str:
        """The system prompt, its blocks joined; instructions of MCP servers are part of it."""
        return _text_of(self.body.get("system", ""))

    @property
    def text(self) -> str:
        """Everything the user's side has said in plain text, oldest first."""
        said = (_text_of(m["content"]) for m in self.messages if m["role"] != "assistant")
        return "\n".join(said)

    @property
    def tool_results(self) -> list[ToolResult]:
        """Results of all tool calls of the conversation, oldest first."""
        names = {block["id"]: block["name"] for block in self._blocks("tool_use")}
        return [
            ToolResult(
                name=names[block["tool_use_id"]],
                text=_text_of(block.get("content", "")),
                is_error=bool(block.get("is_error", False)),
            )
            for block in self._blocks("tool_result")
        ]

    @property
    def last_tool_result(self) -> ToolResult:
        """The newest tool result; AssertionError when no tool has answered yet."""
        results = self.tool_results
        assert results, "no tool has answered in this conversation"
        return results[-1]

    def _blocks(self, kind: str) -> Iterator[dict[str, Any]]:
        for message in self.messages:
            content = message["content"]
            if isinstance(content, list):
                yield from (block for block in content if block.get("type") == kind)


Turn = Text | ToolUse | Callable[[MessagesRequest], Text | ToolUse]
"""What the assistant does next, given or computed from the request (hence from tool results)."""


def _text_of(content: str | list[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block.get("type") == "text")
