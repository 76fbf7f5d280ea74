"""The real Claude Code, headless and offline: it talks to a Messages API that a test scripts."""

from .client import ClaudeCode, ClaudeCodeFailed, Result, require_claude_code
from .conversation import MessagesRequest, Text, ToolResult, ToolUse, Turn
from .messages_api import DROP, OVERLOADED, MessagesApi, ScriptFailed

__all__ = [
    "DROP",
    "OVERLOADED",
    "ClaudeCode",
    "ClaudeCodeFailed",
    "MessagesApi",
    "MessagesRequest",
    "Result",
    "ScriptFailed",
    "Text",
    "ToolResult",
    "ToolUse",
    "Turn",
    "require_claude_code",
]
