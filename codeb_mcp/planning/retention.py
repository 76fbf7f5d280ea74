"""Which releases of an environment are kept: their images, their logs, their records."""

from collections.abc import Sequence

from codeb_mcp.domain.host import Observed
from codeb_mcp.domain.release import Release, ReleaseStatus

PROVEN = (ReleaseStatus.LIVE, ReleaseStatus.SUPERSEDED)
"""Only a release that has served can be gone back to."""
RECORDS = 100
"""How many releases an environment's history has at most."""


def kept_images(releases: Sequence[Release], keep: int) -> frozenset[int]:
    """The newest `keep` releases that have served, the live one, and the one before it.

    `releases` are newest first. One that never served is no rollback target, and keeps no image.
    """
    proven = [each.number for each in releases if each.status in PROVEN]
    live = [each.number for each in releases if each.status is ReleaseStatus.LIVE]
    return _kept(proven, live, keep)


def spare_images(found: Observed, keep: int, live: int | None) -> frozenset[int]:
    """Whose image is to go, once `live` is the live one: of releases that are not kept.

    What the registry has no record of may be somebody else's, and is never named.
    """
    known = {each.number for each in found.releases}
    proven = {each.number for each in found.releases if each.status in PROVEN}
    live_ones = [] if live is None else [live]
    kept = _kept(sorted(proven.union(live_ones), reverse=True), live_ones, keep)
    return (found.images & known) - kept


def never_served(found: Observed) -> frozenset[int]:
    """The releases that have not served, and whose image is here."""
    return found.images & {each.number for each in found.releases if each.status not in PROVEN}


def _kept(proven: Sequence[int], live: Sequence[int], keep: int) -> frozenset[int]:
    before = [number for number in proven if number not in live]
    return frozenset([*proven[:keep], *live, *before[:1]])


def kept_logs(releases: Sequence[Release], keep: int) -> frozenset[int]:
    """The newest `keep` whatever became of them, and those whose image is kept."""
    return frozenset(each.number for each in releases[:keep]) | kept_images(releases, keep)


def kept_records(releases: Sequence[Release], keep: int) -> frozenset[int]:
    """The newest `RECORDS`, and those whose image is kept."""
    return frozenset(each.number for each in releases[:RECORDS]) | kept_images(releases, keep)
