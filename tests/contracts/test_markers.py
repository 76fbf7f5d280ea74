"""What every Markers does, shown on the one in memory and on real files."""

import os
from pathlib import Path

import pytest

from codeb_mcp.adapters.markers import MarkerFiles
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.services.systems import Markers
from tests.fakes.network import FakeMarkers

SHOP = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
OTHER = EnvironmentKey(ProjectName("shop"), EnvironmentName("production"))


class MarkersContract:
    """Inherit and give a `markers` fixture."""

    async def test_an_environment_that_nobody_pointed_serves_blue(self, markers: Markers) -> None:
        assert await markers.slot(SHOP) is Slot.BLUE

    async def test_traffic_goes_where_it_was_pointed_last(self, markers: Markers) -> None:
        for slot in (Slot.GREEN, Slot.BLUE, Slot.GREEN):
            await markers.point_to(SHOP, slot)
            assert await markers.slot(SHOP) is slot

    async def test_pointing_twice_is_the_same_as_once(self, markers: Markers) -> None:
        for slot in (Slot.GREEN, Slot.GREEN, Slot.BLUE, Slot.BLUE):
            await markers.point_to(SHOP, slot)
        assert await markers.slot(SHOP) is Slot.BLUE

    async def test_environments_do_not_share_a_marker(self, markers: Markers) -> None:
        await markers.point_to(SHOP, Slot.GREEN)
        assert await markers.slot(OTHER) is Slot.BLUE

    async def test_a_forgotten_marker_leaves_nothing(self, markers: Markers) -> None:
        await markers.point_to(SHOP, Slot.GREEN)
        await markers.point_to(OTHER, Slot.GREEN)
        assert set(await markers.owned()) == {SHOP, OTHER}
        for _ in range(2):
            await markers.forget(SHOP)
        assert await markers.owned() == (OTHER,)
        assert await markers.slot(SHOP) is Slot.BLUE

    def test_the_folder_is_an_absolute_path(self, markers: Markers) -> None:
        assert markers.folder().startswith("/")


class TestFakeMarkers(MarkersContract):
    @pytest.fixture
    def markers(self) -> Markers:
        return FakeMarkers()


class TestMarkerFiles(MarkersContract):
    @pytest.fixture
    def markers(self, tmp_path: Path) -> Markers:
        return MarkerFiles(tmp_path / "home" / "live")

    @pytest.mark.usefixtures("umask_077")
    async def test_another_account_can_read_the_marker_whatever_the_umask(
        self, markers: Markers
    ) -> None:
        await markers.point_to(SHOP, Slot.GREEN)
        folder = Path(markers.folder())
        modes = [oct(path.stat().st_mode & 0o777) for path in (folder, folder / "shop-staging")]
        assert modes == ["0o755", "0o755"]
        assert (folder / "shop-staging" / "green").stat().st_mode & 0o777 == 0o644

    async def test_a_switch_leaves_nothing_but_the_marker(self, markers: Markers) -> None:
        await markers.point_to(SHOP, Slot.GREEN)
        assert os.listdir(f"{markers.folder()}/shop-staging") == ["green"]  # noqa: PTH208 - async
