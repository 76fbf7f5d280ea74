"""What other hands changed is seen, and mended without a new release."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType, Slot
from codeb_mcp.errors import HostNotReady, InvalidRequest
from codeb_mcp.services.deployments import Deployments, DeployRequest
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.reconciling import ReconcileRequest, Reconciliation
from codeb_mcp.services.views import ReconciledView
from tests.fakes.containers import Application
from tests.fakes.systems import InMemoryHost

KEY = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
GREEN = KEY.container(Slot.GREEN)
ROUTE = f"codeb-{KEY.slug}"


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    """One whose second release is live, in the green slot."""
    made = InMemoryHost(tmp_path, addresses=("192.0.2.1",))
    await Projects(made.systems(), lambda: "abc").init(
        NewProject(KEY.project, ProjectType.IMAGE), "cli:me"
    )
    for tag in ("v1", "v2"):
        request = DeployRequest(KEY, ImageReference(made.good_image(tag)), "cli:me")
        await Deployments(made.systems()).deploy(request)
    return made


async def reconcile(host: InMemoryHost, *, dry_run: bool = False) -> ReconciledView:
    request = ReconcileRequest(KEY.project, "cli:me", dry_run=dry_run)
    (view,) = (await Reconciliation(host.systems()).reconcile(request)).environments
    return view


async def drift_in_status(host: InMemoryHost) -> list[str]:
    status = await Projects(host.systems(), lambda: "abc").status(KEY.project)
    return [each.kind for each in status.environments[0].drift]


def _container_removed(host: InMemoryHost) -> None:
    host.runtime._remove(GREEN)


def _marker_deleted(host: InMemoryHost) -> None:
    host.markers.slots.clear()


def _route_deleted(host: InMemoryHost) -> None:
    host.proxy.routes.pop(ROUTE)


def _route_edited(host: InMemoryHost) -> None:
    host.proxy.routes[ROUTE] = {**host.proxy.routes[ROUTE], "terminal": False}


def _record_deleted(host: InMemoryHost) -> None:
    host.dns.kept.clear()


def _record_edited(host: InMemoryHost) -> None:
    for place, record in host.dns.kept.items():
        host.dns.kept[place] = replace(record, content="203.0.113.9")


def _other_image(host: InMemoryHost) -> None:
    other = host.images.add("localhost/other:v1")
    host.runtime.specs[GREEN] = replace(host.runtime.specs[GREEN], image_id=other.id)


def _old_release_left(host: InMemoryHost) -> None:
    spec = host.runtime.specs[GREEN]
    blue = replace(spec, slot=Slot.BLUE, release=1, host_port=3100)
    host.runtime.specs[blue.name] = blue
    host.runtime.pids[blue.name] = 7


Change = Callable[[InMemoryHost], None]
CHANGES: list[tuple[Change, list[str], list[str]]] = [
    (_container_removed, ["container_gone"], ["StartContainer", "CheckHealth", "CheckPublic"]),
    (_marker_deleted, ["marker_wrong"], ["CheckHealth", "SwitchSlot", "CheckPublic"]),
    (_route_deleted, ["route_missing"], ["CheckHealth", "WriteRoute", "CheckPublic"]),
    (_route_edited, ["route_changed"], ["CheckHealth", "WriteRoute", "CheckPublic"]),
    (_record_deleted, ["record_wrong"], ["PutRecord"]),
    (_record_edited, ["record_wrong"], ["PutRecord"]),
    (_old_release_left, ["left_over"], ["Drain", "StopContainer"]),
]


@pytest.mark.parametrize(("change", "kinds", "steps"), CHANGES)
async def test_change_by_other_hands_is_seen_and_mended_without_a_new_release(
    host: InMemoryHost, change: Change, kinds: list[str], steps: list[str]
) -> None:
    before = await host.left_behind()
    releases = await host.registry.releases(KEY)
    change(host)
    assert await drift_in_status(host) == kinds
    planned = await reconcile(host, dry_run=True)
    assert ([step.kind for step in planned.plan.steps], planned.changed) == (steps, False)
    mended = await reconcile(host)
    assert [each.kind for each in mended.differed] == kinds
    assert ([step.kind for step in mended.plan.steps], mended.changed) == (steps, True)
    assert await host.left_behind() == before
    assert await host.registry.releases(KEY) == releases
    assert await drift_in_status(host) == []


async def test_nothing_that_differs_is_an_empty_plan(host: InMemoryHost) -> None:
    starts = len(host.runtime.starts)
    view = await reconcile(host)
    assert (view.differed, view.plan.steps, view.changed) == ([], [], False)
    assert len(host.runtime.starts) == starts


async def test_everything_at_once_is_mended(host: InMemoryHost) -> None:
    before = await host.left_behind()
    for change in (_container_removed, _marker_deleted, _route_deleted, _record_deleted):
        change(host)
    assert set(await drift_in_status(host)) == {
        "container_gone",
        "marker_wrong",
        "route_missing",
        "record_wrong",
    }
    assert (await reconcile(host)).error == ""
    assert await host.left_behind() == before


async def test_wrong_image_is_replaced_beside_it_while_it_serves(host: InMemoryHost) -> None:
    _other_image(host)
    assert await drift_in_status(host) == ["other_image"]
    assert [step.kind for step in (await reconcile(host)).plan.steps] == [
        "StartContainer",
        "CheckHealth",
        "SwitchSlot",
        "CheckPublic",
        "RecordRelease",
        "Drain",
        "StopContainer",
    ]
    (spec,) = host.runtime.specs.values()
    assert (spec.slot, spec.release) == (Slot.BLUE, 2)
    assert spec.image_id == host.images.known["localhost/app:v2"].id
    assert await drift_in_status(host) == []


async def test_release_that_does_not_start_again_keeps_its_image_and_says_why(
    host: InMemoryHost,
) -> None:
    _container_removed(host)
    image = host.images.known["localhost/app:v2"]
    host.images.applications[image.id] = Application.ERRORS
    view = await reconcile(host)
    assert (view.error_code, view.changed) == ("unhealthy", False)
    assert "release 2 of shop/staging" in view.error
    assert "localhost/codeb/shop/staging:r2" in host.images.local
    host.images.applications[image.id] = Application.HEALTHY
    assert (await reconcile(host)).error == ""


async def test_image_that_is_gone_is_said_to_be(host: InMemoryHost) -> None:
    _container_removed(host)
    host.images.local.pop("localhost/codeb/shop/staging:r2")
    view = await reconcile(host)
    assert view.error_code == "image_gone"
    assert "deploy localhost/app:v2 again" in view.error


async def test_stranger_on_the_slot_s_port_is_named(host: InMemoryHost) -> None:
    _container_removed(host)
    host.probe.taken.add(3400)
    assert await drift_in_status(host) == ["port_taken", "container_gone"]


async def test_what_an_unfinished_first_deploy_left_goes(host: InMemoryHost) -> None:
    spec = host.runtime.specs[GREEN]
    key = EnvironmentKey(KEY.project, EnvironmentName("pr-1"))
    host.runtime.specs["codeb-shop-pr-1-blue"] = replace(
        spec, key=key, slot=Slot.BLUE, host_port=3200
    )
    host.runtime.pids["codeb-shop-pr-1-blue"] = 7
    systems = host.systems()
    await systems.registry.ensure_environment(key, key.domain(systems.host.base_domain))
    request = ReconcileRequest(KEY.project, "cli:me", key.environment)
    (view,) = (await Reconciliation(systems).reconcile(request)).environments
    assert [each.kind for each in view.differed] == ["left_over"]
    assert sorted(host.runtime.specs) == [GREEN]


async def test_environment_that_is_being_changed_is_left_and_the_others_are_mended(
    host: InMemoryHost,
) -> None:
    other = EnvironmentKey(KEY.project, EnvironmentName("production"))
    request = DeployRequest(other, ImageReference(host.good_image("p")), "cli:me")
    systems = host.systems()
    await Deployments(systems).deploy(request)
    host.proxy.routes.clear()
    async with systems.locks.hold(KEY, "mcp:claude", "deploy v3"):
        request_all = ReconcileRequest(KEY.project, "cli:me")
        views = (await Reconciliation(systems).reconcile(request_all)).environments
    assert [(each.environment, each.error_code) for each in views] == [
        ("staging", "locked"),
        ("production", ""),
    ]
    assert list(host.proxy.routes) == ["codeb-shop-production"]


async def test_unknown_environment_is_refused(host: InMemoryHost) -> None:
    request = ReconcileRequest(KEY.project, "cli:me", EnvironmentName("pr-9"))
    with pytest.raises(InvalidRequest, match="has no environment pr-9"):
        await Reconciliation(host.systems()).reconcile(request)


async def test_status_tells_what_it_can_while_dns_is_down(
    host: InMemoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> None:
        raise HostNotReady("PowerDNS does not answer", code="powerdns_down")

    monkeypatch.setattr(host.dns, "records", down)
    status = await Projects(host.systems(), lambda: "abc").status(KEY.project)
    assert status.environments[0].status == "running"
    (told,) = status.environments[0].drift
    assert (told.kind, "PowerDNS does not answer" in told.message) == ("unknown", True)
