"""Looking at one environment on every system that a change of it touches."""

from codeb_mcp.domain.host import Observed
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.ports import PortKind, candidates
from codeb_mcp.domain.project import Environment, EnvironmentKey, Project
from codeb_mcp.services.systems import Systems

ALL_RELEASES = 100_000


async def observe(systems: Systems, key: EnvironmentKey, domain: DomainName) -> Observed:
    """The environment as it is now: registry, containers or units, marker, route, records.

    The records are those of `domain` and of the environment's custom domains.
    """
    kind = PortKind.APP
    environment = environment_of(await systems.registry.project(key.project), key)
    allocations = await systems.registry.ports()
    port = next((each.port for each in allocations if (each.key, each.kind) == (key, kind)), None)
    free = None
    if port is None:
        free = await systems.registry.next_free_port(
            kind, candidates(kind, key.environment.kind), systems.probe.port_is_free
        )
    containers = await systems.runtime.observe(key)
    tags = await systems.images.release_tags(key)
    latest = environment.latest.number if environment and environment.latest else 0
    numbers = (latest, *tags, *(seen.release for seen in containers.values()))
    names = names_of(environment, domain)
    records = [record for name in names for record in await systems.dns.records(name)]
    return Observed(
        key=key,
        port=port,
        free_port=free,
        marker=await systems.markers.slot(key),
        containers=containers,
        route=await systems.proxy.route(f"codeb-{key.slug}"),
        records=tuple(records),
        live_release=environment.live if environment else None,
        last_number=max(numbers),
        network=await systems.networks.exists(key),
        volumes=await systems.volumes.of(key),
        jobs=await systems.jobs.installed(key),
        releases=await systems.registry.releases(key, limit=ALL_RELEASES),
        images=frozenset(tags),
    )


def environment_of(project: Project, key: EnvironmentKey) -> Environment | None:
    """The environment, where the project has it."""
    return next((each for each in project.environments if each.key == key), None)


def domain_of(project: Project, key: EnvironmentKey, base: DomainName) -> DomainName:
    """The environment's own domain where it has one, as after an import."""
    environment = environment_of(project, key)
    return environment.domain if environment else key.domain(base)


def names_of(environment: Environment | None, domain: DomainName) -> tuple[DomainName, ...]:
    """`domain`, and the custom domains where there is an environment, whether served or not."""
    added = environment.domains if environment else ()
    return (domain, *(each.name for each in added))
