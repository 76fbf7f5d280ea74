"""How an environment differs from the registry, asked of the running systems."""

from codeb_mcp.domain.drift import Drift, DriftKind
from codeb_mcp.domain.host import Observed
from codeb_mcp.domain.project import Environment, Slot
from codeb_mcp.errors import HostNotReady, SystemFailed
from codeb_mcp.planning.drift import drift_of
from codeb_mcp.planning.records import records_for
from codeb_mcp.services.observation import observe
from codeb_mcp.services.pointing import served_domains
from codeb_mcp.services.systems import Systems


async def drift(systems: Systems, environment: Environment) -> tuple[Drift, ...]:
    """Every difference. What cannot be asked just now is said, not raised."""
    try:
        return await _drift(systems, environment)
    except (HostNotReady, SystemFailed) as error:
        return (Drift(DriftKind.UNKNOWN, f"could not be compared: {error.message}"),)


async def _drift(systems: Systems, environment: Environment) -> tuple[Drift, ...]:
    key, host = environment.key, systems.host
    found = await observe(systems, key, environment.domain)
    managed = systems.dns.managed and found.live_release is not None
    records = records_for(environment.domain, host.addresses, host.dns_ttl) if managed else ()
    return drift_of(
        found,
        environment.domain,
        records,
        await _image_id(systems, found),
        systems.markers.folder(),
        _taken(systems, found),
        await served_domains(systems, environment),
    )


async def _image_id(systems: Systems, found: Observed) -> str | None:
    """The id of the live release's image, where it is kept."""
    if found.live_release is None:
        return None
    tag = (await systems.images.release_tags(found.key)).get(found.live_release.number)
    image = await systems.images.find(tag) if tag is not None else None
    return image.id if image is not None else None


def _taken(systems: Systems, found: Observed) -> list[int]:
    """The slots' ports on which something listens, though nothing of ours runs there."""
    if found.port is None:
        return []
    running = {slot for slot, seen in found.containers.items() if seen.running}
    idle = (slot.port(found.port) for slot in Slot if slot not in running)
    return [port for port in idle if not systems.probe.port_is_free(port)]
