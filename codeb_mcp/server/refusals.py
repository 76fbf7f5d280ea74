"""What the protocol layer refuses by itself, told readably and in bounded length.

A caller's mistake must not come back whole: a model would read its own ten megabytes again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS
from pydantic import ValidationError

from codeb_mcp.domain.names import shown
from codeb_mcp.errors import InvalidRequest

LONGEST_MESSAGE = 500
MOST_MISTAKES = 5


def unknown_tool(name: str, tools: Iterable[str]) -> InvalidRequest:
    """The error for a tool that there is not."""
    return InvalidRequest(
        f"there is no tool {shown(name)}",
        hint=f"call one of {', '.join(tools)}",
        code="unknown_tool",
    )


def unknown_arguments(tool: str, given: Mapping[str, Any], known: Sequence[str]) -> InvalidRequest:
    """The error for arguments that a tool does not take: `dry_rnu=true` must not deploy."""
    unknown = sorted(set(given) - set(known))
    told = ", ".join(shown(name) for name in unknown[:MOST_MISTAKES])
    return InvalidRequest(
        f"{tool} does not take {told}{_and_more(len(unknown))}",
        hint=f"it takes {', '.join(known) or 'no arguments'}",
        code="invalid_arguments",
    )


def wrong_arguments(tool: str, error: ValidationError) -> InvalidRequest:
    """The error for arguments of the wrong type, each with what is wrong about it."""
    mistakes = error.errors(include_url=False, include_context=False)
    told = "; ".join(_mistake(each) for each in mistakes[:MOST_MISTAKES])
    return InvalidRequest(
        f"{tool} cannot be called so: {told}{_and_more(len(mistakes))}",
        hint="correct the arguments and call again",
        code="invalid_arguments",
    )


def _mistake(mistake: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "missing":
        return f"{where} is missing"
    return f"{where}: {mistake['msg']}, not {shown(mistake['input'])}"


def _and_more(count: int) -> str:
    return f" and {count - MOST_MISTAKES} more" if count > MOST_MISTAKES else ""


async def bounded_errors(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: no protocol error is longer than a reader wants."""
    try:
        return await call_next(ctx)
    except ValidationError:
        raise  # the SDK answers it without the values
    except MCPError as error:
        data = error.data if len(str(error.data)) <= LONGEST_MESSAGE else None
        raise MCPError(error.code, _shortened(error.message), data) from None
    except ValueError as error:
        # how the SDK reports an unknown prompt, or a prompt's missing argument
        raise MCPError(INVALID_PARAMS, _shortened(str(error))) from None


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_MESSAGE:
        return text
    return f"{text[:LONGEST_MESSAGE]}… ({len(text)} characters)"
