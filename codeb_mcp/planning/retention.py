"""Which releases of an environment are kept: their images, their logs, their records."""

from collections.abc import Sequence

from codeb_mcp.domain.release import Release, ReleaseStatus

PROVEN = (ReleaseStatus.LIVE, ReleaseStatus.SUPERSEDED)
"""Only a release that has served can be gone back to."""
RECORDS = 100
"""How many releases an environment's history has at most."""


def kept_images(releases: Sequence[Release], keep: int) -> frozenset[int]:
    """The newest `keep` releases that have served, the live one, and the one before it.

    `releases` are newest first. One that never served is no rollback target, and keeps no image.
    """
    proven = [each for each in releases if each.status in PROVEN]
    live = [each.number for each in proven if each.status is ReleaseStatus.LIVE]
    before = [each.number for each in proven if each.status is not ReleaseStatus.LIVE]
    return frozenset([each.number for each in proven[:keep]] + live + before[:1])


def kept_logs(releases: Sequence[Release], keep: int) -> frozenset[int]:
    """The newest `keep` whatever became of them, and those whose image is kept."""
    return frozenset(each.number for each in releases[:keep]) | kept_images(releases, keep)


def kept_records(releases: Sequence[Release], keep: int) -> frozenset[int]:
    """The newest `RECORDS`, and those whose image is kept."""
    return frozenset(each.number for each in releases[:RECORDS]) | kept_images(releases, keep)
