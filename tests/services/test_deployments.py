"""Deploys over in-memory systems: what is done, undone, refused and left alone."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName, VariableName
from codeb_mcp.domain.plan import Step
from codeb_mcp.domain.project import EnvironmentKey, ProjectType, Slot
from codeb_mcp.domain.release import ReleaseStatus
from codeb_mcp.errors import (
    CodebError,
    DeployFailed,
    HostNotReady,
    InvalidRequest,
    Locked,
    Refused,
    StalePlan,
    SystemFailed,
)
from codeb_mcp.services import apply as applying
from codeb_mcp.services import deployments as deploying
from codeb_mcp.services.deployments import Deployments, DeployRequest, Progress, RollbackRequest
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.views import DeployView
from tests.fakes.containers import Application
from tests.fakes.systems import InMemoryHost

KEY = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))


class Killed(BaseException):
    """Stands in for SIGKILL: nothing that handles errors gets to run."""


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    made = InMemoryHost(tmp_path, addresses=("192.0.2.1",))
    await Projects(made.systems(), lambda: "abc").init(
        NewProject(KEY.project, ProjectType.IMAGE), "cli:me"
    )
    return made


async def deploy(host: InMemoryHost, image: str, **more: object) -> DeployView:
    request = DeployRequest(KEY, ImageReference(image), "cli:me")
    return await Deployments(host.systems()).deploy(replace(request, **more))  # type: ignore[arg-type]  # the fields of the request


async def test_first_deploy_serves_and_is_recorded(host: InMemoryHost) -> None:
    view = await deploy(host, host.good_image())
    assert (view.release, view.slot, view.version, view.changed) == (1, "blue", "v1", True)
    assert await host.left_behind() == {
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


async def test_second_deploy_of_same_image_changes_nothing(host: InMemoryHost) -> None:
    image = host.good_image()
    await deploy(host, image)
    before = await host.left_behind()
    view = await deploy(host, image)
    assert (view.changed, view.plan.steps, view.release) == (False, [], 1)
    assert await host.left_behind() == before
    assert len(host.runtime.starts) == 1


async def test_releases_take_turns_and_the_route_is_written_only_once(host: InMemoryHost) -> None:
    slots = [(await deploy(host, host.good_image(f"v{number}"))).slot for number in range(1, 5)]
    assert slots == ["blue", "green", "blue", "green"]
    assert host.proxy.writes == 1
    assert (await host.left_behind())["containers"] == ["codeb-shop-staging-green"]


async def test_only_the_newest_images_are_kept(host: InMemoryHost) -> None:
    for number in range(1, 7):
        await deploy(host, host.good_image(f"v{number}"))
    assert (await host.left_behind())["tags"] == [
        f"localhost/codeb/shop/staging:r{number}" for number in (4, 5, 6)
    ]


async def test_dry_run_says_the_steps_and_changes_nothing(host: InMemoryHost) -> None:
    before = await host.left_behind()
    view = await deploy(host, host.good_image(), dry_run=True)
    assert [step.kind for step in view.plan.steps][:2] == ["AllocatePort", "PutRecord"]
    assert view.changed is False
    assert await host.left_behind() == before
    assert (await host.registry.project(KEY.project)).environments == ()
    assert await host.registry.releases(KEY) == ()


async def test_plan_is_carried_out_by_its_digest(host: InMemoryHost) -> None:
    image = host.good_image()
    plan = (await deploy(host, image, dry_run=True)).plan
    assert (await deploy(host, image, plan_digest=plan.digest)).release == 1


async def test_plan_of_a_state_that_has_changed_is_refused(host: InMemoryHost) -> None:
    image = host.good_image("v2")
    plan = (await deploy(host, image, dry_run=True)).plan
    await deploy(host, host.good_image("v1"))
    before = await host.left_behind()
    with pytest.raises(StalePlan):
        await deploy(host, image, plan_digest=plan.digest)
    assert await host.left_behind() == before


@pytest.mark.parametrize(
    ("application", "said"),
    [
        (Application.EXITS, "stopped by itself (exit 1)"),
        (Application.WRONG_PORT, "listens on 9999 inside, not on 8080"),
        (Application.ERRORS, "last: HTTP 500"),
        (Application.MUTE, "last: connection refused"),
    ],
)
async def test_unhealthy_first_release_leaves_nothing(
    host: InMemoryHost, application: Application, said: str
) -> None:
    before = await host.left_behind()
    with pytest.raises(DeployFailed) as caught:
        await deploy(host, host.bad_image(application))
    assert said in str(caught.value)
    assert "release 1 of shop/staging" in str(caught.value)
    assert "nothing was left behind" in str(caught.value)
    assert await host.left_behind() == before
    (release,) = await host.registry.releases(KEY)
    assert release.status is ReleaseStatus.FAILED


async def test_application_that_listens_only_for_itself_is_told_to_listen_for_all(
    host: InMemoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def on_its_own_loopback(_: object) -> tuple[int, ...]:
        return (8080,)

    monkeypatch.setattr(host.runtime, "listening_ports", on_its_own_loopback)
    with pytest.raises(DeployFailed, match=r"must listen on 0\.0\.0\.0"):
        await deploy(host, host.bad_image(Application.MUTE))


async def test_unhealthy_release_never_gets_traffic_and_the_old_one_stays(
    host: InMemoryHost,
) -> None:
    await deploy(host, host.good_image())
    before = await host.left_behind()
    changes = list(host.markers.changes)
    with pytest.raises(DeployFailed, match="release 1 still serves") as caught:
        await deploy(host, host.bad_image(Application.ERRORS))
    assert caught.value.rolled_back is False
    assert host.markers.changes == changes
    assert await host.left_behind() == before


async def test_release_that_fails_only_in_public_is_taken_back(host: InMemoryHost) -> None:
    await deploy(host, host.good_image("v1"))
    before = await host.left_behind()
    host.proxy.down = True
    with pytest.raises(DeployFailed) as caught:
        await deploy(host, host.good_image("v2"))
    assert caught.value.rolled_back is True
    assert (await host.left_behind())["containers"] == before["containers"]
    assert await host.markers.slot(KEY) is Slot.BLUE


async def test_failed_release_shows_its_log_with_secrets_masked(host: InMemoryHost) -> None:
    env = host.folder / "env"
    env.mkdir()
    (env / "shop-staging.env").write_text("API=abcdef-secret\n")
    (env / "shop-staging.env").chmod(0o600)
    log = host.folder / "logs" / "shop-staging"
    log.mkdir(parents=True)
    (log / "r1.log").write_text(
        "2026-01-01T00:00:00.000000000+00:00 stdout F calling with abcdef-secret\n"
        "2026-01-01T00:00:01.000000000+00:00 stderr F password=hunter2secret\n"
    )
    with pytest.raises(DeployFailed) as caught:
        await deploy(host, host.bad_image(Application.EXITS))
    assert caught.value.log_tail == (
        "2026-01-01T00:00:00Z calling with •••",
        "2026-01-01T00:00:01Z password=•••",
    )


async def test_missing_variable_is_named_before_anything_starts(host: InMemoryHost) -> None:
    key = EnvironmentKey(ProjectName("needy"), KEY.environment)
    projects = Projects(host.systems(), lambda: "def")
    needs = (VariableName("DATABASE_URL"),)
    await projects.init(NewProject(key.project, ProjectType.IMAGE, env_vars=needs), "cli:me")
    with pytest.raises(InvalidRequest, match="DATABASE_URL") as caught:
        await deploy(host, host.good_image(), key=key)
    assert "needy-staging.env" in caught.value.hint
    assert host.runtime.starts == []


async def test_env_file_that_others_can_read_is_refused(host: InMemoryHost) -> None:
    env = host.folder / "env"
    env.mkdir()
    (env / "shop-staging.env").write_text("A=b\n")
    (env / "shop-staging.env").chmod(0o644)
    with pytest.raises(InvalidRequest, match="can be read by others"):
        await deploy(host, host.good_image())


async def test_changed_secret_is_a_new_release(host: InMemoryHost) -> None:
    image = host.good_image()
    await deploy(host, image)
    env = host.folder / "env"
    env.mkdir()
    (env / "shop-staging.env").write_text("A=b\n")
    (env / "shop-staging.env").chmod(0o600)
    assert (await deploy(host, image)).release == 2


async def test_unknown_image_is_refused_before_anything_is_written(host: InMemoryHost) -> None:
    before = await host.left_behind()
    with pytest.raises(InvalidRequest, match="no image"):
        await deploy(host, "localhost/none:v1")
    assert await host.left_behind() == before
    assert await host.registry.releases(KEY) == ()


async def test_second_deploy_at_the_same_time_is_told_who_holds_the_lock(
    host: InMemoryHost,
) -> None:
    systems = host.systems()
    async with systems.locks.hold(KEY, "mcp:claude", "deploy localhost/app:v1"):
        with pytest.raises(Locked, match=r"mcp:claude \(deploy localhost/app:v1, since 2026"):
            await deploy(host, host.good_image())
    assert (await deploy(host, host.good_image())).release == 1


async def test_two_deploys_at_once_give_one_release(host: InMemoryHost) -> None:
    image = host.good_image()
    outcomes: list[str] = []

    async def attempt() -> None:
        try:
            await deploy(host, image)
            outcomes.append("deployed")
        except Locked:
            outcomes.append("locked")

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(attempt)
    assert outcomes.count("deployed") >= 1
    assert len(host.runtime.starts) == 1


async def test_cancelled_deploy_is_undone(host: InMemoryHost) -> None:
    before = await host.left_behind()
    with anyio.CancelScope() as scope:

        async def cancel(progress: Progress) -> None:
            if "wait until" in progress.message:
                scope.cancel()

        request = DeployRequest(KEY, ImageReference(host.good_image()), "cli:me")
        await Deployments(host.systems()).deploy(request, cancel)
    assert scope.cancelled_caught
    assert await host.left_behind() == before
    (release,) = await host.registry.releases(KEY)
    assert release.status is ReleaseStatus.FAILED


Break = Callable[[InMemoryHost, pytest.MonkeyPatch], None]


def _break_start(host: InMemoryHost, patch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise SystemFailed("podman fell over")

    patch.setattr(host.runtime, "start", fail)


def _break_route(host: InMemoryHost, patch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise SystemFailed("caddy fell over")

    patch.setattr(host.proxy, "put_route", fail)


def _break_dns(host: InMemoryHost, patch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise HostNotReady("powerdns is down")

    patch.setattr(host.dns, "put", fail)


@pytest.mark.parametrize("breakage", [_break_start, _break_route, _break_dns])
async def test_step_that_fails_undoes_those_before_it(
    host: InMemoryHost, monkeypatch: pytest.MonkeyPatch, breakage: Break
) -> None:
    before = await host.left_behind()
    breakage(host, monkeypatch)
    with pytest.raises(CodebError):
        await deploy(host, host.good_image())
    assert await host.left_behind() == before


@pytest.mark.parametrize("first", [True, False], ids=["first deploy", "later deploy"])
@pytest.mark.parametrize("step", range(8))
async def test_deploy_after_one_that_was_killed_at_any_step_converges(
    host: InMemoryHost, monkeypatch: pytest.MonkeyPatch, step: int, first: bool
) -> None:
    if not first:
        await deploy(host, host.good_image("v0"))
    image = host.good_image("v1")
    with monkeypatch.context() as patch:
        _kill_at(patch, step)
        with contextlib.suppress(Killed):
            await deploy(host, image)
    view = await deploy(host, image)
    assert view.release is not None
    left = await host.left_behind()
    assert len(left["containers"]) == 1  # type: ignore[arg-type]  # a list, by its key
    assert left["ports"] == [3100]
    assert left["routes"] == ["codeb-shop-staging"]
    again = await deploy(host, image)
    assert again.plan.steps == []
    (environment,) = (await host.registry.project(KEY.project)).environments
    assert environment.live is not None
    assert environment.live.slot == await host.markers.slot(KEY)


def _kill_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """End the deploy as its step number `step` begins, without any undo or record."""
    perform = applying._perform
    done = 0

    async def perform_or_die(systems: object, each: Step) -> None:
        nonlocal done
        if done == step:
            raise Killed
        done += 1
        await perform(systems, each)  # type: ignore[arg-type]  # passed on as it came

    async def nothing(*_: object, **__: object) -> None:
        return None

    patch.setattr(applying, "_perform", perform_or_die)
    patch.setattr(applying, "_undo", nothing)
    patch.setattr(deploying, "record_failure", nothing)


async def rollback(host: InMemoryHost, to: str | None = None) -> DeployView:
    return await Deployments(host.systems()).rollback(RollbackRequest(KEY, "cli:me", to))


async def test_rollback_goes_to_the_release_before_and_back_again(host: InMemoryHost) -> None:
    for tag in ("v1", "v2"):
        await deploy(host, host.good_image(tag))
    back = await rollback(host)
    assert (back.release, back.version, back.image) == (3, "v1", "localhost/app:v1")
    forth = await rollback(host)
    assert (forth.release, forth.version) == (4, "v2")


@pytest.mark.parametrize("to", ["1", "v1"])
async def test_rollback_by_number_or_version_runs_that_image(host: InMemoryHost, to: str) -> None:
    first = await deploy(host, host.good_image("v1"))
    await deploy(host, host.good_image("v2"))
    back = await rollback(host, to)
    assert (back.version, back.digest) == ("v1", first.digest)
    (spec,) = host.runtime.specs.values()
    assert spec.image_id == host.images.known["localhost/app:v1"].id


async def test_rollback_skips_a_release_that_never_served(host: InMemoryHost) -> None:
    await deploy(host, host.good_image("v1"))
    with pytest.raises(DeployFailed):
        await deploy(host, host.bad_image(Application.ERRORS))
    await deploy(host, host.good_image("v3"))
    assert (await rollback(host)).version == "v1"
    with pytest.raises(InvalidRequest, match="no release '2' that has served"):
        await rollback(host, "2")


async def test_rollback_to_an_image_that_is_gone_is_refused_and_says_what_is_kept(
    host: InMemoryHost,
) -> None:
    for number in range(1, 6):
        await deploy(host, host.good_image(f"v{number}"))
    before = await host.left_behind()
    with pytest.raises(Refused, match=r"release 1 .* is gone \(kept are those of: 3, 4, 5\)"):
        await rollback(host, "v1")
    assert await host.left_behind() == before


async def test_rollback_refuses_a_kept_name_that_was_moved_to_another_image(
    host: InMemoryHost,
) -> None:
    for tag in ("v1", "v2"):
        await deploy(host, host.good_image(tag))
    host.images.local["localhost/codeb/shop/staging:r1"] = host.images.add("localhost/evil").id
    with pytest.raises(Refused, match="somebody has moved the name") as caught:
        await rollback(host)
    assert caught.value.code == "image_changed"
    assert (await host.left_behind())["containers"] == ["codeb-shop-staging-green"]


async def test_number_comes_before_a_version_that_looks_like_one(host: InMemoryHost) -> None:
    for tag in ("v1", "1", "v3"):
        await deploy(host, host.good_image(tag))
    assert (await rollback(host, "1")).version == "v1"


async def test_rollback_to_a_slot_that_still_runs_is_only_a_switch(host: InMemoryHost) -> None:
    await deploy(host, host.good_image("v1"))
    with pytest.MonkeyPatch.context() as patch:
        _kill_at(patch, 6)  # after the release is recorded, before the old one is stopped
        with pytest.raises(Killed):
            await deploy(host, host.good_image("v2"))
    assert len(host.runtime.specs) == 2
    view = await rollback(host)
    assert (view.release, view.version, view.slot) == (1, "v1", "blue")
    assert len(host.runtime.starts) == 2
    assert (await host.left_behind())["containers"] == ["codeb-shop-staging-blue"]
    assert (await rollback(host)).version == "v2"


async def test_rollback_to_the_release_before_is_decided_when_it_is_its_turn(
    host: InMemoryHost,
) -> None:
    for tag in ("v1", "v2"):
        await deploy(host, host.good_image(tag))
    systems, results = host.systems(), []

    async def wait_and_roll_back() -> None:
        request = RollbackRequest(KEY, "cli:me", wait=60)
        results.append(await Deployments(systems).rollback(request))

    async with (
        anyio.create_task_group() as group,
        systems.locks.hold(KEY, "cli:other", "deploy v3"),
    ):
        group.start_soon(wait_and_roll_back)
        await anyio.wait_all_tasks_blocked()
        await host.registry.mark_live(KEY, 1, Slot.BLUE)
    assert results[0].version == "v2"


async def test_history_names_the_releases_that_can_be_gone_back_to(host: InMemoryHost) -> None:
    projects = Projects(host.systems(), lambda: "abc")
    with pytest.raises(InvalidRequest, match="has no release yet"):
        await projects.history(KEY)
    for number in range(1, 5):
        await deploy(host, host.good_image(f"v{number}"))
    view = await projects.history(KEY)
    assert [(each.number, each.status) for each in view.releases] == [
        (4, "live"),
        (3, "superseded"),
        (2, "superseded"),
        (1, "superseded"),
    ]
    assert view.kept == [2, 3, 4]


async def test_rollback_without_a_release_before_is_refused(host: InMemoryHost) -> None:
    with pytest.raises(InvalidRequest, match="no release before the live one"):
        await rollback(host)


async def test_every_call_is_audited_without_its_secrets(host: InMemoryHost) -> None:
    await deploy(host, host.good_image())
    with pytest.raises(InvalidRequest):
        await deploy(host, "localhost/none:v1")
    await deploy(host, host.good_image(), dry_run=True)
    trail = await host.registry.audit_trail()
    assert [(entry.action, entry.outcome) for entry in trail] == [
        ("deploy", "image_not_found"),
        ("deploy", "ok"),
        ("init_project", "ok"),
    ]


async def test_failing_undo_is_told_and_the_others_still_run(
    host: InMemoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise SystemFailed("podman fell over")

    monkeypatch.setattr(host.runtime, "stop", fail)
    with pytest.raises(DeployFailed, match=r"could not undo: start release 1 .*podman fell over"):
        await deploy(host, host.bad_image(Application.ERRORS))
    left = await host.left_behind()
    assert (left["ports"], left["routes"], left["records"]) == ([], [], [])
