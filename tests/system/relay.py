"""Reaches a loopback port of the lab's server from this host."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.lab import Server

# The listening socket is opened here and inherited; connections are made inside.
RELAY = """
import asyncio, socket, sys

async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

async def relay(reader, writer):
    inside_reader, inside_writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
    await asyncio.gather(
        pump(reader, inside_writer), pump(inside_reader, writer), return_exceptions=True
    )

async def main():
    listener = socket.socket(fileno=int(sys.argv[1]))
    await (await asyncio.start_server(relay, sock=listener)).serve_forever()

asyncio.run(main())
"""


@contextmanager
def loopback_of(server: Server, port: int) -> Iterator[int]:
    """A port of this host's loopback that leads to 127.0.0.1:`port` in the server."""
    network = server.path_inside("/").parent / "ns" / "net"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor = listener.fileno()
        os.set_inheritable(descriptor, True)
        relay = [sys.executable, "-c", RELAY, str(descriptor), str(port)]
        process = subprocess.Popen(["nsenter", f"--net={network}", *relay], pass_fds=(descriptor,))
        try:
            yield int(listener.getsockname()[1])
        finally:
            process.terminate()
            process.wait(10)
