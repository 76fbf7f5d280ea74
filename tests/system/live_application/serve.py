"""An application for the tests: pages, an echo, an answer that takes 1.5 s, and websockets.

`/` is the page, `/echo` gives back what is sent, `/slow` takes its time, `/socket` is a websocket
that gives back each message. SIGTERM ends it as it should end: what was begun is answered, and a
websocket is closed with 1001, going away.
"""

import asyncio
import base64
import hashlib
import os
import signal
import struct
from pathlib import Path

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
GOING_AWAY = struct.pack("!H", 1001)
PAGE = Path(__file__).with_name("page").read_bytes()
sockets: set[asyncio.StreamWriter] = set()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while await answer(reader, writer):
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the other side has gone
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; whether another may follow."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    path = head[0].split(" ")[1]
    headers = {name.lower(): text.strip() for name, _, text in (h.partition(":") for h in head[1:])}
    if headers.get("upgrade", "").lower() == "websocket":
        await talk(headers["sec-websocket-key"], reader, writer)
        return False
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    if path == "/slow":
        await asyncio.sleep(1.5)
    content = body if path == "/echo" else PAGE
    kept = headers.get("connection", "").lower() != "close"
    lines = (
        "HTTP/1.1 200 OK",
        "Content-Type: text/plain",
        f"Connection: {'keep-alive' if kept else 'close'}",
        f"Content-Length: {len(content)}",
    )
    writer.write("\r\n".join((*lines, "", "")).encode() + content)
    return kept


async def talk(key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Give back each message until the other side closes."""
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest())  # noqa: S324 - RFC 6455
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    sockets.add(writer)
    try:
        while True:
            kind, content = await message(reader)
            writer.write(frame(PONG if kind == PING else kind, content))
            if kind == CLOSE:
                return
    finally:
        sockets.discard(writer)


async def message(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One message of a client, which is short, whole and masked."""
    first, second = await reader.readexactly(2)
    mask = await reader.readexactly(4)
    masked = await reader.readexactly(second & 0x7F)
    return first & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(masked))


def frame(kind: int, content: bytes) -> bytes:
    """A message to a client."""
    return bytes((0x80 | kind, len(content))) + content


async def main() -> None:
    """Serve until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = await asyncio.start_server(serve, "0.0.0.0", int(os.environ["PORT"]))
    async with server:
        await ended.wait()
        server.close()
        for writer in tuple(sockets):
            writer.write(frame(CLOSE, GOING_AWAY))
            await writer.drain()


asyncio.run(main())
