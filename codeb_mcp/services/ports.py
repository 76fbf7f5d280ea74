"""Handing out ports and giving them back."""

from codeb_mcp.domain.names import EnvironmentKind
from codeb_mcp.domain.ports import (
    APP_RANGES,
    DB_RANGE,
    REDIS_RANGE,
    SYSTEM_PORTS,
    PortKind,
    candidates,
)
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import InvalidRequest, Refused
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.lifetimes import end_of, preview_limit
from codeb_mcp.services.observation import domain_of
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import PortsView, PortView


class Ports:
    """The ports of this host."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def allocate(self, key: EnvironmentKey, kind: PortKind, actor: str) -> PortView:
        """The port that the environment has for `kind`, reserved now if it had none."""
        systems = self._systems
        async with audited(
            systems,
            actor,
            "allocate_port",
            project=key.project,
            environment=key.environment,
            type=kind,
        ):
            project = await systems.registry.project(key.project)
            # so that the port is in the registry's document, and survives an export
            domain = domain_of(project, key, systems.host.base_domain)
            await systems.registry.ensure_environment(
                key,
                domain,
                expires_at=end_of(systems, project, key),
                preview_limit=preview_limit(systems, key),
            )
            allocation = await systems.registry.allocate_port(
                key, kind, candidates(kind, key.environment.kind), systems.probe.port_is_free
            )
        return PortView.of(allocation)

    async def release(self, key: EnvironmentKey, kind: PortKind, actor: str) -> int:
        """Give an environment's port back. Refused while a container of its still uses it."""
        systems = self._systems
        async with (
            audited(
                systems,
                actor,
                "release_port",
                project=key.project,
                environment=key.environment,
                type=kind,
            ),
            systems.locks.hold(key, actor, "release a port"),
        ):
            await systems.registry.project(key.project)
            await systems.ready()
            if kind is PortKind.APP and await systems.runtime.observe(key):
                raise Refused(
                    f"{key} still runs a container on its port",
                    hint="a port can be released once nothing of the environment runs",
                    code="port_in_use",
                )
            port = await systems.registry.release_port(key, kind)
            if port is None:
                raise InvalidRequest(
                    f"{key} has no {kind} port", hint="see codeb ports", code="no_such_port"
                )
        return port

    async def list(self) -> PortsView:
        """The map, and what is handed out."""
        kinds = {f"app {kind}": str(APP_RANGES[kind]) for kind in EnvironmentKind}
        return PortsView(
            ranges={
                **kinds,
                "app green slots (blue + 300)": "3300-3599",
                "db": str(DB_RANGE),
                "redis": str(REDIS_RANGE),
            },
            system={str(port): use for port, use in SYSTEM_PORTS.items()},
            allocations=[PortView.of(each) for each in await self._systems.registry.ports()],
        )
