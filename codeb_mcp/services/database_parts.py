"""What is asked of a database's surroundings, by those who make, use and remove it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from codeb_mcp.domain.databases import (
    LOOPBACK,
    Access,
    Database,
    DatabaseId,
    Engine,
    Mode,
    Server,
    ServerSpec,
    application_access,
)
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import VariableName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.services.systems import Systems

ALONE_SECONDS = 150.0
"""How long a change of a shared server waits for another one."""


async def server_spec(
    systems: Systems, database: Database, image_id: str, without: DatabaseId | None = None
) -> ServerSpec:
    """How the database's server is to run. A shared one is in the network of each who uses it."""
    server = database.server
    projects = [database.id.key.project]
    if server.owner is None:
        rows = await systems.databases.rows.list()
        projects = sorted(
            {row.id.key.project for row in rows if row.server == server and row.id != without}
        )
    return ServerSpec(
        server=server,
        version=database.version,
        image=database.image,
        image_id=image_id,
        port=database.port,
        memory=database.memory,
        projects=tuple(projects),
        log_path=str(Path(systems.host.home) / "databases" / f"{server.name}.log"),
        home=systems.host.home,
    )


async def shared_with(systems: Systems, engine: Engine) -> Database | None:
    """A database in the shared server, where there is one: it says how that server is."""
    rows = await systems.databases.rows.list()
    return next((row for row in rows if row.server == Server(engine)), None)


@contextlib.asynccontextmanager
async def alone_at(systems: Systems, engine: Engine, mode: Mode) -> AsyncIterator[None]:
    """Alone at the shared server, where it is about that one."""
    if mode is Mode.DEDICATED:
        yield
        return
    async with systems.locks.alone(f"the shared {engine}", ALONE_SECONDS):
        yield


def variables_of(systems: Systems, key: EnvironmentKey) -> dict[VariableName, Secret]:
    """The environment's variables with their values."""
    found = systems.secrets.read(key)
    return systems.secrets.read_file(Path(found.path)) if found else {}


def password_in(url: Secret, database: Database) -> Secret | None:
    """The password in the database's URL; None for a URL that is not the database's."""
    password = Secret(url.reveal().partition("@")[0].rpartition(":")[2])
    made = application_access(database, password).url
    return password if made.reveal() == url.reveal() else None


def from_here(database: Database, password: Secret) -> Access:
    """How the application would sign in, were it on this host."""
    inside = application_access(database, password)
    return replace(inside, host=LOOPBACK, port=database.port)
