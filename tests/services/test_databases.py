"""Databases of environments: made once, finished when interrupted, never taken from another."""

import json
from pathlib import Path

import anyio
import pytest

from codeb_mcp.domain.databases import DatabaseId, Engine, Mode, PreviewTemplate, Version
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName, VariableName
from codeb_mcp.domain.ports import DB_RANGE
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import CodebError, DataAtRisk, HostNotReady, InvalidRequest, Locked, Refused
from codeb_mcp.services.database_removal import DatabaseRemovals
from codeb_mcp.services.databases import DatabaseCare, DatabaseRequest
from codeb_mcp.services.deployments import Deployments, DeployRequest, Progress
from codeb_mcp.services.previews import Previews
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.removals import RemovalRequest, Removals
from tests.fakes.systems import InMemoryHost

ENGINES = list(Engine)
MODES = list(Mode)


def key(project: str = "shop", environment: str = "staging") -> EnvironmentKey:
    return EnvironmentKey(ProjectName(project), EnvironmentName(environment))


class World:
    """A host with the projects `shop` and `blog`, and passwords that can be recognised."""

    def __init__(self, folder: Path) -> None:
        self.host = InMemoryHost(folder)
        for name in ("postgres:15", "postgres:16", "postgres:17", "redis:7", "redis:8"):
            self.host.images.add(f"localhost/{name}")
        self.systems = self.host.systems()
        self.servers = self.host.databases.servers
        self.care = DatabaseCare(self.systems)
        self.removals = DatabaseRemovals(self.systems)

    async def make(
        self,
        engine: Engine = Engine.POSTGRES,
        *,
        where: EnvironmentKey | None = None,
        mode: Mode | None = None,
        version: str | None = None,
        memory: int | None = None,
    ) -> bool:
        """Create one for shop/staging, or for `where`; whether that changed anything."""
        database = DatabaseId(where or key(), engine)
        request = DatabaseRequest(database, "cli:me", mode, version, memory)
        return (await self.care.create(request)).changed

    async def remove(self, engine: Engine = Engine.POSTGRES) -> str:
        """Remove shop/staging's as a person would; where the last backup is."""
        database = DatabaseId(key(), engine)
        shown = await self.removals.remove(database, "cli:me")
        return (await self.removals.remove(database, "cli:me", shown.digest)).backup

    def variable(self, name: str, where: EnvironmentKey | None = None) -> str | None:
        path = Path(self.systems.secrets.path(where or key()))
        found = self.systems.secrets.read_file(path) if path.exists() else {}
        value = found.get(VariableName(name))
        return value.reveal() if value else None


@pytest.fixture
async def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    for name in ("shop", "blog"):
        new = NewProject(ProjectName(name), ProjectType.IMAGE)
        await Projects(made.systems, lambda name=name: name).init(new, "cli:me")  # type: ignore[misc]  # a default binds the name now
    return made


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", ENGINES)
async def test_second_call_changes_nothing(world: World, engine: Engine, mode: Mode) -> None:
    assert await world.make(engine, mode=mode)
    before = world.variable(engine.variable)
    assert not await world.make(engine, mode=mode)
    assert not await world.make(engine)
    assert world.variable(engine.variable) == before


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", ENGINES)
async def test_url_in_the_variables_is_one_that_signs_in(
    world: World, engine: Engine, mode: Mode
) -> None:
    await world.make(engine, mode=mode)
    database = await world.care.require(DatabaseId(key(), engine))
    url = world.variable(engine.variable) or ""
    logins = world.servers.volumes[database.server.name]
    assert url.startswith(f"{engine.scheme}://shop_staging:{logins['shop_staging']}@")
    assert logins["shop_staging"] != logins[engine.admin]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", range(5))
async def test_call_after_an_interrupted_one_finishes_it(
    world: World, step: int, mode: Mode
) -> None:
    class KilledError(Exception):
        pass

    async def kill(progress: Progress) -> None:
        if progress.done == step:
            raise KilledError

    request = DatabaseRequest(DatabaseId(key(), Engine.POSTGRES), "cli:me", mode)
    with pytest.raises(KilledError):
        await world.care.create(request, kill)
    assert await world.make(mode=mode)
    assert not await world.make(mode=mode)
    (view,) = (await world.care.status()).databases
    assert view.status == "running"


async def test_database_that_failed_to_be_made_is_finished_by_the_next_call(world: World) -> None:
    world.host.databases.admin.fail = True
    with pytest.raises(CodebError):
        await world.make()
    assert world.variable("DATABASE_URL") is None
    world.host.databases.admin.fail = False
    assert await world.make()


async def test_a_password_that_was_changed_by_hand_is_replaced(world: World) -> None:
    await world.make()
    database = await world.care.require(DatabaseId(key(), Engine.POSTGRES))
    world.servers.volumes[database.server.name]["shop_staging"] = "another"
    assert await world.make()
    assert not await world.make()


async def test_two_at_once_leave_one_database(world: World) -> None:
    outcomes: list[object] = []

    async def one() -> None:
        try:
            outcomes.append(await world.make())
        except Locked as error:
            outcomes.append(error.code)

    async with anyio.create_task_group() as group:
        group.start_soon(one)
        group.start_soon(one)
    assert outcomes.count(True) == 1
    assert len((await world.care.list()).databases) == 1


async def test_two_projects_at_once_share_one_server(world: World) -> None:
    async with anyio.create_task_group() as group:
        for name in ("shop", "blog"):
            group.start_soon(
                lambda name=name: world.make(mode=Mode.SHARED, where=key(name))  # type: ignore[misc]  # a default binds the name now
            )
    (spec,) = world.servers.specs.values()
    assert spec.projects == ("blog", "shop")
    assert set(world.servers.volumes[spec.server.name]) == {
        "postgres",
        "shop_staging",
        "blog_staging",
    }


async def test_variable_that_is_somebody_elses_is_not_replaced(world: World) -> None:
    url = VariableName("DATABASE_URL")
    world.systems.secrets.update(key(), {url: Secret("postgresql://me:pw@db.example/shop")})
    with pytest.raises(Refused) as caught:
        await world.make()
    assert caught.value.code == "variable_taken"
    assert world.variable("DATABASE_URL") == "postgresql://me:pw@db.example/shop"
    assert not world.servers.specs


@pytest.mark.parametrize(
    ("mode", "version", "memory"),
    [(Mode.SHARED, None, None), (None, "16", None), (None, None, 64 * 1024**2)],
)
async def test_database_with_other_settings_is_refused(
    world: World, mode: Mode | None, version: str | None, memory: int | None
) -> None:
    await world.make()
    with pytest.raises(CodebError) as caught:
        await world.make(mode=mode, version=version, memory=memory)
    assert caught.value.code == "database_differs"


async def test_other_version_of_the_shared_server_is_refused(world: World) -> None:
    await world.make(mode=Mode.SHARED, version="16")
    with pytest.raises(Refused):
        await world.make(mode=Mode.SHARED, version="17", where=key("blog"))
    await world.make(mode=Mode.SHARED, where=key("blog"))
    assert {each.version for each in (await world.care.list()).databases} == {"16"}


async def test_unknown_version_is_refused_with_those_there_are(world: World) -> None:
    with pytest.raises(InvalidRequest, match="15, 16, 17"):
        await world.make(version="9.6")
    assert not (await world.care.list()).databases


async def test_full_range_of_ports_is_said(world: World) -> None:
    world.host.probe.taken |= set(range(DB_RANGE.first, DB_RANGE.last + 1))
    with pytest.raises(HostNotReady) as caught:
        await world.make()
    assert "5433-5531" in f"{caught.value}"
    assert not (await world.care.list()).databases


async def test_without_podman_nothing_is_written_down(world: World) -> None:
    world.host.images.down = True
    with pytest.raises(HostNotReady):
        await world.make()
    assert not (await world.care.list()).databases


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", ENGINES)
async def test_removal_leaves_nothing_of_it_and_gives_its_last_backup(
    world: World, engine: Engine, mode: Mode
) -> None:
    await world.make(engine, mode=mode)
    assert await world.remove(engine) == f"backup of {engine} of shop/staging"
    assert world.variable(engine.variable) is None
    assert not (await world.care.list()).databases
    assert not await world.host.registry.ports()
    for logins in world.servers.volumes.values():
        assert "shop_staging" not in logins
    if mode is Mode.DEDICATED:
        assert not world.servers.specs
        assert not world.servers.volumes


async def test_removal_without_what_was_shown_removes_nothing(world: World) -> None:
    await world.make()
    shown = await world.removals.remove(DatabaseId(key(), Engine.POSTGRES), "cli:me")
    assert not shown.removed
    with pytest.raises(Refused):
        await world.removals.remove(DatabaseId(key(), Engine.POSTGRES), "cli:me", "0" * 64)
    assert world.servers.specs


async def test_database_whose_last_backup_fails_stays(world: World) -> None:
    await world.make()
    world.host.databases.last_backups.error = DataAtRisk("no backup", hint="", code="no_backup")
    with pytest.raises(DataAtRisk):
        await world.remove()
    assert world.variable("DATABASE_URL") is not None
    assert not await world.make()


async def test_shared_server_leaves_the_network_of_a_project_that_needs_it_no_more(
    world: World,
) -> None:
    await world.make(mode=Mode.SHARED)
    await world.make(mode=Mode.SHARED, where=key(environment="production"))
    await world.make(mode=Mode.SHARED, where=key("blog"))
    await world.remove()
    (spec,) = world.servers.specs.values()
    assert spec.projects == ("blog", "shop")
    assert set(world.servers.volumes[spec.server.name]) == {
        "postgres",
        "shop_production",
        "blog_staging",
    }


async def test_no_password_is_in_the_registry_or_in_a_result(world: World) -> None:
    results = []
    for engine in ENGINES:
        for mode, where in ((Mode.DEDICATED, key()), (Mode.SHARED, key("blog"))):
            request = DatabaseRequest(DatabaseId(where, engine), "cli:me", mode)
            results.append((await world.care.create(request)).model_dump_json())
    results.append((await world.care.status()).model_dump_json())
    results.append(json.dumps([str(each) for each in await world.host.registry.audit_trail()]))
    assert "canary" not in "".join(results)
    assert b"canary" not in (world.host.folder / "registry.db").read_bytes()


async def test_preview_gets_its_own_with_its_deploy_and_loses_it_when_it_is_closed(
    world: World,
) -> None:
    preview = key(environment="pr-7")
    for engine, mode in ((Engine.POSTGRES, Mode.SHARED), (Engine.REDIS, Mode.DEDICATED)):
        template = PreviewTemplate(key().project, engine, mode, Version.of(engine, None), None)
        await world.care.put_template(template, "cli:me")
    image = ImageReference(world.host.good_image())
    deployments = Deployments(world.systems)
    await deployments.deploy(DeployRequest(preview, image, "cli:me"))
    (spec,) = world.host.runtime.specs.values()
    assert "@postgres-shared:" in (world.variable("DATABASE_URL", preview) or "")
    assert "@redis-pr-7:" in (world.variable("REDIS_URL", preview) or "")
    assert spec.env_digest
    assert not (await deployments.deploy(DeployRequest(preview, image, "cli:me"))).changed
    await Previews(world.systems).close(preview, "cli:me")
    assert not (await world.care.list()).databases
    assert list(world.servers.specs) == ["codeb-shared-postgres"]
    assert world.servers.volumes["codeb-shared-postgres"].keys() == {"postgres"}


async def test_other_environments_get_none_of_what_previews_get(world: World) -> None:
    engine = Engine.POSTGRES
    version = Version.of(engine, None)
    template = PreviewTemplate(key().project, engine, Mode.SHARED, version, None)
    await world.care.put_template(template, "cli:me")
    image = ImageReference(world.host.good_image())
    await Deployments(world.systems).deploy(DeployRequest(key(), image, "cli:me"))
    assert not (await world.care.list()).databases


async def test_environment_with_a_database_is_not_removed_by_the_way(world: World) -> None:
    await world.make()
    removals = Removals(world.systems)
    with pytest.raises(Refused) as caught:
        await removals.remove(RemovalRequest(key(), "cli:me"))
    assert caught.value.code == "environment_has_databases"
    shown = await removals.remove(RemovalRequest(key(), "cli:me", volumes=True))
    assert "remove the PostgreSQL of shop/staging with all the data in it" in [
        step.sentence for step in shown.plan.steps
    ]
    await removals.remove(RemovalRequest(key(), "cli:me", shown.plan.digest, volumes=True))
    assert not world.servers.volumes


async def test_removing_a_project_takes_a_last_backup_of_each_database(world: World) -> None:
    await world.make()
    await world.make(Engine.REDIS, mode=Mode.SHARED)
    await world.make(where=key("blog"))
    await Removals(world.systems).close_project(key().project, "cli:me")
    assert world.host.databases.last_backups.taken == [
        "postgres of shop/staging",
        "redis of shop/staging",
    ]
    assert [each.project for each in (await world.care.list()).databases] == ["blog"]


async def test_url_is_given_to_who_asks_and_only_when_it_is_codebs(world: World) -> None:
    await world.make()
    database = DatabaseId(key(), Engine.POSTGRES)
    url = await world.care.url(database)
    assert url.reveal() == world.variable("DATABASE_URL")
    assert "canary" not in f"{url!r} {url}"
    world.systems.secrets.update(key(), {VariableName("DATABASE_URL"): Secret("postgres://x")})
    with pytest.raises(Refused):
        await world.care.url(database)


async def test_shell_opens_in_the_databases_own_container(world: World) -> None:
    await world.make(Engine.REDIS)
    await world.care.shell(DatabaseId(key(), Engine.REDIS), "cli:me")
    assert world.host.databases.shell.opened == ["codeb-shop-staging-db-redis"]
