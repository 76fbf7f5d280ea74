"""The end of an environment, decided as data: first nobody is sent there, then it is taken down."""

from codeb_mcp.domain.host import DnsRecord, Observed
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.plan import (
    Drain,
    ForgetEnvironment,
    Plan,
    PruneImages,
    RemoveRecord,
    RemoveRoute,
    Step,
    StopContainer,
    SwitchSlot,
)
from codeb_mcp.domain.project import Slot
from codeb_mcp.planning.isolation import jobs_end, surroundings_end


def plan_removal(
    domain: DomainName,
    found: Observed,
    ours: tuple[DnsRecord, ...],
    *,
    registered: bool,
    drain_timeout: float,
    with_volumes: bool = False,
    with_databases: bool = False,
    last: bool = False,
    variables: bool = False,
) -> Plan:
    """The steps that leave nothing of the environment; none when nothing is there.

    Of the domain's records only those in `ours` are removed: others were made by somebody else.
    Volumes stay unless `with_volumes`, databases unless `with_databases`; the project's network
    goes with its `last` environment.
    With `variables` there is an env file, which is to go as well.
    """
    key = found.key
    steps: list[Step] = []
    if found.route is not None:
        steps.append(RemoveRoute(key, domain, str(found.route["@id"])))
    steps += [RemoveRecord(record) for record in found.records if record in ours]
    steps += jobs_end(found)
    for slot, seen in sorted(found.containers.items()):
        if seen.running and found.port is not None:
            steps.append(Drain(key, slot, slot.port(found.port), drain_timeout))
        steps.append(StopContainer(key, slot, seen.release))
    if found.marker is Slot.GREEN:
        steps.append(SwitchSlot(key, Slot.BLUE))
    if found.last_number > 0:
        steps.append(PruneImages(key, keep=0, live=0))
    steps += surroundings_end(
        found, with_volumes=with_volumes, with_databases=with_databases, last=last
    )
    if registered or found.port is not None or variables:
        steps.append(ForgetEnvironment(key, variables))
    return Plan(tuple(steps), observed=found.digest)
