"""The registry on a real SQLite file."""

import sqlite3
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from codeb_mcp.adapters.registry import SqlCalls, SqlRegistry
from codeb_mcp.adapters.registry.schema import MIGRATIONS
from codeb_mcp.domain.ledger import AuditEntry
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.ports import PortKind, candidates
from codeb_mcp.domain.project import EnvironmentKey, Project, ProjectConfig, ProjectType, Slot
from codeb_mcp.domain.release import NewRelease, ReleaseStatus
from codeb_mcp.errors import HostNotReady, InvalidRequest
from codeb_mcp.planning.document import parse_document, registry_document

START = datetime(2026, 1, 1, tzinfo=UTC)
APP = PortKind.APP


def key(project: str = "shop", environment: str = "staging") -> EnvironmentKey:
    return EnvironmentKey(ProjectName(project), EnvironmentName(environment))


def a_project(name: str = "shop") -> Project:
    return Project(
        f"proj_{name}", ProjectName(name), ProjectType.NODE, "", ProjectConfig(), START, START
    )


def staging_ports() -> tuple[int, ...]:
    return candidates(APP, key().environment.kind)


def everything_is_free(_: int) -> bool:
    return True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


@pytest.fixture
async def registry(path: Path) -> SqlRegistry:
    ticks = count()
    made = SqlRegistry(path, lambda: START + timedelta(seconds=next(ticks)))
    await made.add_project(a_project())
    return made


def new(number: int, slot: Slot = Slot.BLUE) -> NewRelease:
    return NewRelease(number, "localhost/app", f"sha256:{number}", f"v{number}", slot, "cli:me")


async def test_unknown_project_is_refused_with_the_one_that_was_meant(
    registry: SqlRegistry,
) -> None:
    with pytest.raises(InvalidRequest, match="there is no project shp") as caught:
        await registry.project(ProjectName("shp"))
    assert "did you mean shop" in caught.value.hint


async def test_same_project_cannot_be_added_twice(registry: SqlRegistry) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await registry.add_project(a_project())
    assert caught.value.code == "project_exists"


async def test_environment_keeps_its_port_however_often_it_asks(registry: SqlRegistry) -> None:
    first = await registry.allocate_port(key(), APP, staging_ports(), everything_is_free)
    again = await registry.allocate_port(key(), APP, staging_ports(), everything_is_free)
    assert (first.port, first.created) == (3100, True)
    assert (again.port, again.created) == (3100, False)


async def test_port_whose_green_slot_a_stranger_holds_is_skipped_and_told(
    registry: SqlRegistry,
) -> None:
    got = await registry.allocate_port(key(), APP, staging_ports(), lambda port: port != 3400)
    assert (got.port, got.skipped) == (3101, (3100,))


async def test_exhausted_range_is_a_clear_error(registry: SqlRegistry) -> None:
    for number in range(1, 101):
        await registry.allocate_port(
            key(environment=f"pr-{number}"), APP, tuple(range(3200, 3300)), everything_is_free
        )
    with pytest.raises(HostNotReady, match="no app port is left among 3200-3299") as caught:
        await registry.allocate_port(
            key(environment="pr-101"), APP, tuple(range(3200, 3300)), everything_is_free
        )
    assert caught.value.code == "ports_exhausted"


async def test_released_port_is_handed_out_again(registry: SqlRegistry) -> None:
    await registry.allocate_port(key(), APP, staging_ports(), everything_is_free)
    assert await registry.release_port(key(), APP) == 3100
    assert await registry.release_port(key(), APP) is None
    got = await registry.allocate_port(key(), APP, staging_ports(), everything_is_free)
    assert got.port == 3100


async def test_only_one_release_is_live(registry: SqlRegistry) -> None:
    await registry.ensure_environment(key(), DomainName("staging.shop.localhost"))
    for number, slot in ((1, Slot.BLUE), (2, Slot.GREEN)):
        await registry.begin_release(key(), new(number, slot))
        await registry.mark_live(key(), number, slot)
    statuses = [release.status for release in await registry.releases(key())]
    assert statuses == [ReleaseStatus.LIVE, ReleaseStatus.SUPERSEDED]
    (environment,) = (await registry.project(ProjectName("shop"))).environments
    assert environment.live is not None
    assert (environment.live.number, environment.live.slot) == (2, "green")


async def test_release_of_a_killed_deploy_becomes_interrupted(registry: SqlRegistry) -> None:
    await registry.ensure_environment(key(), DomainName("staging.shop.localhost"))
    await registry.begin_release(key(), new(1))
    await registry.begin_release(key(), new(2))
    statuses = [release.status for release in await registry.releases(key())]
    assert statuses == [ReleaseStatus.STARTING, ReleaseStatus.INTERRUPTED]


async def test_imported_live_release_takes_the_number_it_turns_out_to_have(
    registry: SqlRegistry,
) -> None:
    await registry.ensure_environment(key(), DomainName("staging.shop.localhost"))
    await registry.begin_release(key(), new(1))
    await registry.mark_live(key(), 1, Slot.BLUE)
    await registry.mark_live(key(), 7, Slot.BLUE)
    assert [release.number for release in await registry.releases(key())] == [7]


async def test_domain_of_another_environment_is_refused(registry: SqlRegistry) -> None:
    await registry.ensure_environment(key(), DomainName("staging.shop.localhost"))
    with pytest.raises(InvalidRequest, match="belongs to shop/staging"):
        await registry.ensure_environment(
            key(environment="production"), DomainName("staging.shop.localhost")
        )


async def test_audit_cannot_be_changed_or_deleted(registry: SqlRegistry, path: Path) -> None:
    entry = AuditEntry(START, "cli:me", "deploy", {"project": "shop"}, "ok")
    calls = SqlCalls(path, path.parent / "calls", lambda: START)
    await calls.end(await calls.begin(entry), entry)
    with sqlite3.connect(path) as raw:
        for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                raw.execute(statement)
    assert await registry.audit_trail() == (entry,)


async def test_export_and_import_give_the_same_document(
    registry: SqlRegistry, tmp_path: Path
) -> None:
    await registry.ensure_environment(key(), DomainName("staging.shop.localhost"))
    await registry.allocate_port(key(), APP, staging_ports(), everything_is_free)
    await registry.begin_release(key(), new(1))
    await registry.mark_live(key(), 1, Slot.GREEN)
    await registry.ensure_environment(key(environment="pr-3"), DomainName("pr-3.shop.localhost"))
    await registry.begin_release(key(environment="pr-3"), new(1))
    await registry.end_release(key(environment="pr-3"), 1, ReleaseStatus.FAILED, "no")
    exported = registry_document(await registry.projects())
    other = SqlRegistry(tmp_path / "other.db", lambda: START)
    await other.replace_all(parse_document(exported))
    assert registry_document(await other.projects()) == exported


async def test_two_registries_on_a_new_file_migrate_it_once(path: Path) -> None:
    one, two = SqlRegistry(path, lambda: START), SqlRegistry(path, lambda: START)
    assert await one.projects() == await two.projects() == ()


async def test_file_of_a_newer_version_is_refused(registry: SqlRegistry, path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version = 99")
    with pytest.raises(InvalidRequest, match="newer codeb"):
        await SqlRegistry(path, lambda: START).projects()


@pytest.fixture
def damaged(path: Path) -> Path:
    path.write_text("this is not a database, " * 100)
    return path


async def test_file_that_is_no_database_is_a_clear_error(damaged: Path) -> None:
    with pytest.raises(HostNotReady, match="not a sound SQLite file"):
        await SqlRegistry(damaged, lambda: START).projects()


async def test_write_that_fails_leaves_nothing_behind(registry: SqlRegistry) -> None:
    before = registry_document(await registry.projects())
    twice = (*parse_document(before), *parse_document(before))
    with pytest.raises(Exception, match="UNIQUE"):
        await registry.replace_all(twice)
    assert registry_document(await registry.projects()) == before


async def test_domains_are_pending_until_served_and_survive_an_export(
    registry: SqlRegistry, tmp_path: Path
) -> None:
    await registry.ensure_environment(key(), DomainName("staging.shop.localhost"))
    served, pending = DomainName("www.example.com"), DomainName("late.example.com")
    for domain in (served, served, pending):
        await registry.add_domain(key(), domain)
    await registry.serve_domain(key(), served)
    (before,) = await registry.projects()
    assert [(each.name, each.status) for each in before.environments[0].domains] == [
        (pending, "pending"),
        (served, "active"),
    ]
    document = registry_document((before,))
    other = SqlRegistry(tmp_path / "other.db", lambda: START)
    await other.replace_all(parse_document(document))
    assert registry_document(await other.projects()) == document
    await registry.remove_domain(key(), served)
    await registry.remove_domain(key(), DomainName("staging.shop.localhost"))
    (after,) = await registry.projects()
    assert [each.name for each in after.environments[0].domains] == [pending]
    assert after.environments[0].domain == "staging.shop.localhost"


async def test_registry_from_before_custom_domains_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as connection:
        for statement in (each for migration in MIGRATIONS[:2] for each in migration):
            connection.execute(statement)
        connection.executescript("""
            PRAGMA user_version = 2;
            INSERT INTO projects VALUES ('proj_1', 'shop', 'node', '', NULL, NULL, '/', '[]', NULL,
                '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00', '{}');
            INSERT INTO environments VALUES (1, 'shop', 'staging', '2026-01-01T00:00:00+00:00');
            INSERT INTO domains VALUES ('staging.shop.localhost', 1, 1);
        """)
    (project,) = await SqlRegistry(path, lambda: START).projects()
    assert project.environments[0].domain == "staging.shop.localhost"
    assert (project.environments[0].domains, project.environments[0].expires_at) == ((), None)
