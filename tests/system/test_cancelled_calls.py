"""A call that is cancelled, a client that goes, a server that is killed: over every transport."""

import contextlib
import json
import re
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from .sites import LabSite
from .sites.site import Session

# a release that is never healthy is waited for until the test is over
PATIENT = {"CODEB_HEALTH_RETRIES": "1000", "CODEB_DRAIN_TIMEOUT": "3"}
# a client of the older HTTP protocol that goes has not cancelled, as that protocol says
WAYS = [
    *((kind, how) for kind in ("stdio", "sse") for how in ("cancelled", "closed", "killed")),
    ("http-legacy", "cancelled"),
    ("http-legacy", "killed"),
    ("http-auto", "cancelled"),
]
PORT = 8765
Connection = contextlib.AbstractAsyncContextManager[Client]
Connect = Callable[[], Connection]


@pytest.fixture(scope="module")
def site(lab_site: LabSite) -> LabSite:
    lab_site.codeb("init", "stop", "--health-check", "/cgi-bin/health")
    return lab_site


@pytest.fixture(scope="module")
def good(site: LabSite) -> str:
    return site.image("stop:good", page="still here\n")


@pytest.fixture(scope="module")
def sick(site: LabSite) -> str:
    return site.image("stop:sick", containerfile=["ENV HEALTH_STATUS=500"])


@contextlib.contextmanager
def server(site: LabSite, kind: str) -> Iterator[Connect]:
    """A server of that kind, and how a client connects to it. One of stdio is the client's."""
    if kind == "stdio":
        program, *arguments = site.command(**PATIENT)
        yield lambda: Client(stdio_client(StdioServerParameters(command=program, args=arguments)))
        return
    transport = kind.partition("-")[0]
    where = ("--host", site.server.address, "--port", str(PORT))
    argv = [site.product.codeb_mcp, "serve", "--transport", transport, *where]
    command = site.server.command_as(site.user.name, argv, {"CODEB_HOME": site.home, **PATIENT})
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "listens on" in process.stderr.readline()
    try:
        yield lambda: over_http(site, kind)
    finally:
        if pid := listener(site):
            site.server.run(["kill", "-KILL", pid])
        process.wait(30)
        process.stderr.close()


@asynccontextmanager
async def over_http(site: LabSite, kind: str) -> AsyncIterator[Client]:
    token = site.server.read(f"{site.home}/token").strip()
    headers = {"Authorization": f"Bearer {token}"}
    base = f"http://{site.server.address}:{PORT}"
    if kind == "sse":
        async with Client(sse_client(f"{base}/sse", headers=headers), mode="legacy") as client:
            yield client
        return
    async with create_mcp_http_client(headers=headers) as http:
        transport = streamable_http_client(f"{base}/mcp", http_client=http)
        mode = "auto" if kind == "http-auto" else "legacy"
        async with Client(transport, mode=mode) as client:
            yield client


def listener(site: LabSite) -> str:
    """The process that listens on PORT there; empty when none does."""
    told = site.server.run(["ss", "-Hltnp", f"sport = :{PORT}"]).stdout
    found = re.search(r"pid=(\d+)", told)
    return found[1] if found else ""


@asynccontextmanager
async def deploying(
    connect: Connect, image: str, ready: Callable[[], bool]
) -> AsyncIterator[tuple[anyio.CancelScope, anyio.CancelScope]]:
    """A client in the middle of a deploy: the scopes of its call, and of its connection."""
    call, connection = anyio.CancelScope(), anyio.CancelScope()

    async def client() -> None:
        gone = contextlib.suppress(Exception)  # however the library says that the server went
        with gone, connection:
            async with connect() as session:
                with call:
                    await Session(session).ask("deploy", project="stop", image=image)
                await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(client)
        await until(ready)
        yield call, connection
        connection.cancel()


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    with anyio.fail_after(seconds):
        while not await anyio.to_thread.run_sync(condition):
            await anyio.sleep(0.05)


def running(site: LabSite) -> set[str]:
    return set(site.podman("ps", "--format", "{{.Names}}").split())


def holder(site: LabSite) -> str:
    """The process that holds the environment's lock, by its note; empty when nobody does."""
    note = f"{site.home}/run/locks/stop-staging.json"
    told = site.server.run(["cat", note], check=False)
    return str(json.loads(told.stdout)["pid"]) if told.returncode == 0 else ""


def last_outcome(site: LabSite) -> str:
    trail = json.loads(site.codeb("registry", "audit", "--json"))
    return next(str(each["outcome"]) for each in trail if each["action"] == "deploy")


@pytest.mark.parametrize(("kind", "how"), WAYS)
async def test_deploy_that_is_stopped_before_its_cut_over_leaves_the_old_release_alone(
    site: LabSite, good: str, sick: str, kind: str, how: str
) -> None:
    deployed = json.loads(site.codeb("deploy", "stop", "--image", good, "--json"))
    before, there = site.snapshot(), running(site)
    with server(site, kind) as connect:
        async with deploying(connect, sick, lambda: running(site) > there) as scopes:
            call, connection = scopes
            if how == "killed":
                site.server.run(["kill", "-KILL", holder(site)])
            else:
                (call if how == "cancelled" else connection).cancel()
                await until(lambda: not holder(site))
        assert (await site.get(deployed["domain"])).text == "still here\n"
        if how != "killed":
            assert last_outcome(site) == "cancelled"
            assert site.snapshot() == before
    again = json.loads(site.codeb("deploy", "stop", "--image", good, "--json"))
    assert again["release"] == deployed["release"]
    assert site.snapshot() == before
    assert json.loads(site.codeb("deploy", "stop", "--image", good, "--json"))["changed"] is False
