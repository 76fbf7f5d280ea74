"""A pull from a registry that never answers can be given up."""

import asyncio
from pathlib import Path

import anyio

from codeb_mcp.adapters.podman_images import PodmanImages
from codeb_mcp.domain.names import ImageReference

PONG = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


async def test_cancelled_pull_ends_at_once_though_podman_goes_on(tmp_path: Path) -> None:
    pulling = asyncio.Event()

    async def podman(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readuntil(b"\r\n\r\n"):
            if b"/_ping" in request.splitlines()[0]:
                writer.write(PONG)
            else:
                pulling.set()  # and no answer, as while a registry keeps Podman waiting

    path = tmp_path / "podman.sock"
    server = await asyncio.start_unix_server(podman, path)
    try:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                images = PodmanImages(path)
                group.start_soon(images.pull, ImageReference("registry.test/app:v1"))
                await pulling.wait()
                group.cancel_scope.cancel()
    finally:
        server.close()
