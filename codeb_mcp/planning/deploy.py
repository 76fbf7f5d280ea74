"""The way of a deploy, decided as data.

A release always starts in the slot that gets no traffic, is checked there, and is cut over to
only then. Where nothing is routed yet, the route itself is the cut-over and comes after the check.
"""

from collections.abc import Iterator
from dataclasses import replace

from codeb_mcp.domain.host import ContainerSpec, Observed, ObservedContainer, Route, Wanted
from codeb_mcp.domain.plan import (
    AllocatePort,
    CheckHealth,
    CheckPublic,
    Drain,
    Plan,
    PruneImages,
    PutRecord,
    RecordRelease,
    StartContainer,
    Step,
    StopContainer,
    SwitchSlot,
    WriteRoute,
)
from codeb_mcp.domain.ports import PortKind, range_for
from codeb_mcp.domain.project import Slot
from codeb_mcp.domain.release import ReleaseStatus
from codeb_mcp.errors import HostNotReady
from codeb_mcp.planning.isolation import job_specs, job_steps, surroundings
from codeb_mcp.planning.retention import spare_images
from codeb_mcp.planning.routes import route_json


def plan_deploy(wanted: Wanted, found: Observed, live_folder: str) -> Plan:
    """The steps from `found` to `wanted`; none when nothing would change.

    `live_folder` is where the markers are. Raises HostNotReady when no port is left.
    """
    port = port_for(wanted, found)
    route = Route(wanted.key, wanted.domain, port, wanted.aliases)
    routed = found.route == route_json(route, live_folder)
    serving = _serving(found)

    steps: list[Step] = []
    if found.port is None:
        steps.append(AllocatePort(wanted.key, port))
    steps += [PutRecord(record) for record in wanted.records if record not in found.records]
    steps += surroundings(wanted, found)
    release = _spec(wanted, found, port, Slot.BLUE)
    if serving is not None and serving.spec_digest == release.digest:
        steps += _repairs(wanted, found, serving, route, routed=routed)
    elif (standing := _standing_by(wanted, found, port)) is not None:
        steps += _return(wanted, found, standing, route, routed=routed)
    else:
        steps += _replacement(wanted, found, route, routed=routed, serving=serving)
    jobs = job_specs(release, wanted.jobs, wanted.log_folder)
    steps += job_steps(wanted.key, jobs, found.jobs)
    return Plan(tuple(steps), observed=found.digest)


def port_for(wanted: Wanted, found: Observed) -> int:
    """The port that the environment has or would get. Raises HostNotReady when none is left."""
    port = found.port if found.port is not None else found.free_port
    if port is None:
        ports = range_for(PortKind.APP, wanted.key.environment.kind)
        raise HostNotReady(
            f"no app port is left for {wanted.key} in {ports}",
            hint="release one that is not needed: codeb ports, then codeb ports release",
            code="ports_exhausted",
        )
    return port


def _serving(found: Observed) -> ObservedContainer | None:
    """The container that visitors get now.

    One that runs where the marker points was checked before the route was written, or was
    recorded as live; else it is what an interrupted first deploy left, and never proved itself.
    """
    current = found.containers.get(found.marker)
    if current is None or not current.running or found.port is None:
        return None
    live = found.live_release
    proven = found.route is not None or (live is not None and live.number == current.release)
    return current if proven else None


def _standing_by(wanted: Wanted, found: Observed, port: int) -> ObservedContainer | None:
    """The release that a rollback goes to, where it still runs beside the one that serves."""
    idle = found.containers.get(found.marker.other)
    if idle is None or not idle.running or idle.release != wanted.back_to:
        return None
    return idle if idle.spec_digest == _spec(wanted, found, port, idle.slot).digest else None


def _return(
    wanted: Wanted, found: Observed, standing: ObservedContainer, route: Route, *, routed: bool
) -> Iterator[Step]:
    """Back to a release that still runs: nothing is started, and it keeps its number."""
    spec = _spec(wanted, found, route.blue_port, standing.slot)
    yield CheckHealth(replace(spec, release=standing.release), wanted.health)
    yield SwitchSlot(wanted.key, standing.slot)
    if not routed:
        yield WriteRoute(route)
    yield CheckPublic(wanted.domain, wanted.health)
    yield RecordRelease(wanted.key, standing.release, standing.slot)
    yield from retire(wanted, found.containers.get(standing.slot.other), route)
    yield from prune(found, wanted.keep_images, standing.release)


def retire(wanted: Wanted, old: ObservedContainer | None, route: Route) -> Iterator[Step]:
    """What no longer serves finishes its requests, and goes."""
    if old is not None:
        if old.running:
            yield Drain(wanted.key, old.slot, route.port(old.slot), wanted.drain_timeout)
        yield StopContainer(wanted.key, old.slot, old.release)


def prune(found: Observed, keep: int, live: int | None) -> Iterator[Step]:
    """Images that are not kept once `live` is the live release, as those that never served, go."""
    if spare_images(found, keep, live):
        yield PruneImages(found.key, keep, live or 0)


def _replacement(
    wanted: Wanted,
    found: Observed,
    route: Route,
    *,
    routed: bool,
    serving: ObservedContainer | None,
) -> Iterator[Step]:
    """A new release in the idle slot, and the old one out of the way afterwards."""
    unused = serving is None and found.route is None
    slot = Slot.BLUE if unused else found.marker.other
    spec = _spec(wanted, found, route.blue_port, slot)
    idle, live = found.containers.get(slot), found.live_release
    if idle is not None and live is not None and idle.running and idle.release < live.number:
        # a rollback has ended the draining of what served before: it may still be answering
        yield Drain(wanted.key, slot, spec.host_port, wanted.drain_timeout)
    yield StartContainer(spec)
    yield CheckHealth(spec, wanted.health)
    if serving is not None and not routed:
        yield WriteRoute(route)
    if found.marker is not slot:
        yield SwitchSlot(wanted.key, slot)
    if serving is None and not routed:
        yield WriteRoute(route)
    yield CheckPublic(wanted.domain, wanted.health)
    yield RecordRelease(wanted.key, spec.release, slot)
    yield from retire(wanted, found.containers.get(slot.other), route)
    # the logs and records of releases that failed go with the images
    if found.last_number >= wanted.keep_images:
        yield PruneImages(wanted.key, wanted.keep_images, spec.release)
    else:
        yield from prune(found, wanted.keep_images, spec.release)


def _repairs(
    wanted: Wanted,
    found: Observed,
    serving: ObservedContainer,
    route: Route,
    *,
    routed: bool,
) -> Iterator[Step]:
    """What an interrupted deploy, or someone else's hand, left undone around a good release."""
    if not routed:
        spec = _spec(wanted, found, route.blue_port, serving.slot)
        yield CheckHealth(replace(spec, release=serving.release), wanted.health)
        yield WriteRoute(route)
        yield CheckPublic(wanted.domain, wanted.health)
    recorded = found.live_release is not None and found.live_release.number == serving.release
    if not recorded or unfinished(found):
        yield RecordRelease(wanted.key, serving.release, serving.slot)
    yield from retire(wanted, found.containers.get(serving.slot.other), route)
    yield from prune(found, wanted.keep_images, serving.release)


def unfinished(found: Observed) -> bool:
    """Whether a release is said to be starting, which nobody starts any more."""
    return any(each.status is ReleaseStatus.STARTING for each in found.releases)


def _spec(wanted: Wanted, found: Observed, port: int, slot: Slot) -> ContainerSpec:
    return spec_of(wanted, port, slot, found.last_number + 1)


def spec_of(wanted: Wanted, port: int, slot: Slot, number: int) -> ContainerSpec:
    """The container that runs release `number` as wanted, in that slot of the ports at `port`."""
    key = wanted.key
    return ContainerSpec(
        key=key,
        slot=slot,
        release=number,
        image=f"localhost/codeb/{key.project}/{key.environment}:r{number}",
        image_id=wanted.image.id,
        host_port=slot.port(port),
        container_port=wanted.container_port,
        env=(("PORT", str(wanted.container_port)), *wanted.env),
        env_file=wanted.env_file,
        env_digest=wanted.env_digest,
        command=wanted.command,
        log_path=f"{wanted.log_folder}/r{number}.log",
        stop_timeout=wanted.stop_timeout,
        home=wanted.home,
        confinement=wanted.confinement,
        network=wanted.key.network,
    )
