"""A Podman that cannot be used is said so within seconds, with how to start it."""

import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from codeb_mcp.adapters.podman import Podman, PodmanImages, PodmanRuntime
from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import HostNotReady
from tests.outcomes import fails_with

SHOP = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))


@pytest.fixture
def path() -> Iterator[Path]:
    """Where a socket may be: its path may have no more than 107 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "podman.sock"


@asynccontextmanager
async def is_down(path: Path, reason: str) -> AsyncIterator[None]:
    """The block must say that Podman is down, for that reason, and in no more than 5 s."""
    began = time.monotonic()
    async with fails_with(HostNotReady, "podman_down", str(path), reason, "podman.socket"):
        yield
    assert time.monotonic() - began < 5


async def test_a_socket_that_is_not_there_is_named(path: Path) -> None:
    async with is_down(path, "there is no such socket"):
        await PodmanRuntime(path).observe(SHOP)


async def test_a_socket_left_over_by_a_dead_service_is_told(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    async with is_down(path, "nobody listens there"):
        await PodmanImages(path).release_tags(SHOP)


async def test_a_service_that_hangs_is_not_waited_for(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        async with is_down(path, "no answer within 3 s"):
            await PodmanImages(path).pull(ImageReference("localhost/shop"))


async def test_a_service_that_takes_no_more_connections_is_told(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(str(path))
        listener.listen(0)
        waiting.connect(str(path))
        async with is_down(path, "it takes no more connections"):
            await PodmanRuntime(path).observe(SHOP)


async def test_a_build_does_not_start_without_podman(path: Path, tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text("FROM scratch\n")
    async with is_down(path, "there is no such socket"):
        await PodmanImages(path).build(tmp_path, ImageReference("localhost/shop"))


async def test_the_embedded_service_is_started_by_codeb(path: Path) -> None:
    async with fails_with(HostNotReady, "podman_down", "codeb local start"):
        await Podman(path, embedded=True).ping()
