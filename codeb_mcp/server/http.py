"""HTTP below the MCP transports: the socket, the checks before anything else, and the end."""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import uvicorn
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from codeb_mcp.domain.names import shown
from codeb_mcp.errors import HostNotReady, InvalidRequest
from codeb_mcp.server.signals import exit_code, on_first_signal

SECONDS_TO_FINISH = 2
"""How long open requests may go on after a signal, before they are cancelled."""


class CheckedHeaders:
    """Checks Host and Origin before authentication, on every path.

    The SDK checks them itself too, but its SSE transport ends a refused request in an exception,
    so that each one writes a traceback to the log.
    """

    def __init__(self, app: ASGIApp, settings: TransportSecuritySettings) -> None:
        self._app = app
        self._checks = TransportSecurityMiddleware(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421 or 403, or pass the request on."""
        if scope["type"] == "http":
            refusal = await self._checks.validate_request(Request(scope))
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises HostNotReady when the address cannot be had."""
    try:
        # "" would mean every address, which is asked for by name
        family, *_ = socket.getaddrinfo(host or "?", port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise InvalidRequest(
            f"the address {shown(host)} cannot be resolved",
            hint="pass --host an address of this machine, such as 127.0.0.1",
        ) from None
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        # create_server words its errors with the address in them
        reason = errno.errorcode.get(error.errno or 0, "")
        hint = {
            "EADDRINUSE": "another program listens there: choose another with --port",
            "EACCES": "ports below 1024 need root: choose another with --port",
            "EADDRNOTAVAIL": "pass --host an address of this machine, such as 127.0.0.1",
        }.get(reason, "choose others with --host and --port")
        raise HostNotReady(
            f"cannot listen on {shown(host)} port {port} ({reason})",
            hint=hint,
            code="cannot_listen",
        ) from None


class _Server(uvicorn.Server):
    """Uvicorn without its own signals: it would end the process while a deploy is undone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(app: ASGIApp, listener: socket.socket, ready: Callable[[], None]) -> int:
    """Serve until SIGTERM or SIGINT and give the exit code; `ready` is called when it begins.

    Requests get a little time to finish and are then cancelled, which undoes a deploy that is
    under way; that is waited for. A second signal ends the process at once.
    """
    server = _Server(
        uvicorn.Config(
            app,
            log_level="warning",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=SECONDS_TO_FINISH,
        )
    )
    code = 0

    def end(received: int) -> None:
        nonlocal code
        code = exit_code(received)
        # SSE streams end because sse-starlette watches this method
        server.handle_exit(received, None)

    async with anyio.create_task_group() as tasks:
        await tasks.start(on_first_signal, end)
        ready()
        await server.serve(sockets=[listener])
        tasks.cancel_scope.cancel()
    if server.server_state.tasks:
        await asyncio.wait(server.server_state.tasks)
    return code
