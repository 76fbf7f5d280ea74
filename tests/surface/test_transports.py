"""Streamable HTTP and SSE: the real server process, the real client, hostile requests."""

import json
import signal
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, MCPError
from mcp_types import TextContent

from tests.surface.processes import (
    TRANSPORTS,
    Era,
    HttpServer,
    Transport,
    http_server,
    unanswering_host,
)

# each starts servers as processes of their own, which is more than the fast lane has time for
pytestmark = pytest.mark.system

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ACCEPTED = {"Accept": "application/json, text/event-stream"}


@pytest.fixture(
    scope="module",
    params=[(each, host) for each in TRANSPORTS for host in ("127.0.0.1", "0.0.0.0")],
    ids="-".join,
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HttpServer]:
    """One server for all tests that leave it as it was: each transport, on both kinds of bind."""
    transport, host = request.param
    home = tmp_path_factory.mktemp("home")
    options = ("--host", host, "--allowed-host", "codeb.example.com")
    with http_server(home, transport, *options) as started:
        yield started
        assert started.process.poll() is None
        assert started.token not in started.output.text
        assert "Traceback" not in started.output.text, started.output.text


def post(server: HttpServer, body: bytes | None = None, **headers: str) -> httpx.Response:
    """A request with the token to where messages are posted, its headers replaced by those given.

    The SSE transport takes messages only within a session: there it is the GET that opens one.
    """
    sent = {**ACCEPTED, **server.headers(), "Content-Type": "application/json", **headers}
    content = json.dumps(PING).encode() if body is None else body
    with httpx.Client(headers=sent, timeout=10) as client:
        if server.transport == "http":
            return client.post(server.url, content=content)
        if body is not None:
            return client.post(f"{messages_url(server)}?session_id={'0' * 32}", content=content)
        with client.stream("GET", server.url) as answer:
            return answer


def messages_url(server: HttpServer) -> str:
    return server.url.replace("/sse", "/messages/")


async def result(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    assert answer.structured_content is not None
    structured: dict[str, Any] = answer.structured_content
    return structured


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_client_with_the_token_lists_and_calls_tools(server: HttpServer, era: Era) -> None:
    async with server.client(era) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"deploy", "init_project", "list_projects"} <= names
        name = f"{server.transport}-{era}"
        assert (await result(client, "init_project", project=name))["project"] == name
        listed = await result(client, "list_projects")
        assert name in [each["name"] for each in listed["projects"]]


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_clients_at_once_get_their_own_answers(server: HttpServer, era: Era) -> None:
    async def work(who: str) -> None:
        async with server.client(era) as client:
            for number in range(5):
                name = f"{era}-{who}-{number}"
                assert (await result(client, "init_project", project=name))["project"] == name
                assert (await result(client, "get_status", project=name))["project"] == name

    async with anyio.create_task_group() as clients:
        for who in ("a", "b", "c"):
            clients.start_soon(work, who)


def test_request_without_the_token_is_unauthorized(server: HttpServer) -> None:
    for credentials in ("", f"Basic {server.token}", server.token):
        answer = post(server, Authorization=credentials)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "x", lambda t: t[:1], str.swapcase]
)
def test_request_with_a_wrong_token_is_unauthorized(server: HttpServer, change: Any) -> None:
    answer = post(server, Authorization=f"Bearer {change(server.token)}")
    assert answer.status_code == 401


def test_messages_of_the_sse_transport_need_the_token_too(server: HttpServer) -> None:
    if server.transport == "sse":
        url = f"{messages_url(server)}?session_id={'0' * 32}"
        assert httpx.post(url, json=PING).status_code == 401
        assert httpx.post(url, json=PING, headers=server.headers()).status_code == 404


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", "0.0.0.0:{port}"],
)
def test_request_to_another_host_is_misdirected(server: HttpServer, host: str) -> None:
    answer = post(server, Host=host.format(port=server.port))
    assert answer.status_code == 421
    assert post(server, Host="evil.example", Authorization="").status_code == 421


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1", "https://codeb.example.com.evil.example"],
)
def test_request_from_another_origin_is_forbidden(server: HttpServer, origin: str) -> None:
    assert post(server, Origin=origin).status_code == 403


def test_loopback_and_allowed_hosts_and_origins_are_served(server: HttpServer) -> None:
    port = server.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", "codeb.example.com"):
        assert post(server, Host=host).status_code in {200, 400}, host
    assert post(server, Origin=f"http://localhost:{port}").status_code in {200, 400}
    assert post(server, Origin="https://codeb.example.com").status_code in {200, 400}


def test_every_path_is_closed_to_strangers(server: HttpServer) -> None:
    base = f"http://127.0.0.1:{server.port}"
    for path in ("/", "/mcp", "/sse", "/messages/", "/.well-known/oauth-protected-resource"):
        for method in ("GET", "POST", "DELETE", "OPTIONS", "PUT"):
            answer = httpx.request(method, base + path, headers=ACCEPTED)
            assert answer.status_code in {401, 404, 405}, (method, path, answer.text)


def test_body_over_the_limit_is_refused_and_the_server_goes_on(server: HttpServer) -> None:
    answer = post(server, b'{"x": "' + b"a" * 5_000_000 + b'"}')
    assert answer.status_code == 413
    assert len(answer.content) < 1000

    def without_length() -> Iterator[bytes]:
        for _ in range(50):
            yield b"a" * 100_000

    url = server.url if server.transport == "http" else messages_url(server)
    headers = {**server.headers(), "Content-Type": "application/json"}
    assert httpx.post(url, content=without_length(), headers=headers).status_code == 413
    assert post(server).status_code in {200, 400}


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"\xff\xfe", b'{"jsonrpc": "2.0"}', b""])
async def test_malformed_body_costs_no_more_than_its_request(
    server: HttpServer, body: bytes
) -> None:
    assert post(server, body).status_code in {400, 404}
    async with server.client() as client:
        await result(client, "list_projects")


async def test_errors_of_arguments_are_short_whatever_was_sent(server: HttpServer) -> None:
    huge = "x" * 3_000_000
    # the newer era repeats a tool's name in a header, which has a limit of its own
    async with server.client("legacy") as client:
        for tool, arguments in (
            ("init_project", {"project": huge}),
            ("read_logs", {"project": "a", "contains": huge}),
            ("read_logs", {"project": "a", "lines": huge}),
            ("init_project", {"project": "a", "env_vars": [1] * 100_000}),
            ("list_projects", {huge: 1}),
            (huge, {}),
        ):
            answer = await client.call_tool(tool, arguments)
            assert answer.is_error
            (content,) = answer.content
            assert isinstance(content, TextContent)
            assert len(content.text) < 1500, tool[:20]
            assert "next: " in content.text


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Transport:
    """Each HTTP transport."""
    chosen: Transport = request.param
    return chosen


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_signal_ends_the_server_with_clients_connected(
    tmp_path: Path, transport: Transport, sent: signal.Signals, code: int
) -> None:
    with http_server(tmp_path, transport) as server:
        ended: list[int] = []
        async with anyio.create_task_group() as tasks:
            for era in ("auto", "legacy"):
                connected = anyio.Event()
                tasks.start_soon(stay_connected, server, era, connected)
                await connected.wait()
            ended.append(await anyio.to_thread.run_sync(server.end, sent, 5.0))
            tasks.cancel_scope.cancel()
        assert ended == [code]
        assert "Traceback" not in server.output.text, server.output.text


async def stay_connected(server: HttpServer, era: Era, connected: anyio.Event) -> None:
    async with server.client(era) as client:
        await client.list_tools()
        connected.set()
        await anyio.sleep_forever()


async def test_signal_ends_the_server_while_a_call_is_under_way(
    tmp_path: Path, transport: Transport, silent_caddy: dict[str, str]
) -> None:
    with http_server(tmp_path, transport, **silent_caddy) as server:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call_in_vain, server)
            await until(lambda: list((tmp_path / "run").rglob("*.lock")) != [])
            assert await anyio.to_thread.run_sync(server.end, signal.SIGTERM, 8.0) == 0
            tasks.cancel_scope.cancel()
        assert "Traceback" not in server.output.text, server.output.text


async def call_in_vain(server: HttpServer) -> None:
    with suppress(MCPError, ExceptionGroup):  # how the client tells that the server has gone
        async with server.client("legacy") as client:
            await client.call_tool("init_project", {"project": "shop"})
            await client.call_tool("deploy", {"project": "shop", "image": "localhost/x"})


async def until(condition: Any) -> None:
    with anyio.fail_after(20):
        while not condition():
            await anyio.sleep(0.02)


@pytest.fixture
def silent_caddy(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings with a Caddy that never answers."""
    with unanswering_host(tmp_path) as variables:
        yield variables


def test_token_is_private_and_kept_between_starts(tmp_path: Path) -> None:
    with http_server(tmp_path) as server:
        first = server.token
        assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
        assert len(first) >= 32
        server.end()
        assert first not in server.output.text
    with http_server(tmp_path) as server:
        assert server.token == first
        assert post(server).status_code in {200, 400}
    assert [path.name for path in tmp_path.iterdir() if "token" in path.name] == ["token"]
