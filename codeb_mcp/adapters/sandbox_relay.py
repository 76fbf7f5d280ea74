"""The one way out of a sandbox without network: from a port inside to a unix socket.

    python sandbox_relay.py SOCKET PORT PROGRAM [ARGUMENT]...

Listens on 127.0.0.1:PORT, sends what comes to SOCKET and back, and becomes the program; the
sandbox ends with it. Of the standard library alone, since it is started by itself.
"""

import asyncio
import os
import socket
import sys


def main() -> None:
    """Listen before the program begins, and serve beside it."""
    way_out, port, *program = sys.argv[1:]
    listener = socket.create_server(("127.0.0.1", int(port)))
    if os.fork() == 0:
        asyncio.run(_serve(listener, way_out))
    else:
        listener.close()
        os.execvp(program[0], program)  # noqa: S606 - becomes the program, without a shell


async def _serve(listener: socket.socket, way_out: str) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_unix_connection(way_out)
        await asyncio.gather(_pipe(reader, out), _pipe(there, writer))

    server = await asyncio.start_server(relay, sock=listener)
    await server.serve_forever()


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()


if __name__ == "__main__":
    main()
