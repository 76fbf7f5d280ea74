"""Stands between a fixer's program and the Messages API.

The program never has the key, nor another way to the network; what it may spend is counted here,
and when that is spent it is told so.
"""

import json
import secrets
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from codeb_mcp.domain.masking import Secret
from codeb_mcp.planning.costs import Tokens, usd

LARGEST_BODY = 32 * 1024 * 1024
MOST_REQUESTS = 200
_PASSED_ON = ("content-type", "anthropic-version", "anthropic-beta", "user-agent", "accept")
_BACK = ("content-type", "retry-after", "request-id", "x-should-retry")


@dataclass(slots=True)
class Spending:
    """What was spent, of what may be."""

    limit: float
    usd: float = 0.0
    requests: int = 0

    @property
    def over(self) -> str | None:
        """Why no more is sent."""
        if self.usd >= self.limit:
            return f"the cost limit of this heal is reached ({self.usd:.2f} USD)"
        if self.requests >= MOST_REQUESTS:
            return f"the limit of {MOST_REQUESTS} requests is reached"
        return None


@dataclass(frozen=True, slots=True)
class Upstream:
    """The API and its key."""

    url: str
    key: Secret


@dataclass(slots=True)
class MessagesProxy:
    """The running proxy: `password` is what the program takes for its key."""

    upstream: Upstream
    spending: Spending
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    address: str = ""

    def app(self, client: httpx.AsyncClient) -> Starlette:
        """The proxy as an application."""

        async def send(request: Request) -> Response:
            return await self._send(request, client)

        async def well(_: Request) -> Response:
            return Response()

        return Starlette(
            routes=[
                Route("/v1/messages", send, methods=["POST"]),
                Route("/v1/messages/count_tokens", send, methods=["POST"]),
                Route("/", well, methods=["GET", "HEAD"]),
            ]
        )

    async def _send(self, request: Request, client: httpx.AsyncClient) -> Response:
        given = request.headers.get("x-api-key") or request.headers.get("authorization", "")
        if not secrets.compare_digest(given.removeprefix("Bearer ").encode(), self._password()):
            return _error(401, "authentication_error", "this is not the key of this heal")
        if over := self.spending.over:
            return _error(403, "permission_error", over)
        body = await request.body()
        if len(body) > LARGEST_BODY:
            return _error(413, "request_too_large", "the request is too large")
        self.spending.requests += 1
        headers = {k: v for k in _PASSED_ON if (v := request.headers.get(k)) is not None}
        headers |= {"x-api-key": self.upstream.key.reveal(), "accept-encoding": "identity"}
        sent = client.build_request(
            "POST",
            self.upstream.url.rstrip("/") + request.url.path,
            params=dict(request.query_params),
            content=body,
            headers=headers,
        )
        try:
            answer = await client.send(sent, stream=True)
        except httpx.HTTPError as error:
            return _error(502, "api_error", f"the API cannot be reached: {type(error).__name__}")
        back = {k: v for k in _BACK if (v := answer.headers.get(k)) is not None}
        return StreamingResponse(self._counted(answer, body), answer.status_code, back)

    def _password(self) -> bytes:
        return self.password.encode()

    async def _counted(self, answer: httpx.Response, body: bytes) -> AsyncIterator[bytes]:
        meter = Meter(_model(body))
        try:
            async for chunk in answer.aiter_raw():
                meter.feed(chunk)
                yield chunk
        finally:
            self.spending.usd += meter.usd()
            with anyio.CancelScope(shield=True):
                await answer.aclose()


class Meter:
    """Counts the tokens of an answer while it passes, streamed or whole."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._rest = b""
        self._usage: dict[str, Any] = {}

    def feed(self, chunk: bytes) -> None:
        """The next piece of it."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._read(line.removeprefix(b"data:"))

    def usd(self) -> float:
        """What it cost, by what has passed so far."""
        self._read(self._rest.removeprefix(b"data:"))
        self._rest = b""
        return usd(self._model, Tokens.of(self._usage))

    def _read(self, text: bytes) -> None:
        if b'"usage"' not in text:
            return
        with suppress(ValueError, AttributeError, TypeError):
            event = json.loads(text)
            usage = event.get("usage") or event.get("message", {}).get("usage") or {}
            self._usage |= {key: value for key, value in usage.items() if value is not None}


def _model(body: bytes) -> str:
    with suppress(ValueError, AttributeError, TypeError):
        return str(json.loads(body).get("model", ""))
    return ""


def _error(status: int, kind: str, message: str) -> Response:
    document = {"type": "error", "error": {"type": kind, "message": message}}
    return JSONResponse(document, status)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: they are the heal's."""
        yield


@asynccontextmanager
async def serving(
    upstream: Upstream, limit: float, *, on_socket: bool
) -> AsyncIterator[MessagesProxy]:
    """The proxy while it serves: on a unix socket, else on a port of loopback."""
    proxy = MessagesProxy(upstream, Spending(limit))
    with tempfile.TemporaryDirectory(prefix="codeb-api-") as folder:
        if on_socket:
            proxy.address = str(Path(folder, "api"))
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(proxy.address)
        else:
            listener = socket.create_server(("127.0.0.1", 0))
            proxy.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.listen(64)
        timeout = httpx.Timeout(600, connect=30)
        async with httpx.AsyncClient(timeout=timeout, trust_env=True) as client:
            config = uvicorn.Config(
                proxy.app(client),
                log_level="error",
                ws="none",
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
            server = _Server(config)
            async with anyio.create_task_group() as group:
                group.start_soon(server.serve, [listener])
                try:
                    yield proxy
                finally:
                    server.should_exit = True
                    with anyio.CancelScope(shield=True), anyio.move_on_after(5):
                        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                            await anyio.sleep(0.01)
                        await server.shutdown([listener])
                    group.cancel_scope.cancel()
