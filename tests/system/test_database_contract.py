"""Real PostgreSQL and Redis in this host's Podman keep the contract."""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from codeb_mcp.adapters.database_admin import DatabaseConnections
from codeb_mcp.adapters.podman_client import Podman
from codeb_mcp.adapters.podman_networks import PodmanNetworks
from codeb_mcp.adapters.podman_servers import PodmanServers
from codeb_mcp.domain.databases import Engine, Server
from tests.contracts.databases import KEY, DatabasesContract, Parts
from tests.system.lab.databases import POSTGRES, REDIS, database_images
from tests.system.podman_service import podman_service

PORT = 5519


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, lab_host: None) -> Iterator[Parts]:
    """This host's Podman with a storage of its own, and the images of both engines in it."""
    folder = tmp_path_factory.mktemp("databases")
    with podman_service(folder) as (socket_path, environment):

        def podman(*argv: str, stdin: bytes | None = None) -> str:
            ended = subprocess.run(
                ["podman", f"--url=unix://{socket_path}", *argv],
                env={**os.environ, **environment},
                input=stdin or b"",
                capture_output=True,
                check=True,
            )
            return ended.stdout.decode()

        def image_id(engine: Engine) -> str:
            name = POSTGRES if engine is Engine.POSTGRES else REDIS
            return str(json.loads(podman("inspect", name))[0]["Id"])

        database_images(podman)
        client = Podman(socket_path)
        yield Parts(
            PodmanServers(client, ""),
            DatabaseConnections(),
            PodmanNetworks(client, ""),
            image_id,
            PORT,
            str(folder / "server.log"),
        )


@pytest.fixture
async def parts(real: Parts, tmp_path: Path) -> AsyncIterator[Parts]:
    """Nothing runs, nor afterwards."""
    yield real
    for engine in Engine:
        await real.servers.stop(Server(engine, KEY))
        await real.servers.remove_data(Server(engine, KEY))
    await real.networks.remove(KEY)


class TestRealDatabases(DatabasesContract):
    """By Podman alone."""
