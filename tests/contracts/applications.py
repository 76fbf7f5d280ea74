"""Small TCP servers that answer, or fail to, in ways that applications do."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Behaviour = Callable[[StreamWriter, bytes], Awaitable[None]]


@asynccontextmanager
async def application(behave: Behaviour, port: int = 0) -> AsyncIterator[int]:
    """Listens on loopback for as long as the block lasts. Gives the port.

    `behave` gets the connection and the head of the request.
    """
    answering: set[asyncio.Task[None]] = set()

    async def handle(reader: StreamReader, writer: StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            answering.add(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await behave(writer, await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    """Wait for the condition, or fail."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.01)  # how often to look; what is looked at cannot be awaited


def saying(status: int, body: bytes = b"ok", headers: str = "") -> Behaviour:
    """Answers every request the same."""

    async def behave(writer: StreamWriter, head: bytes) -> None:
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}"
            "Connection: close\r\n\r\n".encode()
            + body
        )
        await writer.drain()

    return behave


async def silent(writer: StreamWriter, head: bytes) -> None:
    """Takes the request and never answers."""
    await asyncio.Event().wait()


async def hanging_up(writer: StreamWriter, head: bytes) -> None:
    """Takes the request and closes the connection."""


async def not_http(writer: StreamWriter, head: bytes) -> None:
    """Speaks another protocol."""
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    await writer.drain()


async def endless(writer: StreamWriter, head: bytes) -> None:
    """Answers with a body that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
        await writer.drain()


async def one_byte_at_a_time(writer: StreamWriter, head: bytes) -> None:
    """Never stops sending and never gets anywhere."""
    while True:
        writer.write(b"H")
        await writer.drain()
        await asyncio.sleep(0.05)  # slow on purpose: every byte would renew a per-read time limit
