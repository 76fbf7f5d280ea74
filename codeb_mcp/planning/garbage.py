"""What codeb left on a host that nothing needs any more, decided as data.

Only what is codeb's by its label and its name is looked at in the first place.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.release import Release
from codeb_mcp.domain.tidiness import Belongings, Garbage, GarbageKind
from codeb_mcp.planning.retention import kept_images, kept_logs

ORPHAN = "the registry has no such environment"
OLD = "the release is no longer kept"
UNUSED = "codeb pulled it, and no release that is kept needs it"
PULL_GRACE = timedelta(hours=1)
"""An image that was just pulled may be about to be deployed."""


def garbage_of(
    found: Belongings,
    known: Mapping[EnvironmentKey, Sequence[Release]],
    keep: int,
    now: datetime,
) -> tuple[Garbage, ...]:
    """What to remove. `known` are the registry's environments with their releases, newest first."""
    return (
        *_routes_and_containers(found, known),
        *_markers_and_logs(found, known, keep),
        *_images(found, known, keep),
        *unused_pulls(found, known, keep, now),
    )


def _routes_and_containers(
    found: Belongings, known: Mapping[EnvironmentKey, Sequence[Release]]
) -> Iterator[Garbage]:
    for key in sorted(found.routes, key=str):
        if key not in known:
            yield Garbage(GarbageKind.ROUTE, f"codeb-{key.slug}", ORPHAN, key)
    for key, slot in sorted(found.containers, key=lambda each: (str(each[0]), each[1])):
        if key not in known:
            yield Garbage(GarbageKind.CONTAINER, key.container(slot), ORPHAN, key, slot)


def _markers_and_logs(
    found: Belongings, known: Mapping[EnvironmentKey, Sequence[Release]], keep: int
) -> Iterator[Garbage]:
    for key in sorted(found.markers, key=str):
        if key not in known:
            yield Garbage(GarbageKind.MARKER, str(key), ORPHAN, key)
    for key, numbers in sorted(found.logs.items(), key=lambda item: str(item[0])):
        if key not in known:
            yield Garbage(GarbageKind.LOGS, str(key), ORPHAN, key)
            continue
        for number in sorted(set(numbers) - kept_logs(known[key], keep)):
            yield Garbage(GarbageKind.LOG, f"{key} release {number}", OLD, key, release=number)


def _images(
    found: Belongings, known: Mapping[EnvironmentKey, Sequence[Release]], keep: int
) -> Iterator[Garbage]:
    for image in sorted(found.images, key=lambda each: (str(each.key), each.release)):
        why = OLD if image.key in known else ORPHAN
        if image.release not in kept_images(known.get(image.key, ()), keep):
            yield Garbage(GarbageKind.IMAGE, image.tag, why, image.key, release=image.release)


def unused_pulls(
    found: Belongings,
    known: Mapping[EnvironmentKey, Sequence[Release]],
    keep: int,
    now: datetime,
) -> Iterator[Garbage]:
    """The pulled names that no image of a kept release shares."""
    gone = {each.name for each in _images(found, known, keep)}
    needed = {each.image_id for each in found.images if each.tag not in gone}
    for pulled in found.pulled:
        if pulled.image_id not in needed and pulled.at + PULL_GRACE <= now:
            yield Garbage(
                GarbageKind.PULLED_IMAGE, pulled.reference, UNUSED, image_id=pulled.image_id
            )
