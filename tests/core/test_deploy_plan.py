"""A deploy, decided as data: state in, steps out."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from codeb_mcp.domain.host import (
    ContainerState,
    DnsRecord,
    HealthPolicy,
    Observed,
    ObservedContainer,
    RecordType,
    ResolvedImage,
    Route,
    Wanted,
)
from codeb_mcp.domain.names import DomainName, EnvironmentName, HealthPath, ProjectName
from codeb_mcp.domain.plan import Plan, StartContainer, SwitchSlot, WriteRoute
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.domain.release import Release, ReleaseStatus
from codeb_mcp.errors import HostNotReady
from codeb_mcp.planning.deploy import plan_deploy
from codeb_mcp.planning.routes import route_json

KEY = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
DOMAIN = DomainName("staging.shop.localhost")
LIVE = "/srv/live"
RECORD = DnsRecord(DOMAIN, RecordType.A, "192.0.2.1", 300)
ROUTE = route_json(Route(KEY, DOMAIN, 3100), LIVE)
EMPTY = Observed(KEY, port=None, free_port=3100, marker=Slot.BLUE)


def wanted(image: str = "1") -> Wanted:
    return Wanted(
        key=KEY,
        domain=DOMAIN,
        image=ResolvedImage("localhost/app", image * 64, f"sha256:{image * 64}"),
        version="v1",
        health=HealthPolicy(HealthPath("/health")),
        container_port=8080,
        log_folder="/srv/logs",
    )


def kinds(plan: Plan) -> list[str]:
    return [type(step).__name__ for step in plan.steps]


def started(plan: Plan) -> StartContainer:
    return next(step for step in plan.steps if isinstance(step, StartContainer))


def container(plan: Plan) -> ObservedContainer:
    """The container that a plan's start step leaves behind."""
    spec = started(plan).spec
    return ObservedContainer(
        spec.name, spec.slot, spec.release, spec.image_id, spec.digest, ContainerState.RUNNING
    )


def release(number: int, slot: Slot) -> Release:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    status = ReleaseStatus.LIVE
    return Release(number, "localhost/app", "sha256:1", "v1", slot, status, "cli:me", at, at)


def live_in_blue() -> Observed:
    """After a first deploy of image 1."""
    first = container(plan_deploy(wanted("1"), EMPTY, LIVE))
    return Observed(
        KEY,
        port=3100,
        free_port=None,
        marker=Slot.BLUE,
        containers={Slot.BLUE: first},
        route=ROUTE,
        live_release=release(1, Slot.BLUE),
        last_number=1,
        network=True,
    )


def test_first_deploy_is_routed_only_after_its_health_check() -> None:
    plan = plan_deploy(replace(wanted(), records=(RECORD,)), EMPTY, LIVE)
    assert kinds(plan) == [
        "AllocatePort",
        "PutRecord",
        "CreateNetwork",
        "StartContainer",
        "CheckHealth",
        "WriteRoute",
        "CheckPublic",
        "RecordRelease",
    ]
    assert started(plan).spec.slot is Slot.BLUE
    assert started(plan).spec.host_port == 3100


def test_second_deploy_of_same_image_changes_nothing() -> None:
    plan = plan_deploy(wanted("1"), live_in_blue(), LIVE)
    assert not plan
    assert plan.steps == ()


def test_new_image_starts_in_the_idle_slot_and_the_old_one_is_drained_after_the_switch() -> None:
    plan = plan_deploy(wanted("2"), live_in_blue(), LIVE)
    assert kinds(plan) == [
        "StartContainer",
        "CheckHealth",
        "SwitchSlot",
        "CheckPublic",
        "RecordRelease",
        "Drain",
        "StopContainer",
    ]
    assert started(plan).spec.slot is Slot.GREEN
    assert started(plan).spec.host_port == 3400


def test_traffic_is_never_sent_to_a_release_before_its_check() -> None:
    """From every state that a crash can leave, any switch or route comes after a health check."""
    blue = live_in_blue()
    green = container(plan_deploy(wanted("2"), blue, LIVE))
    states = [
        EMPTY,
        replace(EMPTY, marker=Slot.GREEN),
        replace(blue, containers={}),
        replace(blue, route=None),
        replace(blue, route=None, live_release=None),
        replace(blue, containers={**blue.containers, Slot.GREEN: green}),
        replace(blue, containers={Slot.GREEN: green}, marker=Slot.GREEN),
    ]
    for state in states:
        for image in "123":
            names = kinds(plan_deploy(wanted(image), state, LIVE))
            for change in {"SwitchSlot", "WriteRoute"} & set(names):
                assert "CheckHealth" in names[: names.index(change)], (state, names)


def test_deploy_killed_after_the_switch_is_finished_by_the_next() -> None:
    before = live_in_blue()
    green = container(plan_deploy(wanted("2"), before, LIVE))
    found = replace(
        before,
        marker=Slot.GREEN,
        containers={**before.containers, Slot.GREEN: green},
        last_number=2,
    )
    plan = plan_deploy(wanted("2"), found, LIVE)
    assert kinds(plan) == ["RecordRelease", "Drain", "StopContainer"]


def test_deploy_killed_before_the_switch_starts_again_in_the_same_slot() -> None:
    before = live_in_blue()
    green = container(plan_deploy(wanted("2"), before, LIVE))
    found = replace(before, containers={**before.containers, Slot.GREEN: green}, last_number=2)
    plan = plan_deploy(wanted("2"), found, LIVE)
    assert kinds(plan)[:3] == ["StartContainer", "CheckHealth", "SwitchSlot"]
    assert started(plan).spec.slot is Slot.GREEN
    assert started(plan).spec.release == 3


def test_deploy_of_what_serves_removes_what_an_interrupted_one_left_in_the_other_slot() -> None:
    before = live_in_blue()
    green = container(plan_deploy(wanted("2"), before, LIVE))
    found = replace(before, containers={**before.containers, Slot.GREEN: green})
    assert kinds(plan_deploy(wanted("1"), found, LIVE)) == ["Drain", "StopContainer"]


def test_first_deploy_killed_before_its_route_is_not_taken_for_a_healthy_one() -> None:
    started_only = replace(live_in_blue(), route=None, live_release=None)
    plan = plan_deploy(wanted("1"), started_only, LIVE)
    assert kinds(plan)[:2] == ["StartContainer", "CheckHealth"]


def test_route_that_someone_removed_is_written_again_without_a_new_release() -> None:
    plan = plan_deploy(wanted("1"), replace(live_in_blue(), route=None), LIVE)
    assert kinds(plan) == ["CheckHealth", "WriteRoute", "CheckPublic"]


def test_crashed_live_release_is_replaced_in_the_other_slot() -> None:
    before = live_in_blue()
    dead = replace(before.containers[Slot.BLUE], state=ContainerState.EXITED)
    plan = plan_deploy(wanted("1"), replace(before, containers={Slot.BLUE: dead}), LIVE)
    assert started(plan).spec.slot is Slot.GREEN
    assert "Drain" not in kinds(plan)
    assert kinds(plan)[-1] == "StopContainer"


def test_stale_marker_of_a_removed_project_is_corrected_before_the_first_route() -> None:
    plan = plan_deploy(wanted(), replace(EMPTY, marker=Slot.GREEN), LIVE)
    names = kinds(plan)
    assert names.index("SwitchSlot") < names.index("WriteRoute")


def test_only_missing_records_are_written() -> None:
    asked = replace(wanted("1"), records=(RECORD,))
    assert kinds(plan_deploy(asked, live_in_blue(), LIVE)) == ["PutRecord"]
    assert not plan_deploy(asked, replace(live_in_blue(), records=(RECORD,)), LIVE)


@pytest.mark.parametrize(
    "changed",
    [
        replace(wanted("1"), env_digest="x"),
        replace(wanted("1"), command=("run",)),
        replace(wanted("1"), container_port=9000),
        replace(wanted("1"), env=(("A", "b"),)),
    ],
    ids=["secrets", "command", "port", "variables"],
)
def test_changed_configuration_is_a_new_release(changed: Wanted) -> None:
    assert "StartContainer" in kinds(plan_deploy(changed, live_in_blue(), LIVE))


def test_exhausted_ports_are_said_so() -> None:
    with pytest.raises(HostNotReady, match="no app port is left") as caught:
        plan_deploy(wanted(), replace(EMPTY, free_port=None), LIVE)
    assert caught.value.code == "ports_exhausted"


def test_old_images_are_pruned_once_there_are_more_than_are_kept() -> None:
    found = replace(live_in_blue(), last_number=5)
    assert kinds(plan_deploy(wanted("2"), found, LIVE))[-1] == "PruneImages"


def test_plan_digest_names_the_steps_and_the_state() -> None:
    one, again = (plan_deploy(wanted("2"), live_in_blue(), LIVE) for _ in range(2))
    assert one.digest == again.digest
    moved = plan_deploy(wanted("2"), replace(live_in_blue(), marker=Slot.GREEN), LIVE)
    assert moved.digest != one.digest


def test_every_step_is_a_sentence() -> None:
    plan = plan_deploy(replace(wanted("2"), records=(RECORD,)), live_in_blue(), LIVE)
    assert plan.sentences[0] == "set the DNS record staging.shop.localhost A 192.0.2.1 (TTL 300 s)"
    assert all(sentence and sentence[0].islower() for sentence in plan.sentences)


def test_wrong_route_is_replaced_before_the_switch() -> None:
    found = replace(live_in_blue(), route={"@id": "codeb-shop-staging", "handle": []})
    steps = plan_deploy(wanted("2"), found, LIVE).steps
    route = next(i for i, step in enumerate(steps) if isinstance(step, WriteRoute))
    switch = next(i for i, step in enumerate(steps) if isinstance(step, SwitchSlot))
    assert route < switch


def both_run() -> Observed:
    """Release 2 is live in green, and release 1 still runs in blue."""
    blue = live_in_blue()
    green = container(plan_deploy(wanted("2"), blue, LIVE))
    return replace(
        blue,
        marker=Slot.GREEN,
        containers={**blue.containers, Slot.GREEN: green},
        live_release=release(2, Slot.GREEN),
        last_number=2,
    )


def test_rollback_to_a_slot_that_still_runs_starts_nothing() -> None:
    plan = plan_deploy(replace(wanted("1"), back_to=1), both_run(), LIVE)
    assert kinds(plan) == [
        "CheckHealth",
        "SwitchSlot",
        "CheckPublic",
        "RecordRelease",
        "Drain",
        "StopContainer",
    ]
    assert "record release 1 of shop/staging as live in the blue slot" in plan.sentences


def test_deploy_of_what_still_runs_beside_the_live_one_is_a_release_of_its_own() -> None:
    assert started(plan_deploy(wanted("1"), both_run(), LIVE)).spec.release == 3


def test_rollback_with_other_variables_than_the_slot_that_still_runs_starts_anew() -> None:
    changed = replace(wanted("1"), back_to=1, env_digest="other")
    assert started(plan_deploy(changed, both_run(), LIVE)).spec.release == 3
