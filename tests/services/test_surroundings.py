"""Settings, volumes, networks, one-off commands and jobs, on a host in memory."""

from pathlib import Path

import pytest

from codeb_mcp.domain.job import Command, Job, JobName, Schedule
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName, VariableName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import DeployFailed, InvalidRequest, Refused
from codeb_mcp.planning.configuration import parse_settings
from codeb_mcp.planning.document import parse_document, registry_document
from codeb_mcp.services.configuration import Configuration
from codeb_mcp.services.deployments import Deployments, DeployRequest
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.removals import RemovalRequest, Removals
from codeb_mcp.services.tasks import Tasks
from codeb_mcp.services.views import DeployView, RemovalView
from tests.fakes.containers import Application
from tests.fakes.systems import InMemoryHost

SHOP = ProjectName("shop")
STAGING = EnvironmentKey(SHOP, EnvironmentName("staging"))
PREVIEW = EnvironmentKey(SHOP, EnvironmentName("pr-7"))
NIGHTLY = Job(JobName("nightly"), Schedule("*-*-* 03:00"), Command(("backup", "--all")))


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    made = InMemoryHost(tmp_path)
    await Projects(made.systems(), lambda: "abc").init(
        NewProject(SHOP, ProjectType.IMAGE), "cli:me"
    )
    return made


async def configure(host: InMemoryHost, *settings: str) -> None:
    await Configuration(host.systems()).change(SHOP, "cli:me", parse_settings(settings))


async def deploy(host: InMemoryHost, image: str, key: EnvironmentKey = STAGING) -> DeployView:
    return await Deployments(host.systems()).deploy(
        DeployRequest(key, ImageReference(image), "cli:me")
    )


async def remove(
    host: InMemoryHost, key: EnvironmentKey, *, volumes: bool | None = None
) -> RemovalView:
    removals = Removals(host.systems())
    planned = await removals.remove(RemovalRequest(key, "cli:me", volumes=volumes))
    request = RemovalRequest(key, "cli:me", planned.plan.digest, volumes)
    return await removals.remove(request)


def tasks(host: InMemoryHost) -> Tasks:
    return Tasks(host.systems(), lambda: "abc")


@pytest.mark.parametrize(
    "setting",
    ["memory=64m", "cpus=0.5", "pids=9", "caps=CHOWN", "read_only=true", "volumes=data:/data"],
)
async def test_changed_setting_is_a_new_release_and_then_nothing_changes(
    host: InMemoryHost, setting: str
) -> None:
    image = host.good_image()
    await deploy(host, image)
    await configure(host, setting)
    assert (await deploy(host, image)).release == 2
    assert (await deploy(host, image)).plan.steps == []


async def test_setting_that_is_not_valid_changes_nothing(host: InMemoryHost) -> None:
    await configure(host, "memory=64m")
    with pytest.raises(InvalidRequest):
        await configure(host, "cpus=2", "memory=little")
    view = await Configuration(host.systems()).change(SHOP, "cli:me", {})
    assert view.settings == {"memory": "64m", "health_check": "/"}


async def test_release_has_its_project_s_network_and_its_environment_s_volume(
    host: InMemoryHost,
) -> None:
    await configure(host, "volumes=data:/data")
    await deploy(host, host.good_image())
    (spec,) = host.runtime.specs.values()
    assert spec.network == "codeb-shop"
    left = await host.left_behind()
    assert (left["networks"], left["volumes"]) == (["codeb-shop"], ["codeb-shop-staging-data"])


async def test_first_deploy_that_fails_leaves_neither_network_nor_volume(
    host: InMemoryHost,
) -> None:
    await configure(host, "volumes=data:/data")
    with pytest.raises(DeployFailed):
        await deploy(host, host.bad_image(Application.EXITS))
    left = await host.left_behind()
    assert (left["networks"], left["volumes"]) == ([], [])


async def test_later_deploy_that_fails_keeps_both(host: InMemoryHost) -> None:
    await configure(host, "volumes=data:/data")
    await deploy(host, host.good_image())
    before = await host.left_behind()
    with pytest.raises(DeployFailed):
        await deploy(host, host.bad_image(Application.EXITS))
    assert await host.left_behind() == before


async def test_volume_of_somebody_else_is_not_used(host: InMemoryHost) -> None:
    host.volumes.foreign.add("codeb-shop-staging-data")
    await configure(host, "volumes=data:/data")
    with pytest.raises(Refused, match="not codeb's"):
        await deploy(host, host.good_image())
    assert host.runtime.specs == {}


async def test_removal_keeps_volumes_unless_they_are_asked_for(host: InMemoryHost) -> None:
    await configure(host, "volumes=data:/data")
    await deploy(host, host.good_image())
    view = await remove(host, STAGING)
    assert "volume codeb-shop-staging-data" in view.kept
    assert set(host.volumes.owners) == {"codeb-shop-staging-data"}
    view = await remove(host, STAGING, volumes=True)
    assert [step.kind for step in view.plan.steps] == ["RemoveVolume"]
    assert host.volumes.owners == {}


async def test_volumes_of_a_preview_go_with_it(host: InMemoryHost) -> None:
    await configure(host, "volumes=data:/data")
    await deploy(host, host.good_image(), PREVIEW)
    await remove(host, PREVIEW)
    assert host.volumes.owners == {}


async def test_network_goes_with_the_last_environment(host: InMemoryHost) -> None:
    for key in (STAGING, PREVIEW):
        await deploy(host, host.good_image(), key)
    await remove(host, PREVIEW)
    assert host.networks.names == {"codeb-shop"}
    await remove(host, STAGING)
    assert host.networks.names == set()


async def test_one_off_command_runs_as_the_live_release_does(host: InMemoryHost) -> None:
    await configure(host, "volumes=data:/data", "memory=64m")
    values = {VariableName("TOKEN"): Secret("hunter2secret")}
    systems = host.systems()
    systems.secrets.update(STAGING, values)
    await deploy(host, host.good_image())
    host.terminal.code = 7
    code = await tasks(host).run(STAGING, "cli:me", Command(("echo", "hunter2secret")))
    ((task, name),) = host.terminal.ran
    (release,) = host.runtime.specs.values()
    assert (code, name) == (7, "codeb-shop-staging-run-abc")
    assert (task.image_id, task.env, task.env_file) == (
        release.image_id,
        release.env,
        release.env_file,
    )
    assert (task.confinement, task.network) == (release.confinement, release.network)
    (entry, *_) = await host.registry.audit_trail()
    assert entry.action == "run"
    assert "hunter2secret" not in repr(entry)


async def test_one_off_command_without_a_live_release_is_refused(host: InMemoryHost) -> None:
    with pytest.raises(InvalidRequest, match="nothing is live"):
        await tasks(host).run(STAGING, "cli:me", Command(("true",)))
    assert host.terminal.ran == []


@pytest.mark.parametrize("words", [(), ("",), ("a\nb",), ("x" * 5000,), ("\udcff",)])
def test_command_that_no_unit_can_hold_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest):
        Command(words)


async def test_job_is_installed_at_once_and_an_unchanged_deploy_leaves_it(
    host: InMemoryHost,
) -> None:
    image = host.good_image()
    await deploy(host, image)
    (view,) = (await tasks(host).add_job(STAGING, "cli:me", NIGHTLY)).jobs
    assert (view.name, view.installed, view.command) == ("nightly", True, ["backup", "--all"])
    assert (await deploy(host, image)).plan.steps == []


async def test_job_follows_the_live_release(host: InMemoryHost) -> None:
    await deploy(host, host.good_image())
    await tasks(host).add_job(STAGING, "cli:me", NIGHTLY)
    view = await deploy(host, host.good_image("v2"))
    assert view.plan.steps[-1].kind == "InstallJob"
    (spec,) = host.jobs.specs.values()
    live = host.runtime.starts[-1]
    assert spec.task.image_id == live.image_id


async def test_removed_job_is_gone_and_unknown_ones_are_named(host: InMemoryHost) -> None:
    await deploy(host, host.good_image())
    await tasks(host).add_job(STAGING, "cli:me", NIGHTLY)
    with pytest.raises(InvalidRequest, match="no job weekly") as caught:
        await tasks(host).remove_job(STAGING, "cli:me", JobName("weekly"))
    assert "nightly" in caught.value.hint
    assert (await tasks(host).remove_job(STAGING, "cli:me", JobName("nightly"))).jobs == []
    assert host.jobs.specs == {}


async def test_jobs_go_with_their_environment(host: InMemoryHost) -> None:
    await deploy(host, host.good_image())
    await tasks(host).add_job(STAGING, "cli:me", NIGHTLY)
    await remove(host, STAGING)
    assert host.jobs.specs == {}
    await deploy(host, host.good_image("v2"))
    assert host.jobs.specs == {}


async def test_schedule_that_systemd_refuses_adds_no_job(host: InMemoryHost) -> None:
    await deploy(host, host.good_image())
    host.jobs.bad.add("sometime")
    job = Job(JobName("nightly"), Schedule("sometime"), Command(("true",)))
    with pytest.raises(InvalidRequest, match="schedule"):
        await tasks(host).add_job(STAGING, "cli:me", job)
    assert (await tasks(host).jobs(STAGING)).jobs == []


async def test_job_that_was_run_says_how_it_ended(host: InMemoryHost) -> None:
    await deploy(host, host.good_image())
    await tasks(host).add_job(STAGING, "cli:me", NIGHTLY)
    view = await tasks(host).run_job(STAGING, "cli:me", JobName("nightly"))
    assert (view.result, view.exit_code) == ("success", 0)


async def test_settings_and_jobs_survive_export_and_import(host: InMemoryHost) -> None:
    await configure(host, "volumes=data:/data", "memory=64m", "caps=CHOWN")
    await deploy(host, host.good_image())
    await tasks(host).add_job(STAGING, "cli:me", NIGHTLY)
    exported = registry_document(await host.registry.projects())
    await host.registry.replace_all(parse_document(exported))
    assert registry_document(await host.registry.projects()) == exported
    project = await host.registry.project(SHOP)
    assert project.config.confinement.memory == 64 * 1024**2
    assert project.environments[0].jobs == (NIGHTLY,)
