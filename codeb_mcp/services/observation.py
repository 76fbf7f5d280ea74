"""Looking at one environment on every system that a change of it touches."""

from codeb_mcp.domain.host import Observed
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.ports import PortKind, candidates
from codeb_mcp.domain.project import Environment, EnvironmentKey, Project
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.together import at_once

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
    names = names_of(environment, domain)
    async with at_once() as looks:
        containers = looks.create_task(systems.runtime.observe(key))
        tags = looks.create_task(systems.images.release_tags(key))
        records = [looks.create_task(systems.dns.records(name)) for name in names]
        marker = looks.create_task(systems.markers.slot(key))
        route = looks.create_task(systems.proxy.route(f"codeb-{key.slug}"))
        network = looks.create_task(systems.networks.exists(key))
        volumes = looks.create_task(systems.volumes.of(key))
        jobs = looks.create_task(systems.jobs.installed(key))
        releases = looks.create_task(systems.registry.releases(key, limit=ALL_RELEASES))
    latest = environment.latest.number if environment and environment.latest else 0
    numbers = (latest, *tags.result(), *(seen.release for seen in containers.result().values()))
    return Observed(
        key=key,
        port=port,
        free_port=free,
        marker=marker.result(),
        containers=containers.result(),
        route=route.result(),
        records=tuple(record for each in records for record in each.result()),
        live_release=environment.live if environment else None,
        last_number=max(numbers),
        network=network.result(),
        volumes=volumes.result(),
        jobs=jobs.result(),
        releases=releases.result(),
        images=frozenset(tags.result()),
        databases=tuple(
            row.id for row in await systems.databases.rows.list(key.project) if row.id.key == key
        ),
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
