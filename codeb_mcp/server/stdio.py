"""Standard input for the MCP server, so that a signal can end it as the end of input does.

The SDK reads standard input in a thread, and a thread that reads cannot be cancelled: with the
input still open, SIGINT would hang and SIGTERM would kill a deploy that could have been undone.
So the thread reads from a pipe of ours, which a signal closes.
"""

import os
import stat

import anyio
from mcp.server import MCPServer

from codeb_mcp.server.signals import exit_code, on_first_signal

CHUNK = 65_536


async def serve_stdio(server: MCPServer) -> int:
    """Serve until the end of input, SIGTERM or SIGINT; gives the exit code."""
    if not _can_be_waited_for(0):
        await server.run_stdio_async()
        return 0
    source = os.dup(0)
    pipe, sink = os.pipe()
    os.dup2(pipe, 0)
    os.close(pipe)
    code = 0
    input_ended = anyio.CancelScope()

    def end(received: int) -> None:
        nonlocal code
        code = exit_code(received)
        input_ended.cancel()

    async with anyio.create_task_group() as tasks:
        await tasks.start(on_first_signal, end)
        tasks.start_soon(_copy, source, sink, input_ended)
        await server.run_stdio_async()
        tasks.cancel_scope.cancel()
    return code


def _can_be_waited_for(descriptor: int) -> bool:
    """Whether reading may block. A file cannot be waited for, and comes to its end by itself."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


async def _copy(source: int, sink: int, scope: anyio.CancelScope) -> None:
    os.set_blocking(sink, False)
    try:
        with scope:
            while data := await _read(source):
                await _write(sink, data)
    finally:
        os.close(sink)


async def _read(source: int) -> bytes:
    # the descriptor is shared with the client, so it is left as it is, blocking
    await anyio.wait_readable(source)
    return os.read(source, CHUNK)


async def _write(sink: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(sink, data) :]
        except BlockingIOError:
            await anyio.wait_writable(sink)
