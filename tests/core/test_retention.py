"""Which releases are kept."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from codeb_mcp.domain.host import Observed
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.domain.release import Release, ReleaseStatus
from codeb_mcp.planning.retention import (
    kept_images,
    kept_logs,
    kept_records,
    never_served,
    spare_images,
)

STATUSES = st.sampled_from(list(ReleaseStatus))


def releases(*statuses: ReleaseStatus) -> list[Release]:
    """Newest first."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    count = len(statuses)
    return [
        Release(count - place, "localhost/app", "", "v", Slot.BLUE, status, "cli:me", at)
        for place, status in enumerate(statuses)
    ]


LIVE, OLD, FAILED = ReleaseStatus.LIVE, ReleaseStatus.SUPERSEDED, ReleaseStatus.FAILED


def test_newest_that_served_are_kept() -> None:
    assert kept_images(releases(LIVE, OLD, OLD, OLD), 2) == {4, 3}


def test_failed_ones_take_no_place() -> None:
    assert kept_images(releases(FAILED, LIVE, FAILED, FAILED, OLD), 2) == {4, 1}


def test_live_one_is_kept_however_old_it_is() -> None:
    assert kept_images(releases(OLD, OLD, OLD, LIVE), 2) == {4, 3, 1}


def test_log_of_a_failed_release_is_kept_while_it_is_new() -> None:
    assert kept_logs(releases(FAILED, LIVE, OLD, OLD), 2) == {4, 3, 2}


@given(st.lists(STATUSES, max_size=30), st.integers(2, 10))
def test_whatever_is_kept_includes_the_live_one_and_the_one_before(
    statuses: list[ReleaseStatus], keep: int
) -> None:
    found = releases(*statuses)
    kept = kept_images(found, keep)
    live = [each.number for each in found if each.status is LIVE]
    before = [each.number for each in found if each.status is OLD]
    assert {*live, *before[:1]} <= kept
    assert kept <= {*live, *before}
    assert kept <= kept_logs(found, keep) <= kept_records(found, keep)


def found(*statuses: ReleaseStatus, images: tuple[int, ...]) -> Observed:
    key = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
    return Observed(
        key, 3100, None, Slot.BLUE, releases=tuple(releases(*statuses)), images=frozenset(images)
    )


def test_image_of_a_release_that_never_served_is_spare() -> None:
    there = found(ReleaseStatus.STARTING, LIVE, FAILED, OLD, images=(1, 2, 3, 4))
    assert spare_images(there, keep=5, live=3) == {4, 2}
    assert never_served(there) == {4, 2}


def test_image_that_a_release_takes_over_from_is_kept_and_older_ones_are_spare() -> None:
    there = found(LIVE, OLD, OLD, images=(1, 2, 3))
    assert spare_images(there, keep=2, live=4) == {1, 2}


def test_image_that_the_registry_knows_nothing_of_is_not_spare() -> None:
    assert spare_images(found(LIVE, images=(1, 7)), keep=2, live=1) == set()
