"""Back to what the registry says, decided as data, and without a new release.

The live release goes on where it runs, is started again where it does not, and gets the traffic;
what else of the environment runs is stopped.
"""

from collections.abc import Iterator

from codeb_mcp.domain.host import ContainerSpec, Observed, ObservedContainer, Route, Wanted
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.plan import (
    AllocatePort,
    CheckHealth,
    CheckPublic,
    Plan,
    PutRecord,
    RecordRelease,
    RemoveRoute,
    StartContainer,
    Step,
    StopContainer,
    SwitchSlot,
    WriteRoute,
)
from codeb_mcp.domain.project import Slot
from codeb_mcp.domain.release import Release
from codeb_mcp.planning.deploy import port_for, prune, retire, spec_of, unfinished
from codeb_mcp.planning.drift import is_release
from codeb_mcp.planning.isolation import job_specs, job_steps, surroundings
from codeb_mcp.planning.routes import route_json


def plan_leftovers(found: Observed, domain: DomainName, keep_images: int) -> Plan:
    """The steps for an environment of which nothing is live: what a first deploy left goes."""
    steps: list[Step] = []
    if found.route is not None:
        steps.append(RemoveRoute(found.key, domain, str(found.route["@id"])))
    for slot, seen in sorted(found.containers.items()):
        steps.append(StopContainer(found.key, slot, seen.release))
    steps += prune(found, keep_images, None)
    return Plan(tuple(steps), observed=found.digest)


def plan_reconcile(wanted: Wanted, live: Release, found: Observed, live_folder: str) -> Plan:
    """The steps from `found` to the `live` release as `wanted`; none when nothing differs.

    Raises HostNotReady when no port is left.
    """
    port = port_for(wanted, found)
    route = Route(wanted.key, wanted.domain, port, wanted.aliases)
    routed = found.route == route_json(route, live_folder)
    running = _running(found, live, wanted)
    slot = running.slot if running else _free_slot(found, live)
    spec = spec_of(wanted, port, slot, live.number)

    steps: list[Step] = []
    if found.port is None:
        steps.append(AllocatePort(wanted.key, port))
    steps += [PutRecord(record) for record in wanted.records if record not in found.records]
    steps += surroundings(wanted, found)
    steps += _traffic(wanted, found, spec, route, start=running is None, routed=routed)
    if slot != live.slot or unfinished(found):
        steps.append(RecordRelease(wanted.key, live.number, slot))
    steps += retire(wanted, found.containers.get(slot.other), route)
    steps += prune(found, wanted.keep_images, live.number)
    jobs = job_specs(spec, wanted.jobs, wanted.log_folder)
    steps += job_steps(wanted.key, jobs, found.jobs)
    return Plan(tuple(steps), observed=found.digest)


def _running(found: Observed, live: Release, wanted: Wanted) -> ObservedContainer | None:
    """The live release's container, in either slot, if it runs: first where visitors go."""
    if found.port is None:
        return None
    for slot in (found.marker, found.marker.other):
        seen = found.containers.get(slot)
        if seen is not None and seen.running and is_release(seen, live, wanted.image.id):
            return seen
    return None


def _free_slot(found: Observed, live: Release) -> Slot:
    """Where to start it: not where visitors are being answered by something else."""
    serving = found.containers.get(found.marker)
    if found.route is not None and serving is not None and serving.running:
        return found.marker.other
    return Slot(live.slot)


def _traffic(
    wanted: Wanted,
    found: Observed,
    spec: ContainerSpec,
    route: Route,
    *,
    start: bool,
    routed: bool,
) -> Iterator[Step]:
    pointed = found.marker is spec.slot
    if not start and pointed and routed:
        return
    if start:
        yield StartContainer(spec, again=True)
    yield CheckHealth(spec, wanted.health)
    if not pointed:
        yield SwitchSlot(wanted.key, spec.slot)
    if not routed:
        yield WriteRoute(route)
    yield CheckPublic(wanted.domain, wanted.health)
