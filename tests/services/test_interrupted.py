"""A release that was killed before it served leaves nothing, whatever is called next."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType, Slot
from codeb_mcp.domain.release import NewRelease, ReleaseStatus
from codeb_mcp.services.deployments import Deployments, DeployRequest, RollbackRequest
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.reconciling import ReconcileRequest, Reconciliation
from tests.fakes.systems import InMemoryHost

KEY = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    """Releases 1 and 2 have served, the latter does; 3 was killed once its image had its name."""
    made = InMemoryHost(tmp_path, addresses=("192.0.2.1",))
    await Projects(made.systems(), lambda: "abc").init(
        NewProject(KEY.project, ProjectType.IMAGE), "cli:me"
    )
    for tag in ("v1", "v2"):
        await deploy(made, made.good_image(tag))
    await kill_release(made, 3, "v3")
    return made


async def kill_release(host: InMemoryHost, number: int, tag: str) -> None:
    image = host.good_image(tag)
    begun = NewRelease(number, image, "", tag, Slot.BLUE, "cli:me")
    await host.registry.begin_release(KEY, begun)
    await host.images.tag(host.images.known[image].id, f"localhost/codeb/shop/staging:r{number}")


async def deploy(host: InMemoryHost, image: str) -> list[str]:
    request = DeployRequest(KEY, ImageReference(image), "cli:me")
    view = await Deployments(host.systems()).deploy(request)
    return [step.kind for step in view.plan.steps]


async def deploy_what_is_live(host: InMemoryHost) -> list[str]:
    return await deploy(host, "localhost/app:v2")


async def roll_back_to_what_is_live(host: InMemoryHost) -> list[str]:
    view = await Deployments(host.systems()).rollback(RollbackRequest(KEY, "cli:me", to="2"))
    return [step.kind for step in view.plan.steps]


async def reconcile(host: InMemoryHost) -> list[str]:
    request = ReconcileRequest(KEY.project, "cli:me")
    (view,) = (await Reconciliation(host.systems()).reconcile(request)).environments
    return [step.kind for step in view.plan.steps]


@pytest.mark.parametrize("call", [deploy_what_is_live, roll_back_to_what_is_live, reconcile])
async def test_image_of_a_release_that_was_killed_goes_with_the_next_call_and_kept_ones_stay(
    host: InMemoryHost, call: Callable[[InMemoryHost], Awaitable[list[str]]]
) -> None:
    assert await call(host) == ["RecordRelease", "PruneImages"]
    left = await host.left_behind()
    assert left["tags"] == [f"localhost/codeb/shop/staging:r{number}" for number in (1, 2)]
    statuses = [each.status for each in await host.registry.releases(KEY)]
    assert statuses == [ReleaseStatus.INTERRUPTED, ReleaseStatus.LIVE, ReleaseStatus.SUPERSEDED]
    assert await call(host) == []
    assert await host.left_behind() == left


async def test_new_deploy_takes_the_image_along_though_few_releases_are_there(
    host: InMemoryHost,
) -> None:
    assert (await deploy(host, host.good_image("v4")))[-1] == "PruneImages"
    tags = (await host.left_behind())["tags"]
    assert tags == [f"localhost/codeb/shop/staging:r{number}" for number in (1, 2, 4)]


async def test_first_release_that_was_killed_leaves_no_image_behind(tmp_path: Path) -> None:
    host = InMemoryHost(tmp_path)
    systems = host.systems()
    await Projects(systems, lambda: "abc").init(
        NewProject(KEY.project, ProjectType.IMAGE), "cli:me"
    )
    await systems.registry.ensure_environment(KEY, KEY.domain(systems.host.base_domain))
    await kill_release(host, 1, "v1")
    assert await reconcile(host) == ["PruneImages"]
    assert (await host.left_behind())["tags"] == []
    assert await reconcile(host) == []


async def test_image_that_was_left_is_told_as_a_difference(host: InMemoryHost) -> None:
    status = await Projects(host.systems(), lambda: "abc").status(KEY.project)
    (drift,) = status.environments[0].drift
    assert (drift.kind, "release 3" in drift.message) == ("left_over", True)
