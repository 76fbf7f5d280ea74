"""What only the real Caddy can show: other people's routes, reloads, two writers, failures."""

import asyncio
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codeb_mcp.adapters.caddy import CaddyProxy
from codeb_mcp.domain.host import Route
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import HostNotReady, Refused, SystemFailed
from tests.contracts.applications import application, silent, until
from tests.contracts.caddy_process import CaddyProcess, caddy

FreePort = Callable[[], int]


def route(number: int, port: int = 9) -> Route:
    """The route of one of many environments."""
    key = EnvironmentKey(ProjectName(f"app{number}"), EnvironmentName("production"))
    return Route(key, DomainName(f"app{number}.localhost"), port)


@pytest.fixture(scope="module")
def process() -> Iterator[CaddyProcess]:
    with caddy() as running:
        yield running


@pytest.fixture
def port(free_port: FreePort) -> int:
    return free_port()


@pytest.fixture
def proxy(process: CaddyProcess, port: int, tmp_path: Path) -> CaddyProxy:
    process.load(None)
    return CaddyProxy(process.admin, http_port=port, live_folder=tmp_path, embedded=False)


def foreign_server(port: int) -> dict[str, Any]:
    """A server as somebody else set it up."""
    return {
        "listen": [f":{port}"],
        "automatic_https": {"disable": True},
        "routes": [
            {
                "match": [{"host": ["theirs.localhost"]}],
                "handle": [{"handler": "static_response", "status_code": 299}],
                "terminal": True,
            },
            {"handle": [{"handler": "static_response", "status_code": 298}]},
        ],
    }


def ids(process: CaddyProcess, server: str = "codeb") -> list[str]:
    routes = process.config()["apps"]["http"]["servers"][server]["routes"]
    return [found.get("@id", "") for found in routes]


async def test_a_route_that_stands_as_wanted_is_not_written_again(
    proxy: CaddyProxy, process: CaddyProcess
) -> None:
    await proxy.put_route(route(1))

    before = process.writes
    assert before > 0
    await proxy.put_route(route(1))
    await proxy.restore_route(route(2).id, None)
    assert process.writes == before


async def test_twenty_routes_written_at_once_are_all_there_once(
    proxy: CaddyProxy, process: CaddyProcess
) -> None:
    await asyncio.gather(*(proxy.put_route(route(number)) for number in range(20)))
    assert sorted(ids(process)) == sorted(route(number).id for number in range(20))


async def test_routes_join_the_server_that_listens_on_the_port_and_go_first(
    proxy: CaddyProxy, process: CaddyProcess, port: int
) -> None:
    foreign = foreign_server(port)
    process.load({"http": {"servers": {"theirs": foreign}}})
    await proxy.put_route(route(1))
    await proxy.put_route(route(2))
    servers = process.config()["apps"]["http"]["servers"]
    assert list(servers) == ["theirs"]
    assert ids(process, "theirs") == [route(2).id, route(1).id, "", ""]
    assert servers["theirs"]["routes"][2:] == foreign["routes"]
    assert await proxy.public_status(DomainName("theirs.localhost"), "/", 5) == 299
    assert await proxy.public_status(route(1).domain, "/", 5) == 502


async def test_a_plain_server_stays_plain_when_it_learns_a_host(
    proxy: CaddyProxy, process: CaddyProcess, port: int
) -> None:
    greeting = {"handle": [{"handler": "static_response", "status_code": 298}]}
    process.load({"http": {"servers": {"theirs": {"listen": [f":{port}"], "routes": [greeting]}}}})
    before = process.config()
    await proxy.put_route(route(1))
    assert await proxy.public_status(route(1).domain, "/", 5) == 502
    assert await proxy.public_status(DomainName("other.localhost"), "/", 5) == 298
    await proxy.restore_route(route(1).id, None)
    assert process.config() == before


async def test_a_configuration_of_others_is_as_before_once_our_routes_are_gone(
    proxy: CaddyProxy, process: CaddyProcess, port: int
) -> None:
    apps = {"http": {"grace_period": 5_000_000_000, "servers": {"theirs": foreign_server(port)}}}
    process.load(apps)
    before = process.config()
    await proxy.put_route(route(1))
    await proxy.restore_route(route(1).id, None)
    assert process.config() == before


async def test_a_server_on_another_port_is_left_alone(
    proxy: CaddyProxy, process: CaddyProcess, free_port: FreePort
) -> None:
    foreign = foreign_server(free_port())
    process.load({"http": {"servers": {"theirs": foreign}}})
    await proxy.put_route(route(1))
    servers = process.config()["apps"]["http"]["servers"]
    assert servers["theirs"] == foreign
    assert ids(process) == [route(1).id]


async def test_a_domain_that_somebody_else_routes_is_refused(
    proxy: CaddyProxy, process: CaddyProcess, port: int
) -> None:
    process.load({"http": {"servers": {"theirs": foreign_server(port)}}})
    before = process.config()
    with pytest.raises(Refused, match="route 0 of the server theirs") as refusal:
        await proxy.put_route(replace(route(1), domain=DomainName("theirs.localhost")))
    assert refusal.value.code == "domain_routed_elsewhere"
    assert process.config() == before


async def test_a_changed_port_moves_the_server_and_its_routes(
    proxy: CaddyProxy, process: CaddyProcess, free_port: FreePort, tmp_path: Path
) -> None:
    await proxy.put_route(route(1))
    new_port = free_port()
    moved = CaddyProxy(process.admin, http_port=new_port, live_folder=tmp_path, embedded=True)
    await moved.put_route(route(2))
    assert process.config()["apps"]["http"]["servers"]["codeb"]["listen"] == [f":{new_port}"]
    assert await moved.public_status(route(1).domain, "/", 5) == 502


async def test_an_empty_caddy_keeps_its_admin_endpoint(
    proxy: CaddyProxy, process: CaddyProcess
) -> None:
    assert process.config() is None
    await proxy.put_route(route(1))
    assert process.config()["admin"] == {"listen": process.admin}
    assert await proxy.route(route(1).id) is not None


async def test_requests_in_flight_are_counted_by_port(proxy: CaddyProxy, port: int) -> None:
    async with application(silent) as busy:
        await proxy.put_route(route(1, busy))

        async def visit() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: app1.localhost\r\n\r\n")
            try:
                await reader.read()
            finally:
                writer.close()

        async def counts(number: int) -> bool:
            return await proxy.requests_in_flight(busy) == number

        visits = [asyncio.create_task(visit()) for _ in range(3)]
        await until(lambda: counts(3))
        assert await proxy.requests_in_flight(busy + 1) == 0
        for task in visits:
            task.cancel()
        await until(lambda: counts(0))


async def test_what_caddy_says_of_a_configuration_is_passed_on(
    proxy: CaddyProxy, process: CaddyProcess, port: int
) -> None:
    await proxy.put_route(route(1))
    bad = {"@id": route(2).id, "handle": [{"handler": "nonsense"}]}
    with pytest.raises(SystemFailed, match=r"unknown module: http\.handlers\.nonsense") as failure:
        await proxy.restore_route(route(2).id, bad)
    assert failure.value.hint
    assert ids(process) == [route(1).id]


async def test_a_port_that_nobody_serves_is_a_failure_in_words(proxy: CaddyProxy) -> None:
    with pytest.raises(SystemFailed, match="connection refused"):
        await proxy.public_status(DomainName("app.localhost"), "/", 5)


@pytest.mark.parametrize(("embedded", "hint"), [(True, "codeb local"), (False, "systemctl")])
async def test_a_caddy_that_is_not_there_is_told_with_how_to_start_it(
    tmp_path: Path, embedded: bool, hint: str
) -> None:
    down = CaddyProxy(
        f"unix/{tmp_path}/no.sock", http_port=80, live_folder=tmp_path, embedded=embedded
    )
    with pytest.raises(HostNotReady, match="no such file") as failure:
        await down.put_route(route(1))
    assert failure.value.code == "caddy_down"
    assert hint in failure.value.hint


async def test_a_caddy_that_hangs_is_told_within_three_seconds(
    process: CaddyProcess, proxy: CaddyProxy
) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    # until each of its threads has stopped
    await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    started = time.monotonic()
    try:
        with pytest.raises(HostNotReady, match="timed out"):
            await proxy.route(route(1).id)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert time.monotonic() - started < 3


async def test_what_is_not_an_admin_endpoint_is_not_written_to(
    proxy: CaddyProxy, process: CaddyProcess, port: int, tmp_path: Path
) -> None:
    await proxy.put_route(route(1))
    wrong = CaddyProxy(
        f"http://127.0.0.1:{port}", http_port=port, live_folder=tmp_path, embedded=False
    )
    with pytest.raises(HostNotReady, match="not Caddy's admin endpoint"):
        await wrong.put_route(route(2))


async def test_with_tls_a_visitor_is_served_over_https(
    proxy: CaddyProxy, process: CaddyProcess, free_port: FreePort, tmp_path: Path
) -> None:
    # Caddy signs for names under localhost itself, and must not make this host trust it.
    process.load({"pki": {"certificate_authorities": {"local": {"install_trust": False}}}})
    secure = CaddyProxy(
        process.admin,
        http_port=free_port(),
        tls="auto",
        https_port=free_port(),
        live_folder=tmp_path,
        embedded=False,
    )
    await secure.put_route(route(1))

    async def served() -> bool:
        try:
            return await secure.public_status(route(1).domain, "/", 5) == 502
        except SystemFailed:
            return False  # the certificate is made after the route is there

    await until(served)
    assert secure.url(route(1).domain).startswith("https://app1.localhost:")


def test_usual_ports_are_left_out_of_addresses(tmp_path: Path) -> None:
    domain = DomainName("shop.example.com")
    plain = CaddyProxy("unix//x", http_port=80, live_folder=tmp_path, embedded=False)
    secure = CaddyProxy("unix//x", http_port=80, tls="auto", live_folder=tmp_path, embedded=False)
    assert plain.url(domain) == "http://shop.example.com/"
    assert secure.url(domain) == "https://shop.example.com/"


async def test_this_caddy_is_new_enough(proxy: CaddyProxy) -> None:
    assert (await proxy.check_version()).startswith("v2.")


async def test_an_old_caddy_is_refused_with_the_reason(
    process: CaddyProcess, tmp_path: Path
) -> None:
    old = tmp_path / "caddy"
    old.write_text("#!/bin/sh\necho 2.6.2\n")
    old.chmod(old.stat().st_mode | stat.S_IXUSR)
    async with application(_admin_of(old)) as port:
        proxy = CaddyProxy(
            f"http://127.0.0.1:{port}", http_port=80, live_folder=tmp_path, embedded=False
        )
        with pytest.raises(HostNotReady, match=r"2\.6\.2.*older than 2\.11") as failure:
            await proxy.check_version()
    assert failure.value.code == "caddy_too_old"
    assert "CODEB_CADDY_ADMIN" in failure.value.hint


def _admin_of(program: Path) -> Any:
    async def behave(writer: asyncio.StreamWriter, head: bytes) -> None:
        body = f"{program}\0run".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    return behave
