"""Compares what was found with what the registry says, without deciding what to do about it."""

from collections.abc import Iterator, Sequence

from codeb_mcp.domain.drift import Drift, DriftKind
from codeb_mcp.domain.host import DnsRecord, Observed, ObservedContainer, Route
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.project import Slot
from codeb_mcp.domain.release import Release
from codeb_mcp.planning.retention import never_served
from codeb_mcp.planning.routes import route_json


def drift_of(
    found: Observed,
    domain: DomainName,
    records: Sequence[DnsRecord],
    image_id: str | None,
    live_folder: str,
    taken: Sequence[int],
    aliases: tuple[DomainName, ...] = (),
) -> tuple[Drift, ...]:
    """Every difference; none when all is as the registry says.

    `records` are those that should be there, `image_id` is the live release's where its image is
    kept, and `taken` are the slots' ports that a stranger holds. `aliases` are the custom
    domains that are served.
    """
    live = found.live_release
    if live is None:
        return tuple(_leftovers(found, None))
    slot = Slot(live.slot)
    return (
        *_container(found, live, slot, image_id, taken),
        *_traffic(found, domain, aliases, slot, live_folder),
        *_records(found, records),
        *_leftovers(found, slot),
    )


def is_release(seen: ObservedContainer, live: Release, image_id: str | None) -> bool:
    """Whether a container is the one that the registry calls live.

    An import does not know the release's number; without its image there is none to compare.
    """
    same_number = seen.release == live.number or not live.digest
    return same_number and image_id in (None, seen.image_id)


def _container(
    found: Observed, live: Release, slot: Slot, image_id: str | None, taken: Sequence[int]
) -> Iterator[Drift]:
    if found.port is None:
        yield Drift(DriftKind.PORT_MISSING, f"{found.key} has a live release but no port")
        return
    seen, port = found.containers.get(slot), slot.port(found.port)
    name = found.key.container(slot)
    if (seen is None or not seen.running) and port in taken:
        yield Drift(DriftKind.PORT_TAKEN, f"port {port} of the {slot} slot is held by a stranger")
    if seen is None:
        yield Drift(
            DriftKind.CONTAINER_GONE, f"{name} is gone, which should run release {live.number}"
        )
    elif not seen.running:
        code = "" if seen.exit_code is None else f" (exit {seen.exit_code})"
        yield Drift(DriftKind.CONTAINER_STOPPED, f"{name} does not run{code}")
    elif not is_release(seen, live, None):
        yield Drift(
            DriftKind.OTHER_RELEASE,
            f"{name} runs release {seen.release}, and {live.number} is the live one",
        )
    elif not is_release(seen, live, image_id):
        yield Drift(
            DriftKind.OTHER_IMAGE,
            f"{name} runs image {seen.image_id[:12]}, and release {live.number} is "
            f"{(image_id or '')[:12]}",
        )


def _traffic(
    found: Observed,
    domain: DomainName,
    aliases: tuple[DomainName, ...],
    slot: Slot,
    live_folder: str,
) -> Iterator[Drift]:
    if found.marker is not slot:
        yield Drift(
            DriftKind.MARKER_WRONG,
            f"the marker sends visitors to the {found.marker} slot, and {slot} is live",
        )
    if found.route is None:
        yield Drift(DriftKind.ROUTE_MISSING, f"Caddy has no route for {domain}")
    elif found.port is not None:
        wanted = route_json(Route(found.key, domain, found.port, aliases), live_folder)
        if found.route != wanted:
            yield Drift(
                DriftKind.ROUTE_CHANGED, f"Caddy's route for {domain} is not as codeb wrote it"
            )


def _records(found: Observed, records: Sequence[DnsRecord]) -> Iterator[Drift]:
    for record in records:
        if record not in found.records:
            there = [str(each) for each in found.records if each.type is record.type]
            yield Drift(
                DriftKind.RECORD_WRONG,
                f"DNS should say {record}, and says {', '.join(there) or 'nothing'}",
            )


def _leftovers(found: Observed, live: Slot | None) -> Iterator[Drift]:
    for slot, seen in sorted(found.containers.items()):
        if slot is not live:
            yield Drift(
                DriftKind.LEFT_OVER,
                f"{seen.name} is left of release {seen.release}, which is not live",
            )
    for number in sorted(never_served(found)):
        yield Drift(
            DriftKind.LEFT_OVER, f"the image of release {number} is left, which never served"
        )
    if live is None and found.route is not None:
        yield Drift(DriftKind.LEFT_OVER, f"Caddy routes {found.key}, of which nothing is live")
