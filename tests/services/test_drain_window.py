"""Between the cut-over and the end of the old slot: going back, closing, and being cancelled."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType, Slot
from codeb_mcp.errors import Locked, Refused
from codeb_mcp.services.deployments import Deployments, DeployRequest, RollbackRequest
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.removals import Removals
from codeb_mcp.services.views import DeployView
from tests.fakes.systems import InMemoryHost

KEY = EnvironmentKey(ProjectName("shop"), EnvironmentName("pr-1"))


@dataclass
class Visitors:
    """Requests that the old slot is answering until they are `over`; `seen` when waited for."""

    host: InMemoryHost
    seen: anyio.Event = field(default_factory=anyio.Event)
    over: bool = False

    async def in_flight(self, _port: int) -> int:
        """What Caddy counts."""
        self.seen.set()
        self.host.clock.seconds = 0.0  # the limit is not what ends it here
        await anyio.sleep(0.001)
        return 0 if self.over else 1


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    """Release 1 serves from the blue slot."""
    made = InMemoryHost(tmp_path)
    await Projects(made.systems(), lambda: "abc").init(
        NewProject(KEY.project, ProjectType.IMAGE), "cli:me"
    )
    await deploy(made, "v1")
    return made


@pytest.fixture
def visitors(host: InMemoryHost, monkeypatch: pytest.MonkeyPatch) -> Visitors:
    """Visitors of whatever slot is drained."""
    made = Visitors(host)
    monkeypatch.setattr(host.proxy, "requests_in_flight", made.in_flight)
    return made


async def deploy(host: InMemoryHost, tag: str) -> DeployView:
    """Deploy an image of that tag."""
    request = DeployRequest(KEY, ImageReference(host.good_image(tag)), "cli:me")
    return await Deployments(host.systems()).deploy(request)


async def test_rollback_while_the_old_slot_is_drained_starts_nothing(
    host: InMemoryHost, visitors: Visitors
) -> None:
    views: list[DeployView] = []

    async def deploy_second() -> None:
        views.append(await deploy(host, "v2"))

    async with anyio.create_task_group() as group:
        group.start_soon(deploy_second)
        await visitors.seen.wait()
        started = len(host.runtime.starts)
        rollback = RollbackRequest(KEY, "cli:me")
        group.start_soon(Deployments(host.systems()).rollback, rollback)
        while await host.markers.slot(KEY) is Slot.GREEN:
            await anyio.sleep(0.001)
        visitors.over = True
    (second,) = views
    assert (second.changed, second.release, second.slot) == (True, 2, Slot.GREEN)
    assert len(host.runtime.starts) == started
    live = [each for each in await host.registry.releases(KEY) if each.status == "live"]
    assert [(each.number, each.slot) for each in live] == [(1, Slot.BLUE)]
    assert [spec.release for spec in host.runtime.specs.values()] == [1]


async def test_deploy_while_the_old_slot_is_drained_is_told_who_is_at_it(
    host: InMemoryHost, visitors: Visitors
) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(deploy, host, "v2")
        await visitors.seen.wait()
        with pytest.raises(Locked, match="deploy localhost/app:v2"):
            await deploy(host, "v3")
        visitors.over = True


async def test_deploy_that_is_cancelled_after_its_release_is_live_is_finished(
    host: InMemoryHost, visitors: Visitors
) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(deploy, host, "v2")
        await visitors.seen.wait()
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.01)
            assert len(host.runtime.specs) == 2
            visitors.over = True
    assert [spec.release for spec in host.runtime.specs.values()] == [2]
    assert await host.markers.slot(KEY) is Slot.GREEN
    newest, *_ = await host.registry.audit_trail()
    assert (newest.action, newest.outcome) == ("deploy", "cancelled")
    again = DeployRequest(KEY, ImageReference("localhost/app:v2"), "cli:me")
    assert (await Deployments(host.systems()).deploy(again)).changed is False


async def test_closing_a_preview_does_not_wait_for_its_visitors_of_before(
    host: InMemoryHost, visitors: Visitors
) -> None:
    async def deploy_second() -> None:
        with contextlib.suppress(Refused):  # it may be told that it was closed, or have ended
            await deploy(host, "v2")

    async with anyio.create_task_group() as group:
        group.start_soon(deploy_second)
        await visitors.seen.wait()
        group.start_soon(Removals(host.systems()).close, KEY, "mcp:ci")
        while len(host.runtime.specs) == 2 and await host.proxy.route(f"codeb-{KEY.slug}"):
            await anyio.sleep(0.001)
        visitors.over = True
    assert host.runtime.specs == {}
