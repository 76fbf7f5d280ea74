"""The real `codeb-mcp` as a process: over HTTP on a free port, or over stdio line by line."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import anyio
import anyio.abc
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

SERVER = (sys.executable, "-m", "codeb_mcp")
SECONDS_TO_START = 60
Transport = Literal["http", "sse"]
TRANSPORTS: tuple[Transport, ...] = ("http", "sse")
Era = Literal["auto", "legacy"]


def environment(home: Path, **more: str) -> dict[str, str]:
    """What the server is started with: nothing of the caller's own settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CODEB_")}
    return {**kept, "CODEB_HOME": str(home), **more}


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _Output(threading.Thread):
    """Reads a stream to its end, and tells when the server says that it listens."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._lines: list[str] = []
        self.told = threading.Event()
        self.start()

    def run(self) -> None:
        """Collect lines."""
        for line in self._stream:
            self._lines.append(line)
            if "listens on" in line:
                self.told.set()
        self.told.set()

    @property
    def text(self) -> str:
        """What was written so far."""
        return "".join(self._lines)


@dataclass
class HttpServer:
    """One `codeb-mcp serve` that listens."""

    process: subprocess.Popen[str]
    output: _Output
    transport: Transport
    home: Path
    port: int

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}/{'mcp' if self.transport == 'http' else 'sse'}"

    @property
    def token(self) -> str:
        """The bearer token."""
        return (self.home / "token").read_text().strip()

    def headers(self, token: str | None = None) -> dict[str, str]:
        """What a client sends."""
        return {"Authorization": f"Bearer {token or self.token}"}

    @asynccontextmanager
    async def client(self, era: Era = "auto", **more: str) -> AsyncIterator[Client]:
        """A connected client, with more headers where they are given."""
        headers = {**self.headers(), **more}
        if self.transport == "sse":
            async with Client(sse_client(self.url, headers=headers), mode=era) as client:
                yield client
            return
        async with create_mcp_http_client(headers=headers) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=era) as client:
                yield client

    def end(self, sent: signal.Signals = signal.SIGTERM, seconds: float = 10) -> int:
        """Send a signal and give the exit code; TimeoutExpired when it takes too long."""
        self.process.send_signal(sent)
        code = self.process.wait(seconds)
        self.output.join(seconds)
        return code


@contextmanager
def http_server(
    home: Path, transport: Transport = "http", *options: str, **variables: str
) -> Iterator[HttpServer]:
    """Start a server and wait until it listens."""
    port = free_port()
    command = [*SERVER, "serve", "--transport", transport, "--port", str(port), *options]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(home, **variables),
    )
    assert process.stdout is not None
    output = _Output(process.stdout)
    try:
        assert output.told.wait(SECONDS_TO_START)
        assert "listens on" in output.text, output.text
        yield HttpServer(process, output, transport, home, port)
    finally:
        process.kill()
        process.wait()
        output.join()
        process.stdout.close()


@dataclass
class StdioServer:
    """One server on pipes, spoken to as raw lines: what a client library would hide is seen."""

    process: anyio.abc.Process
    number: int = 0
    unread: bytes = b""
    notifications: list[dict[str, Any]] = field(default_factory=list)

    async def write(self, line: bytes) -> None:
        """Send bytes as they are."""
        assert self.process.stdin is not None
        await self.process.stdin.send(line)

    async def send(self, method: str, **more: Any) -> None:
        """Send one message."""
        message = {"jsonrpc": "2.0", "method": method, **more}
        await self.write(json.dumps(message).encode() + b"\n")

    async def begin(self, method: str, **params: Any) -> int:
        """Send a request without waiting; its id."""
        self.number += 1
        await self.send(method, id=self.number, params=params)
        return self.number

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and give its answer, `result` or `error` and all."""
        number = await self.begin(method, **params)
        while (answer := await self.read()).get("id") != number:
            self.notifications.append(answer)
        return answer

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; its result."""
        answer = await self.ask("tools/call", name=tool, arguments=arguments)
        result: dict[str, Any] = answer["result"]
        return result

    async def refusal(self, tool: str, **arguments: Any) -> str:
        """Call a tool that must fail; what the model reads."""
        result = await self.call(tool, **arguments)
        assert result["isError"]
        text: str = result["content"][0]["text"]
        return text

    async def read(self) -> dict[str, Any]:
        """The next message: every line must be one."""
        assert self.process.stdout is not None
        with anyio.fail_after(SECONDS_TO_START):
            while b"\n" not in self.unread:
                self.unread += await self.process.stdout.receive()
        line, self.unread = self.unread.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    async def greet(self) -> None:
        """The handshake."""
        client = {"name": "test", "version": "1"}
        version = "2025-11-25"
        await self.ask("initialize", protocolVersion=version, capabilities={}, clientInfo=client)
        await self.send("notifications/initialized")

    async def leave(self, seconds: float = 2.0) -> int:
        """Close the server's standard input; its exit code, which must come within `seconds`."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()
        with anyio.fail_after(seconds):
            return await self.process.wait()


@asynccontextmanager
async def stdio_server(
    home: Path,
    errors: Path,
    *,
    command: Sequence[str] = SERVER,
    variables: Mapping[str, str] | None = None,
) -> AsyncIterator[StdioServer]:
    """A server on pipes, greeted; its standard error goes to the file `errors`."""
    with errors.open("wb") as log:
        process = await anyio.open_process(
            command, stderr=log, env=environment(home, **(variables or {}))
        )
    try:
        server = StdioServer(process)
        await server.greet()
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()


@contextmanager
def unanswering_host(folder: Path) -> Iterator[dict[str, str]]:
    """Settings with a Caddy that accepts and never answers: a deploy waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield {
            "CODEB_CADDY_ADMIN": f"http://127.0.0.1:{listener.getsockname()[1]}",
            "CODEB_PODMAN_SOCKET": str(folder / "podman.sock"),
        }
