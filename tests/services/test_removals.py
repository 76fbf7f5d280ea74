"""Taking an environment down: everything that was made for it goes, and nothing else."""

from pathlib import Path

import pytest

from codeb_mcp.domain.host import DnsRecord, RecordType
from codeb_mcp.domain.names import DomainName, EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.plan import Step, StopContainer
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import InvalidRequest, Locked, StalePlan, SystemFailed
from codeb_mcp.services import apply as applying
from codeb_mcp.services.deployments import Deployments, DeployRequest, Progress
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.removals import RemovalRequest, Removals
from codeb_mcp.services.views import RemovalView
from tests.fakes.systems import InMemoryHost

SHOP = ProjectName("shop")
PREVIEW = EnvironmentKey(SHOP, EnvironmentName("pr-7"))
STAGING = EnvironmentKey(SHOP, EnvironmentName("staging"))


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    """One with staging and a preview, the latter in its green slot."""
    made = InMemoryHost(tmp_path, addresses=("192.0.2.1",))
    systems = made.systems()
    await Projects(systems, lambda: "abc").init(NewProject(SHOP, ProjectType.IMAGE), "cli:me")
    for key, tag in ((STAGING, "s"), (PREVIEW, "v1"), (PREVIEW, "v2")):
        request = DeployRequest(key, ImageReference(made.good_image(tag)), "cli:me")
        await Deployments(systems).deploy(request)
    return made


async def remove(host: InMemoryHost, digest: str | None = None) -> RemovalView:
    return await Removals(host.systems()).remove(RemovalRequest(PREVIEW, "cli:me", digest))


async def only_staging(host: InMemoryHost) -> None:
    """Nothing of the preview is left, and all of staging is."""
    left = await host.left_behind()
    left["markers"] = {key: slot for key, slot in host.markers.slots.items() if slot == "green"}
    assert left == {
        "containers": ["codeb-shop-staging-blue"],
        "routes": ["codeb-shop-staging"],
        "records": ["staging.shop.localhost A 192.0.2.1 (TTL 300 s)"],
        "ports": [3100],
        "tags": ["localhost/codeb/shop/staging:r1"],
        "networks": ["codeb-shop"],
        "volumes": [],
        "jobs": [],
        "markers": {},
    }
    project = await host.registry.project(SHOP)
    assert [each.key for each in project.environments] == [STAGING]


async def test_nothing_is_removed_without_the_digest_of_the_plan(host: InMemoryHost) -> None:
    before = await host.left_behind()
    view = await remove(host)
    assert view.removed is False
    assert [step.kind for step in view.plan.steps] == [
        "RemoveRoute",
        "RemoveRecord",
        "Drain",
        "StopContainer",
        "SwitchSlot",
        "PruneImages",
        "ForgetEnvironment",
    ]
    assert await host.left_behind() == before


async def test_removal_leaves_nothing_of_it_and_all_of_the_others(host: InMemoryHost) -> None:
    view = await remove(host, (await remove(host)).plan.digest)
    assert view.removed is True
    await only_staging(host)
    assert not (host.folder / "logs" / "shop-pr-7").exists()
    with pytest.raises(InvalidRequest, match="nothing of it is left"):
        await remove(host)


async def test_removed_environment_can_be_deployed_again_from_the_start(
    host: InMemoryHost,
) -> None:
    await remove(host, (await remove(host)).plan.digest)
    request = DeployRequest(PREVIEW, ImageReference(host.good_image("v3")), "cli:me")
    view = await Deployments(host.systems()).deploy(request)
    assert (view.release, view.slot) == (1, "blue")


async def test_record_that_somebody_else_made_is_left(host: InMemoryHost) -> None:
    domain = DomainName("pr-7.shop.localhost")
    theirs = DnsRecord(domain, RecordType.AAAA, "2001:db8::1", 60)
    await host.dns.put(theirs)
    await remove(host, (await remove(host)).plan.digest)
    assert await host.dns.records(domain) == (theirs,)


async def test_plan_of_a_state_that_has_changed_is_refused(host: InMemoryHost) -> None:
    digest = (await remove(host)).plan.digest
    request = DeployRequest(PREVIEW, ImageReference(host.good_image("v3")), "cli:me")
    await Deployments(host.systems()).deploy(request)
    before = await host.left_behind()
    with pytest.raises(StalePlan):
        await remove(host, digest)
    assert await host.left_behind() == before


async def test_removal_while_a_deploy_runs_is_told_so(host: InMemoryHost) -> None:
    digest = (await remove(host)).plan.digest
    async with host.systems().locks.hold(PREVIEW, "mcp:claude", "deploy v3"):
        with pytest.raises(Locked, match="mcp:claude"):
            await remove(host, digest)


async def test_env_file_is_kept_and_named(host: InMemoryHost) -> None:
    env = host.folder / "env"
    env.mkdir()
    file = env / "shop-pr-7.env"
    file.write_text("A=b\n")
    file.chmod(0o600)
    view = await remove(host, (await remove(host)).plan.digest)
    assert view.kept == [str(file)]
    assert file.exists()


@pytest.mark.parametrize("step", range(7))
async def test_removal_that_failed_at_any_step_is_finished_by_the_next(
    host: InMemoryHost, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with monkeypatch.context() as patch:
        _fail_at(patch, step)
        digest = (await remove(host)).plan.digest
        with pytest.raises(SystemFailed):
            await remove(host, digest)
    await remove(host, (await remove(host)).plan.digest)
    await only_staging(host)


def _fail_at(patch: pytest.MonkeyPatch, step: int) -> None:
    perform = applying._perform
    done = 0

    async def perform_or_fail(systems: object, each: Step) -> None:
        nonlocal done
        if done == step:
            raise SystemFailed("it fell over")
        done += 1
        await perform(systems, each)  # type: ignore[arg-type]  # passed on as it came

    patch.setattr(applying, "_perform", perform_or_fail)


async def test_removal_stops_the_containers_only_after_the_route_is_gone(
    host: InMemoryHost,
) -> None:
    kinds = [step.kind for step in (await remove(host)).plan.steps]
    assert kinds.index("RemoveRoute") < kinds.index(StopContainer.__name__)


async def test_network_goes_though_the_last_two_environments_are_removed_at_once(
    host: InMemoryHost,
) -> None:
    removals = Removals(host.systems())
    begun = False

    async def remove_the_other(_: Progress) -> None:
        nonlocal begun
        if not begun:
            begun = True
            await removals.close(STAGING, "cli:other")

    await removals.close(PREVIEW, "cli:me", remove_the_other)
    left = await host.left_behind()
    assert (left["networks"], left["containers"]) == ([], [])
