"""Previews: how long they live, how many there may be, and how they end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from codeb_mcp.domain.lifetime import Lifetime
from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import InvalidRequest, Refused, SystemFailed
from codeb_mcp.services.deployments import Deployments, DeployRequest, Progress
from codeb_mcp.services.previews import Previews
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.removals import Removals
from codeb_mcp.services.views import DeployView
from tests.fakes.systems import InMemoryHost

SHOP = ProjectName("shop")
STAGING = EnvironmentKey(SHOP, EnvironmentName("staging"))
DAY = 24 * 3600.0


def preview(number: int) -> EnvironmentKey:
    return EnvironmentKey(SHOP, EnvironmentName(f"pr-{number}"))


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    """One with staging, and room for two previews that live for seven days."""
    made = InMemoryHost(tmp_path, addresses=("192.0.2.1",), preview_limit=2)
    await Projects(made.systems(), lambda: "abc").init(
        NewProject(SHOP, ProjectType.IMAGE), "cli:me"
    )
    await deploy(made, STAGING)
    return made


async def deploy(host: InMemoryHost, key: EnvironmentKey, **more: object) -> DeployView:
    request = DeployRequest(key, ImageReference(host.good_image(key.environment)), "cli:me")
    return await Deployments(host.systems()).deploy(replace(request, **more))  # type: ignore[arg-type]  # the fields of the request


async def close(host: InMemoryHost, key: EnvironmentKey) -> list[str]:
    """The kinds of step that closing took."""
    view = await Previews(host.systems()).close(key, "mcp:ci")
    return [step.kind for step in view.plan.steps]


def days(view: DeployView) -> float:
    assert view.expires_at is not None
    return (view.expires_at - datetime(2026, 1, 1, tzinfo=UTC)) / timedelta(days=1)


async def test_deploy_gives_a_preview_its_time_and_others_none(host: InMemoryHost) -> None:
    assert 7 <= days(await deploy(host, preview(1))) < 7.1
    assert (await deploy(host, STAGING)).expires_at is None


@pytest.mark.parametrize("unchanged", [True, False])
async def test_each_deploy_starts_the_time_anew(host: InMemoryHost, unchanged: bool) -> None:
    await deploy(host, preview(1))
    host.clock.seconds += 3 * DAY
    image = "localhost/app:pr-1" if unchanged else host.good_image("other")
    view = await deploy(host, preview(1), source=ImageReference(image))
    assert 10 <= days(view) < 10.1
    (listed,) = (await Previews(host.systems()).list(SHOP)).previews
    assert listed.expires_at == view.expires_at


async def test_time_asked_for_holds_and_the_usual_one_never_shortens_it(
    host: InMemoryHost,
) -> None:
    long = await deploy(host, preview(1), ttl=Lifetime.parse("4w"))
    assert 28 <= days(long) < 28.1
    assert days(await deploy(host, preview(1))) == days(long)
    assert days(await deploy(host, preview(1), ttl=Lifetime.parse("12h"))) < 1
    assert (await deploy(host, preview(1), ttl=Lifetime.parse("never"))).expires_at is None
    assert (await deploy(host, preview(1))).expires_at is None


async def test_time_for_what_is_no_preview_is_refused(host: InMemoryHost) -> None:
    with pytest.raises(InvalidRequest, match="is no preview"):
        await deploy(host, STAGING, ttl=Lifetime.parse("7d"))


async def test_one_preview_too_many_is_refused_before_anything_is_fetched(
    host: InMemoryHost,
) -> None:
    for number in (1, 2):
        await deploy(host, preview(number))
    before = await host.left_behind()
    with pytest.raises(Refused, match="may have 2: pr-1, pr-2") as caught:
        await deploy(host, preview(3), source=ImageReference("localhost/none:v1"))
    assert caught.value.code == "preview_limit"
    assert await host.left_behind() == before
    await deploy(host, preview(2))
    await close(host, preview(1))
    await deploy(host, preview(3))


async def test_previews_that_begin_at_once_share_the_room_there_is(host: InMemoryHost) -> None:
    outcomes: list[str] = []

    async def attempt(number: int) -> None:
        try:
            await deploy(host, preview(number))
            outcomes.append("deployed")
        except Refused as error:
            outcomes.append(error.code)

    async with anyio.create_task_group() as group:
        for number in range(1, 6):
            group.start_soon(attempt, number)
    assert sorted(outcomes) == ["deployed"] * 2 + ["preview_limit"] * 3


async def test_closed_preview_leaves_nothing_at_all(host: InMemoryHost) -> None:
    before = await host.left_behind()
    env = host.folder / "env"
    env.mkdir()
    (env / "shop-pr-1.env").write_text("A=b\n")
    (env / "shop-pr-1.env").chmod(0o600)
    await deploy(host, preview(1))
    assert "ForgetEnvironment" in await close(host, preview(1))
    assert await host.left_behind() == before
    assert not (env / "shop-pr-1.env").exists()
    assert not (host.folder / "logs" / "shop-pr-1").exists()
    assert await close(host, preview(1)) == []


@pytest.mark.parametrize(
    "moment",
    ["fetch or build", "look at", "start release", "wait until", "route", "record release"],
)
@pytest.mark.parametrize("first", [True, False], ids=["first deploy", "later deploy"])
async def test_closing_during_a_deploy_stops_it_and_leaves_no_orphan(
    host: InMemoryHost, moment: str, first: bool
) -> None:
    before = await host.left_behind()
    if not first:
        await deploy(host, preview(1))
        if moment == "route":
            moment = "send the traffic"
    reached, refusals = anyio.Event(), []

    async def stop_there(progress: Progress) -> None:
        if progress.message.startswith(moment):
            reached.set()
            await anyio.sleep_forever()

    async def deploy_and_be_stopped() -> None:
        request = DeployRequest(preview(1), ImageReference(host.good_image("new")), "cli:me")
        try:
            await Deployments(host.systems()).deploy(request, stop_there)
        except Refused as error:
            refusals.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(deploy_and_be_stopped)
        with anyio.fail_after(10):
            await reached.wait()
            await close(host, preview(1))
    (refusal,) = refusals
    assert refusal.code == "environment_closing"
    assert "closed by mcp:ci" in refusal.message
    assert await host.left_behind() == before
    project = await host.registry.project(SHOP)
    assert [each.key for each in project.environments] == [STAGING]
    assert not (host.folder / "logs" / "shop-pr-1").exists()


async def test_closing_that_failed_is_finished_by_the_next(
    host: InMemoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await host.left_behind()
    await deploy(host, preview(1))

    async def fail(*_: object) -> None:
        raise SystemFailed("podman fell over")

    with monkeypatch.context() as patch:
        patch.setattr(host.runtime, "stop", fail)
        with pytest.raises(SystemFailed):
            await close(host, preview(1))
    await close(host, preview(1))
    assert await host.left_behind() == before


async def test_only_a_preview_can_be_closed_as_one(host: InMemoryHost) -> None:
    with pytest.raises(InvalidRequest, match="is no preview") as caught:
        await close(host, STAGING)
    assert "codeb remove shop --env staging" in caught.value.hint


async def test_prune_removes_what_is_over_and_nothing_else(host: InMemoryHost) -> None:
    await deploy(host, preview(1))
    before = await host.left_behind()
    await deploy(host, preview(2), ttl=Lifetime.parse("12h"))
    previews = Previews(host.systems())
    assert (await previews.prune("cli:timer", dry_run=False)).expired == []
    host.clock.seconds += DAY
    planned = await previews.prune("cli:timer", dry_run=True)
    assert ([each.environment for each in planned.expired], planned.removed) == (["pr-2"], [])
    view = await previews.prune("cli:timer", dry_run=False)
    assert (view.removed, view.failed) == (["shop/pr-2"], {})
    assert await host.left_behind() == before


async def test_prune_leaves_a_preview_that_is_being_deployed_and_goes_on(
    host: InMemoryHost,
) -> None:
    for number in (1, 2):
        await deploy(host, preview(number))
    host.clock.seconds += 8 * DAY
    systems = host.systems()
    async with systems.locks.hold(preview(1), "mcp:claude", "deploy v2"):
        view = await Previews(systems).prune("cli:timer", dry_run=False)
    assert view.removed == ["shop/pr-2"]
    assert "mcp:claude" in view.failed["shop/pr-1"]


async def test_project_is_removed_with_all_of_its_environments(host: InMemoryHost) -> None:
    await deploy(host, preview(1))
    removals = Removals(host.systems())
    planned = await removals.plan_project(SHOP)
    assert [each.environment for each in planned.environments] == ["staging", "pr-1"]
    assert planned.removed is False
    assert (await removals.close_project(SHOP, "cli:me")).removed is True
    left = await host.left_behind()
    left.pop("markers")
    assert [name for name, things in left.items() if things] == []
    assert await host.registry.projects() == ()


async def test_deploy_of_a_project_that_goes_meanwhile_is_refused(host: InMemoryHost) -> None:
    async def remove_it(progress: Progress) -> None:
        if progress.message.startswith("fetch or build"):
            await Removals(host.systems()).close_project(SHOP, "cli:other")

    request = DeployRequest(preview(1), ImageReference(host.good_image("v1")), "cli:me")
    with pytest.raises((Refused, InvalidRequest)):
        await Deployments(host.systems()).deploy(request, remove_it)
    left = await host.left_behind()
    assert (left["containers"], left["routes"], left["ports"]) == ([], [], [])
