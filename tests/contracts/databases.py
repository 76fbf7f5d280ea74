"""What DatabaseServers and DatabaseAdmin do. Inherit the contract and give a `parts` fixture."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import anyio
import pytest

from codeb_mcp.domain.databases import (
    LOOPBACK,
    Access,
    Database,
    DatabaseId,
    Engine,
    Mode,
    ServerSpec,
    Version,
)
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.services.database_systems import DatabaseAdmin, DatabaseServers
from codeb_mcp.services.systems import Networks

KEY = EnvironmentKey(ProjectName("contract-db"), EnvironmentName("staging"))
ADMIN = Secret("the-administrators-own")
PATIENCE = 60.0
both_engines = pytest.mark.parametrize("engine", list(Engine))


@dataclass(frozen=True)
class Parts:
    """The systems under test. `image_id` gives the id of an engine's image."""

    servers: DatabaseServers
    admin: DatabaseAdmin
    networks: Networks
    image_id: Callable[[Engine], str]
    port: int
    log_path: str

    def database(self, engine: Engine) -> Database:
        """A dedicated database of `KEY`."""
        version, now = Version.of(engine, None), datetime(2026, 1, 1, tzinfo=UTC)
        found = DatabaseId(KEY, engine)
        return Database(found, Mode.DEDICATED, version, self.port, "", None, now)

    def access(self, engine: Engine, user: str, password: Secret) -> Access:
        """How `user` signs in, from this host."""
        name = self.database(engine).id.name if user != engine.admin else ""
        return Access(engine, LOOPBACK, self.port, user, password, name)

    def administrator(self, engine: Engine) -> Access:
        """How codeb signs in."""
        return self.access(engine, engine.admin, ADMIN)

    async def started(self, engine: Engine, *, memory: int | None = None) -> ServerSpec:
        """Start the database's server and wait until it answers its administrator."""
        database = self.database(engine)
        spec = ServerSpec(
            server=database.server,
            version=database.version,
            image="",
            image_id=self.image_id(engine),
            port=self.port,
            memory=memory,
            projects=(KEY.project,),
            log_path=self.log_path,
        )
        await self.networks.create(KEY)
        await self.servers.start(spec, ADMIN)
        await self.until_answers(self.administrator(engine))
        return spec

    async def until_answers(self, access: Access) -> None:
        """Wait until that login works."""
        with anyio.fail_after(PATIENCE):
            while await self.admin.answers(access):
                await anyio.sleep(0.1)


class DatabasesContract:
    """A server, and a database in it."""

    @both_engines
    async def test_a_started_server_answers_its_administrator_and_nobody_else(
        self, parts: Parts, engine: Engine
    ) -> None:
        spec = await parts.started(engine)
        assert await parts.servers.running(spec.server)
        assert await parts.admin.answers(replace(parts.administrator(engine), password=Secret("x")))
        assert await parts.admin.answers(parts.access(engine, "contract_db_staging", ADMIN))

    @both_engines
    async def test_what_was_provided_signs_in_with_its_newest_password(
        self, parts: Parts, engine: Engine
    ) -> None:
        await parts.started(engine)
        database, admin = parts.database(engine), parts.administrator(engine)
        first, second = Secret("first-password"), Secret("second-password")
        await parts.admin.provide(admin, database, first)
        assert await parts.admin.answers(parts.access(engine, database.id.name, first)) == ""
        await parts.admin.provide(admin, database, second)
        assert await parts.admin.answers(parts.access(engine, database.id.name, second)) == ""
        assert await parts.admin.answers(parts.access(engine, database.id.name, first))

    @both_engines
    async def test_logins_outlive_the_container(self, parts: Parts, engine: Engine) -> None:
        spec = await parts.started(engine)
        database, password = parts.database(engine), Secret("kept-password")
        await parts.admin.provide(parts.administrator(engine), database, password)
        await parts.servers.stop(spec.server)
        assert not await parts.servers.running(spec.server)
        await parts.started(engine)
        await parts.until_answers(parts.access(engine, database.id.name, password))

    @both_engines
    async def test_nobody_signs_in_at_what_was_withdrawn(
        self, parts: Parts, engine: Engine
    ) -> None:
        await parts.started(engine)
        database, admin = parts.database(engine), parts.administrator(engine)
        password = Secret("gone-password")
        await parts.admin.provide(admin, database, password)
        await parts.admin.withdraw(admin, database)
        await parts.admin.withdraw(admin, database)
        assert await parts.admin.answers(parts.access(engine, database.id.name, password))

    @both_engines
    async def test_a_removed_server_is_gone_with_its_data(
        self, parts: Parts, engine: Engine
    ) -> None:
        spec = await parts.started(engine)
        database, password = parts.database(engine), Secret("gone-password")
        await parts.admin.provide(parts.administrator(engine), database, password)
        for _ in range(2):
            await parts.servers.stop(spec.server)
            await parts.servers.remove_data(spec.server)
        assert await parts.admin.answers(parts.administrator(engine))
        await parts.started(engine)
        assert await parts.admin.answers(parts.access(engine, database.id.name, password))
