"""A restore never costs the present data: it fails before the exchange, or keeps them beside."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from codeb_mcp.domain.backups import OLD
from codeb_mcp.domain.databases import Database, DatabaseId, Engine, Mode, Server, Version
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import CodebError, DataAtRisk, InvalidRequest, Refused, StalePlan
from codeb_mcp.services.backup_views import BackupView, RestoreView
from codeb_mcp.services.backups import Backups
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.restores import RestoreRequest, Restores
from tests.fakes.backups import key_pair
from tests.fakes.systems import InMemoryHost

SHOP = ProjectName("shop")
PRODUCTION, STAGING = (
    DatabaseId(EnvironmentKey(SHOP, EnvironmentName(name)), Engine.POSTGRES)
    for name in ("production", "staging")
)


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    """One with a database in production and one in staging."""
    made = InMemoryHost(tmp_path)
    systems = made.systems()
    await Projects(systems, lambda: "abc").init(NewProject(SHOP, ProjectType.IMAGE), "cli:me")
    for port, database in enumerate((PRODUCTION, STAGING), start=5433):
        domain = DomainName(f"{database.key.environment}.localhost")
        await systems.registry.ensure_environment(database.key, domain)
        version, at = Version.of(Engine.POSTGRES, None), systems.clock.now()
        row = Database(database, Mode.DEDICATED, version, port, "", None, at)
        await systems.databases.rows.put(row)
        systems.databases.passwords.keep(Server(Engine.POSTGRES, database.key), Secret("pw"))
        made.backups.copies.contents[database.name] = f"{database.key}\norders\n".encode()
    return made


async def backed_up(host: InMemoryHost) -> BackupView:
    return await Backups(host.systems()).back_up(PRODUCTION, "cli:me")


def data(host: InMemoryHost, database: DatabaseId = PRODUCTION) -> bytes:
    return host.backups.copies.contents[database.name]


async def restored(
    host: InMemoryHost,
    path: Path,
    database: DatabaseId = PRODUCTION,
    identity: Secret | None = None,
) -> RestoreView:
    restores = Restores(host.systems())
    planned = await restores.plan(RestoreRequest(database, path, "cli:me"))
    agreed = RestoreRequest(database, path, "cli:me", planned.digest)
    return await restores.restore(agreed, identity or host.backups.identity)


async def test_a_restore_brings_the_data_back_and_keeps_what_it_replaced(
    host: InMemoryHost,
) -> None:
    path = Backups(host.systems()).located((await backed_up(host)).name)
    before = data(host)
    host.backups.copies.contents[PRODUCTION.name] = b"by mistake\n"
    view = await restored(host, path)
    assert data(host) == before
    assert host.backups.copies.contents[PRODUCTION.name + OLD] == b"by mistake\n"
    assert (view.done, view.rows) == (True, 2)
    assert view.kept_until is not None


async def test_an_undone_restore_puts_back_what_it_replaced(host: InMemoryHost) -> None:
    path = Backups(host.systems()).located((await backed_up(host)).name)
    host.backups.copies.contents[PRODUCTION.name] = b"newer\n"
    await restored(host, path)
    await Restores(host.systems()).confirm(PRODUCTION, "cli:me", undo=True)
    assert data(host) == b"newer\n"


async def test_a_second_restore_waits_until_the_first_is_confirmed(host: InMemoryHost) -> None:
    path = Backups(host.systems()).located((await backed_up(host)).name)
    await restored(host, path)
    with pytest.raises(Refused) as caught:
        await restored(host, path)
    assert caught.value.code == "restore_unconfirmed"
    await Restores(host.systems()).confirm(PRODUCTION, "cli:me")
    assert PRODUCTION.name + OLD not in host.backups.copies.contents
    await restored(host, path)


async def test_what_was_replaced_goes_with_the_next_backups_when_its_time_is_over(
    host: InMemoryHost,
) -> None:
    backups = Backups(host.systems())
    await restored(host, backups.located((await backed_up(host)).name))
    await backups.run("cli:me")
    assert PRODUCTION.name + OLD in host.backups.copies.contents
    host.clock.seconds += timedelta(days=8).total_seconds()
    await backups.run("cli:me")
    assert PRODUCTION.name + OLD not in host.backups.copies.contents


@pytest.mark.parametrize("fault", ["flipped", "cut", "key", "exchange", "differs", "tar"])
async def test_whatever_fails_the_present_data_stays_and_nothing_is_left_beside(
    host: InMemoryHost, tmp_path: Path, fault: str
) -> None:
    path = Backups(host.systems()).located((await backed_up(host)).name)
    copies, identity = host.backups.copies, host.backups.identity
    content = path.read_bytes()
    match fault:
        case "flipped":
            path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
        case "cut":
            path.write_bytes(content[:-1])
        case "key":
            identity = key_pair()[0]
        case "exchange":
            copies.fail_exchange = True
        case "differs":
            copies.alter = b"one more\n"
        case _:
            run = await Backups(host.systems()).run("cli:me")
            path = Backups(host.systems()).located(run.backups[0].name)
    before = dict(copies.contents)
    with pytest.raises(CodebError):
        await restored(host, path, identity=identity)
    assert copies.contents == before
    assert not copies.kept


async def test_data_of_another_environment_comes_with_a_warning(host: InMemoryHost) -> None:
    path = Backups(host.systems()).located((await backed_up(host)).name)
    view = await restored(host, path, STAGING)
    assert view.warning == "this is the data of shop/production, and goes into shop/staging"
    assert data(host, STAGING) == data(host, PRODUCTION)


async def test_without_the_digest_of_its_plan_nothing_is_restored(host: InMemoryHost) -> None:
    path = Backups(host.systems()).located((await backed_up(host)).name)
    before = dict(host.backups.copies.contents)
    for digest in (None, "0" * 16):
        with pytest.raises(StalePlan):
            await Restores(host.systems()).restore(
                RestoreRequest(PRODUCTION, path, "cli:me", digest), host.backups.identity
            )
    assert host.backups.copies.contents == before


async def test_a_trial_is_written_down_and_leaves_nothing(host: InMemoryHost) -> None:
    backups, restores = Backups(host.systems()), Restores(host.systems())
    made = await backed_up(host)
    before = dict(host.backups.copies.contents)
    view = await restores.verify(backups.located(made.name), host.backups.identity, "cli:me")
    assert view.message == "restored for a trial: 2 tables, 2 rows, equal"
    listed = (await backups.backups()).backups
    assert [(each.verified, each.good) for each in listed] == [(True, True)]
    assert host.backups.copies.contents == before


async def test_a_trial_that_finds_other_data_is_written_down_too(host: InMemoryHost) -> None:
    backups, restores = Backups(host.systems()), Restores(host.systems())
    made = await backed_up(host)
    host.backups.copies.alter = b"one more\n"
    with pytest.raises(DataAtRisk) as caught:
        await restores.verify(backups.located(made.name), host.backups.identity, "cli:me")
    assert caught.value.code == "backup_differs"
    assert [each.verified for each in (await backups.backups()).backups] == [False]


async def test_a_backup_whose_copy_failed_is_an_error(host: InMemoryHost) -> None:
    host.backups.policy = replace(host.backups.policy, offsite="b2:codeb")
    host.backups.elsewhere.down = True
    with pytest.raises(DataAtRisk):
        await backed_up(host)


async def test_a_database_that_is_not_there_is_named(host: InMemoryHost) -> None:
    nobody = DatabaseId(EnvironmentKey(SHOP, EnvironmentName("pr-4")), Engine.POSTGRES)
    with pytest.raises(InvalidRequest) as caught:
        await Restores(host.systems()).plan(RestoreRequest(nobody, Path("x"), "cli:me"))
    assert caught.value.code == "unknown_database"
