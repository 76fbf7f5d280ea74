"""Tools for ports and DNS records."""

from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.planning.records import parse_record
from codeb_mcp.services.domains import Domains
from codeb_mcp.services.ports import Ports
from codeb_mcp.services.views import PortView, RecordView
from codeb_mcp.tools.answers import actor_of
from codeb_mcp.tools.deploying import Environment, Project


class PortTool:
    """`allocate_port`."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def allocate_port(
        self,
        ctx: Context,
        project: Project,
        environment: Environment = "staging",
        type: Annotated[  # noqa: A002 - the argument's name is what agents and the registry say
            str, Field(description="app, db or redis")
        ] = "app",
    ) -> PortView:
        """Reserve a port for an environment, or tell the one it has.

        A deploy does this by itself; call it only to know the port beforehand.
        """
        key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
        return await self._ports.allocate(key, PortKind.parse(type), actor_of(ctx))


class DnsTool:
    """`create_dns`."""

    def __init__(self, domains: Domains) -> None:
        self._domains = domains

    async def create_dns(
        self,
        ctx: Context,
        name: Annotated[str, Field(description="full name, such as api.example.com")],
        content: Annotated[str, Field(description="an address, or the target of a CNAME")],
        type: Annotated[  # noqa: A002 - the argument's name is what agents and DNS say
            str, Field(description="A, AAAA or CNAME")
        ] = "A",
        ttl: Annotated[int, Field(description="seconds")] = 300,
    ) -> RecordView:
        """Create or replace a DNS record, and its zone when there is none.

        A deploy makes the record of its own domain by itself.
        """
        return await self._domains.create_record(
            parse_record(name, type, content, ttl), actor_of(ctx)
        )
