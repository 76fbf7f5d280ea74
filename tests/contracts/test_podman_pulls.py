"""Who is blamed for a pull that does not come, told by what Podman answers."""

import json
import socketserver
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from codeb_mcp.adapters.podman import PodmanImages
from codeb_mcp.domain.names import ImageReference
from codeb_mcp.errors import InvalidRequest, SystemFailed
from tests.outcomes import fails_with

IMAGE = ImageReference("registry.example/shop:v1")
COMING = {"id": "a", "status": "Downloading", "progressDetail": {"current": 1, "total": 9}}
UNPACKING = {"id": "a", "status": "Download complete"}
PATIENCE = 1.0


class Service(socketserver.ThreadingUnixStreamServer):
    """Stands where Podman does, and answers each pull with a status and a line every so often."""

    daemon_threads = True
    status = 200
    body = b""
    lines: tuple[object, ...] = ()
    pause = 0.3
    open_ended = False

    def __init__(self, path: Path) -> None:
        self.over = threading.Event()
        super().__init__(str(path), Answering)


class Answering(BaseHTTPRequestHandler):
    """One connection."""

    server: Service
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        """Not to the tests' output."""

    def do_GET(self) -> None:
        image = {"Id": "1" * 64, "Digest": "sha256:2", "RepoDigests": []}
        self._answer(200, b"OK" if self.path.endswith("_ping") else json.dumps(image).encode())

    def do_POST(self) -> None:
        service = self.server
        if service.status != 200:
            self._answer(service.status, service.body)
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in service.lines:
            text = json.dumps(line).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            self.wfile.flush()
            service.over.wait(service.pause)
        if service.open_ended:
            service.over.wait()
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def service() -> Iterator[Service]:
    with tempfile.TemporaryDirectory() as folder, _serving(Path(folder) / "podman.sock") as found:
        yield found


@contextmanager
def _serving(path: Path) -> Iterator[Service]:
    with Service(path) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.over.set()
        found.shutdown()


def images(service: Service) -> PodmanImages:
    return PodmanImages(Path(str(service.server_address)), pull_patience=PATIENCE)


async def test_podman_that_fails_is_not_the_images_fault(service: Service) -> None:
    service.status, service.body = 500, b"oops\n"
    async with fails_with(SystemFailed, "podman_failed", "Podman could not pull", "oops"):
        await images(service).pull(IMAGE)


async def test_podman_that_names_the_image_is_believed(service: Service) -> None:
    service.status = 500
    service.body = json.dumps({"message": "reading manifest v1: manifest unknown"}).encode()
    async with fails_with(InvalidRequest, "image_not_found", "registry.example/shop:v1"):
        await images(service).pull(IMAGE)


async def test_line_that_is_no_object_is_podmans_fault(service: Service) -> None:
    service.lines = (7,)
    async with fails_with(SystemFailed, "podman_failed", "it said 7"):
        await images(service).pull(IMAGE)


@pytest.mark.parametrize("lines", [(), (COMING,)], ids=["at first", "in a layer"])
async def test_registry_that_sends_nothing_is_given_up(
    service: Service, lines: tuple[object, ...]
) -> None:
    service.lines, service.open_ended = lines, True
    began = time.monotonic()
    async with fails_with(SystemFailed, "registry_stalled", "registry.example", "pull_timeout"):
        await images(service).pull(IMAGE)
    assert time.monotonic() - began < 5


async def test_slow_layer_that_goes_on_is_waited_for(service: Service) -> None:
    service.lines = (COMING,) * 10
    began = time.monotonic()
    await images(service).pull(IMAGE)
    assert time.monotonic() - began > 2 * PATIENCE


async def test_unpacking_may_be_silent_for_longer(service: Service) -> None:
    service.lines, service.pause = (UNPACKING,), 3 * PATIENCE
    await images(service).pull(IMAGE)
