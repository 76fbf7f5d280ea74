"""What every Proxy does, shown on the one in memory and on the real Caddy."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from codeb_mcp.adapters.caddy import CaddyProxy
from codeb_mcp.adapters.markers import MarkerFiles
from codeb_mcp.adapters.probe import HttpProbe
from codeb_mcp.domain.host import Route
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.errors import Refused
from codeb_mcp.planning.routes import route_json
from codeb_mcp.services.systems import Markers, Proxy
from tests.contracts.applications import application, saying
from tests.contracts.caddy_process import CaddyProcess, caddy
from tests.fakes.network import FakeMarkers, FakeProbe, FakeProxy


def _pair() -> int:
    """A blue port that is free, and its green one too, below those that the system hands out."""
    probe = HttpProbe()
    start = 20_000 + os.getpid() * 7 % 9_000  # so that test runs side by side look elsewhere
    both = (
        port
        for port in range(start, 30_000)
        if probe.port_is_free(Slot.BLUE.port(port)) and probe.port_is_free(Slot.GREEN.port(port))
    )
    return next(both)


SHOP = Route(
    EnvironmentKey(ProjectName("shop"), EnvironmentName("staging")),
    DomainName("staging.shop.localhost"),
    _pair(),
)
BLOG = Route(
    EnvironmentKey(ProjectName("blog"), EnvironmentName("production")),
    DomainName("blog.localhost"),
    9,
)
ALIAS = DomainName("shop.customer.localhost")


class ProxyContract:
    """Inherit and give `proxy` and `markers`; SHOP's slots answer 211 (blue) and 212 (green)."""

    async def test_a_route_that_was_never_written_is_absent(self, proxy: Proxy) -> None:
        assert await proxy.route(SHOP.id) is None

    async def test_a_written_route_is_found_as_it_was_wanted(
        self, proxy: Proxy, markers: Markers
    ) -> None:
        await proxy.put_route(SHOP)
        assert await proxy.route(SHOP.id) == route_json(SHOP, markers.folder())

    async def test_each_route_is_kept_beside_the_others(
        self, proxy: Proxy, markers: Markers
    ) -> None:
        await proxy.put_route(SHOP)
        await proxy.put_route(BLOG)
        await proxy.put_route(SHOP)
        for route in (SHOP, BLOG):
            assert await proxy.route(route.id) == route_json(route, markers.folder())

    async def test_a_changed_route_replaces_the_one_before(
        self, proxy: Proxy, markers: Markers
    ) -> None:
        await proxy.put_route(SHOP)
        moved = replace(SHOP, domain=DomainName("new.shop.localhost"))
        await proxy.put_route(moved)
        assert await proxy.route(SHOP.id) == route_json(moved, markers.folder())

    async def test_a_visitor_reaches_the_slot_that_the_marker_names(
        self, proxy: Proxy, markers: Markers
    ) -> None:
        await proxy.put_route(SHOP)
        assert await proxy.public_status(SHOP.domain, "/", 5) == 211
        await markers.point_to(SHOP.key, Slot.GREEN)
        assert await proxy.public_status(SHOP.domain, "/", 5) == 212
        await markers.point_to(SHOP.key, Slot.BLUE)
        assert await proxy.public_status(SHOP.domain, "/", 5) == 211

    async def test_an_application_that_is_down_is_a_502(self, proxy: Proxy) -> None:
        await proxy.put_route(BLOG)
        assert await proxy.public_status(BLOG.domain, "/", 5) == 502

    async def test_a_restored_route_is_as_it_was_before(self, proxy: Proxy) -> None:
        await proxy.put_route(SHOP)
        before = await proxy.route(SHOP.id)
        await proxy.put_route(replace(SHOP, blue_port=SHOP.blue_port + 1))
        await proxy.restore_route(SHOP.id, before)
        assert await proxy.route(SHOP.id) == before

    async def test_restoring_to_nothing_removes_and_may_be_repeated(self, proxy: Proxy) -> None:
        await proxy.put_route(SHOP)
        await proxy.put_route(BLOG)
        for _ in range(2):
            await proxy.restore_route(SHOP.id, None)
        assert await proxy.route(SHOP.id) is None
        assert await proxy.route(BLOG.id) is not None

    async def test_the_routes_that_stand_are_told(self, proxy: Proxy) -> None:
        assert await proxy.owned() == ()
        await proxy.put_route(SHOP)
        await proxy.put_route(BLOG)
        assert set(await proxy.owned()) == {SHOP.key, BLOG.key}
        await proxy.restore_route(SHOP.id, None)
        assert await proxy.owned() == (BLOG.key,)

    async def test_a_domain_of_another_environment_is_refused_by_name(self, proxy: Proxy) -> None:
        await proxy.put_route(SHOP)
        with pytest.raises(Refused, match=r"codeb-shop-staging") as refusal:
            await proxy.put_route(replace(BLOG, domain=SHOP.domain))
        assert refusal.value.code == "domain_routed_elsewhere"
        assert await proxy.route(BLOG.id) is None

    async def test_a_visitor_of_an_alias_reaches_the_same_slot(
        self, proxy: Proxy, markers: Markers
    ) -> None:
        named = replace(SHOP, aliases=(ALIAS,))
        await proxy.put_route(named)
        assert await proxy.route(SHOP.id) == route_json(named, markers.folder())
        assert await proxy.public_status(ALIAS, "/", 5) == 211
        await markers.point_to(SHOP.key, Slot.GREEN)
        assert await proxy.public_status(ALIAS, "/", 5) == 212
        assert await proxy.public_status(SHOP.domain, "/", 5) == 212

    async def test_an_alias_of_another_environment_is_refused_until_it_is_given_up(
        self, proxy: Proxy
    ) -> None:
        await proxy.put_route(replace(SHOP, aliases=(ALIAS,)))
        await proxy.require_unrouted(ALIAS, SHOP.id)
        with pytest.raises(Refused, match=r"codeb-shop-staging"):
            await proxy.require_unrouted(ALIAS, BLOG.id)
        with pytest.raises(Refused, match=r"codeb-shop-staging"):
            await proxy.put_route(replace(BLOG, aliases=(ALIAS,)))
        await proxy.put_route(SHOP)
        await proxy.put_route(replace(BLOG, aliases=(ALIAS,)))

    async def test_a_port_that_nobody_asks_has_no_request_in_flight(self, proxy: Proxy) -> None:
        await proxy.put_route(SHOP)
        assert await proxy.requests_in_flight(SHOP.port(Slot.BLUE)) == 0
        assert await proxy.requests_in_flight(9) == 0

    def test_a_visitor_is_sent_to_the_domain(self, proxy: Proxy) -> None:
        assert proxy.url(SHOP.domain).startswith("http://staging.shop.localhost:")


class TestFakeProxy(ProxyContract):
    @pytest.fixture
    def markers(self) -> Markers:
        return FakeMarkers()

    @pytest.fixture
    def proxy(self, markers: FakeMarkers) -> Proxy:
        probe = FakeProbe()
        probe.serve(SHOP.port(Slot.BLUE), 211)
        probe.serve(SHOP.port(Slot.GREEN), 212)
        return FakeProxy(markers, probe)


@pytest.fixture(scope="module")
def process() -> Iterator[CaddyProcess]:
    with caddy() as running:
        yield running


class TestCaddyProxy(ProxyContract):
    @pytest.fixture
    def markers(self, tmp_path: Path) -> Markers:
        return MarkerFiles(tmp_path / "live")

    @pytest.fixture
    async def proxy(
        self, process: CaddyProcess, markers: Markers, free_port: Callable[[], int]
    ) -> AsyncIterator[Proxy]:
        process.load(None)
        async with AsyncExitStack() as stack:
            for slot, status in ((Slot.BLUE, 211), (Slot.GREEN, 212)):
                await stack.enter_async_context(application(saying(status), SHOP.port(slot)))
            yield CaddyProxy(
                process.admin,
                http_port=free_port(),
                live_folder=Path(markers.folder()),
                embedded=True,
            )

    async def test_a_route_of_another_codeb_folder_is_a_stranger_s(
        self, proxy: Proxy, process: CaddyProcess, free_port: Callable[[], int], tmp_path: Path
    ) -> None:
        await proxy.put_route(SHOP)
        other = CaddyProxy(
            process.admin, http_port=free_port(), live_folder=tmp_path / "other", embedded=True
        )
        assert await other.owned() == ()
