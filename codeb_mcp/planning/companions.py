"""MCP servers that an agent may have beside codeb, on request."""

import json
from collections.abc import Sequence
from enum import StrEnum

from codeb_mcp.errors import InvalidRequest

_PACKAGES = {
    "sequential-thinking": "@modelcontextprotocol/server-sequential-thinking@2026.8.31",
    "context7": "@upstash/context7-mcp@4.1.1",
    "playwright": "@playwright/mcp@0.0.83",
}


class Companion(StrEnum):
    """A server that helps to think, to read documentation, or to look at pages."""

    SEQUENTIAL_THINKING = "sequential-thinking"
    CONTEXT7 = "context7"
    PLAYWRIGHT = "playwright"

    @classmethod
    def parse(cls, text: str) -> tuple["Companion", ...]:
        """Several, with commas between them. Raises InvalidRequest."""
        names = [name.strip() for name in text.split(",") if name.strip()]
        for name in names:
            if name not in set(cls):
                raise InvalidRequest(
                    f"{name[:40]!a} is no companion that codeb knows",
                    hint=f"those are: {', '.join(cls)}",
                    code="unknown_companion",
                )
        return tuple(cls(name) for name in dict.fromkeys(names))


def client_configuration(companions: Sequence[Companion] = ()) -> str:
    """The text of `.mcp.json`: codeb, and the companions at versions that are fixed."""
    servers: dict[str, object] = {"codeb": {"command": "codeb-mcp", "args": []}}
    for each in companions:
        servers[each] = {"command": "npx", "args": ["-y", _PACKAGES[each]]}
    return json.dumps({"mcpServers": servers}, indent=2) + "\n"
