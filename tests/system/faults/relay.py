"""Runs on the host under test: passes connections on, or spoils them in one way.

    python relay.py FAULT LISTEN TARGET

LISTEN and TARGET are the path of a unix socket or a port of 127.0.0.1. FAULT is `none`, `timeout`,
`slow`, `500`, `reset` or `garbage`; with `changes:` before it, requests that only ask (GET, HEAD)
are passed on, and the others spoilt. (A system that refuses is one whose relay does not run.)
"""

import asyncio
import contextlib
import socket
import struct
import sys
from pathlib import Path

SLOW_SECONDS = 0.5
CHANGES = (b"POST ", b"PUT ", b"PATCH ", b"DELETE ")
ERROR = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\nConnection: close\r\n\r\noops\n"
)
GARBAGE = b"\x00\xff\xfe this is no HTTP \r\n\r\n\x00"


class Relay:
    """One listening address, one target and one fault."""

    def __init__(self, fault: str, target: str) -> None:
        kind, _, rest = fault.rpartition(":")
        self._changes_only = kind == "changes"
        self._fault = rest
        self._target = target

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        with contextlib.suppress(OSError):
            there, back = await _connect(self._target)
            answers = asyncio.ensure_future(self._answer(there, writer))
            try:
                while data := await reader.read(65_536):
                    if self._spoils(data):
                        answers.cancel()
                        await self._spoil(writer)
                        break
                    back.write(data)
                    await back.drain()
                else:
                    back.write_eof()
                    await answers
            finally:
                answers.cancel()
                back.close()
        writer.close()

    def _spoils(self, data: bytes) -> bool:
        if self._fault in ("none", "slow"):
            return False
        return not self._changes_only or data.startswith(CHANGES)

    async def _answer(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await there.read(65_536):
                if self._fault == "slow":
                    await asyncio.sleep(SLOW_SECONDS)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _spoil(self, writer: asyncio.StreamWriter) -> None:
        match self._fault:
            case "timeout":
                await asyncio.Event().wait()
            case "500":
                writer.write(ERROR)
                await writer.drain()
            case "garbage":
                writer.write(GARBAGE)
                await writer.drain()
            case "reset":
                connection: socket.socket = writer.get_extra_info("socket")
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            case other:
                raise ValueError(other)


async def _connect(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if target.startswith("/"):
        return await asyncio.open_unix_connection(target)
    return await asyncio.open_connection("127.0.0.1", int(target))


async def main(fault: str, listen: str, target: str) -> None:
    """Listen until the end of the process."""
    relay = Relay(fault, target)
    if listen.startswith("/"):
        Path(listen).unlink(missing_ok=True)
        server = await asyncio.start_unix_server(relay.accept, listen)
    else:
        server = await asyncio.start_server(relay.accept, "127.0.0.1", int(listen))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
