"""Backups of a whole host: what is made, what is called good, what is let go of."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from codeb_mcp.domain.confinement import MountPath, Volume, VolumeName
from codeb_mcp.domain.job import Schedule
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import DataAtRisk, InvalidRequest, Refused
from codeb_mcp.services.backups import Backups
from codeb_mcp.services.projects import NewProject, Projects
from tests.fakes.systems import InMemoryHost

SHOP = EnvironmentKey(ProjectName("shop"), EnvironmentName("production"))


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    """One with a project that has a volume."""
    made = InMemoryHost(tmp_path)
    systems = made.systems()
    await Projects(systems, lambda: "abc").init(
        NewProject(SHOP.project, ProjectType.IMAGE), "cli:me"
    )
    await systems.registry.ensure_environment(SHOP, DomainName("shop.localhost"))
    await systems.volumes.create(SHOP, Volume(VolumeName("data"), MountPath("/data")))
    return made


async def test_a_run_backs_up_the_state_and_every_volume(host: InMemoryHost) -> None:
    view = await Backups(host.systems()).run("cli:me")
    assert [each.of for each in view.backups] == [
        "state of this server",
        "volume data of shop/production",
    ]
    assert all(each.good for each in view.backups)
    assert (await Backups(host.systems()).backups()).backups == view.backups


async def test_a_projects_run_leaves_the_state_out(host: InMemoryHost) -> None:
    view = await Backups(host.systems()).run("cli:me", SHOP.project)
    assert [each.kind for each in view.backups] == ["volume"]
    with pytest.raises(InvalidRequest):
        await Backups(host.systems()).run("cli:me", ProjectName("nobody"))


async def test_without_a_key_nothing_is_written(host: InMemoryHost) -> None:
    host.backups.policy = replace(host.backups.policy, recipients=())
    with pytest.raises(Refused) as caught:
        await Backups(host.systems()).run("cli:me")
    assert caught.value.code == "no_recipients"
    assert not (host.folder / "backups").exists()


async def test_one_that_fails_is_named_and_the_others_are_made(host: InMemoryHost) -> None:
    host.backups.failing.add("state")
    with pytest.raises(DataAtRisk) as caught:
        await Backups(host.systems()).run("cli:me")
    assert "state of this server" in caught.value.message
    listed = (await Backups(host.systems()).backups()).backups
    assert [each.kind for each in listed] == ["volume"]


async def test_one_whose_copy_failed_is_not_called_good_and_is_copied_by_the_next(
    host: InMemoryHost,
) -> None:
    host.backups.policy = replace(host.backups.policy, offsite="b2:codeb")
    host.backups.elsewhere.down = True
    with pytest.raises(DataAtRisk):
        await Backups(host.systems()).run("cli:me")
    backups = Backups(host.systems())
    assert [each.good for each in (await backups.backups()).backups] == [False, False]
    host.backups.elsewhere.down = False
    await backups.run("cli:me")
    listed = (await backups.backups()).backups
    assert all(each.good for each in listed)
    assert set(host.backups.elsewhere.files) == {each.name for each in listed}


async def test_what_was_kept_long_enough_goes_here_and_elsewhere(host: InMemoryHost) -> None:
    host.backups.policy = replace(host.backups.policy, offsite="b2:codeb")
    backups = Backups(host.systems())
    for _ in range(30):
        await backups.run("cli:me")
        host.clock.seconds += timedelta(days=1).total_seconds()
    listed = (await backups.backups()).backups
    assert 7 <= len([each for each in listed if each.kind == "state"]) <= 14
    assert set(host.backups.elsewhere.files) == {each.name for each in listed}


async def test_a_backup_is_opened_by_its_name_or_path(host: InMemoryHost) -> None:
    backups = Backups(host.systems())
    made = (await backups.run("cli:me")).backups[0]
    path = backups.located(made.name)
    assert path == backups.located(str(path))
    view = await backups.check(path, host.backups.identity)
    assert view.message == "decrypts to its end and is what its manifest says"


async def test_the_audit_says_who_and_nothing_secret(host: InMemoryHost) -> None:
    await Backups(host.systems()).run("cli:me")
    entry = (await host.registry.audit_trail())[0]
    assert (entry.actor, entry.action, entry.outcome) == ("cli:me", "backup", "ok")
    assert host.backups.identity.reveal() not in repr(entry)


async def test_backups_are_made_by_a_schedule_until_they_are_not(host: InMemoryHost) -> None:
    backups = Backups(host.systems())
    assert (await backups.schedule(Schedule("*-*-* 02:00"), "cli:me")).coming == "tomorrow"
    assert (await backups.backups()).coming == "tomorrow"
    assert (await backups.schedule(None, "cli:me")).coming == ""
    assert host.backups.timetable.schedule == ""
