"""How a tool fails: the one place where codeb's errors become what a model reads."""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

from codeb_mcp.errors import CodebError

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger("codeb_mcp")


def readable(error: CodebError) -> str:
    """The error with its code, so that a model can tell what kind it is."""
    retry = ", worth trying again" if error.retryable else ""
    return f"{error}\n(error {error.code}{retry})"


def answering(tool: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """`tool`, with readable errors; a bug is logged whole, and told as no more than a bug."""

    @functools.wraps(tool)
    async def answer(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await tool(*args, **kwargs)
        except CodebError as error:
            raise ToolError(readable(error)) from None
        except Exception:
            log.exception("a bug in tool %s", tool.__name__)
            raise ToolError(
                "codeb failed in a way it should not; its log (standard error) has the details\n"
                "(error internal)"
            ) from None

    return answer


def actor_of(ctx: Context) -> str:
    """Who is calling, for the audit: the client as it names itself."""
    params = ctx.session.client_params
    if params is None:
        return "mcp"
    name = f"{params.client_info.name} {params.client_info.version}"
    return f"mcp:{name[:80]}"
