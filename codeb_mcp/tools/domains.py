"""Tools for custom domains and their certificates."""

from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.planning.domains import custom_domain
from codeb_mcp.services.certificates import CertificateCare, RenewalRequest
from codeb_mcp.services.custom_domains import CustomDomains, DomainRequest
from codeb_mcp.services.domain_views import (
    DomainRemovalView,
    DomainsView,
    DomainView,
    RenewalView,
)
from codeb_mcp.tools.answers import actor_of
from codeb_mcp.tools.deploying import Project, reporting

Environment = Annotated[str, Field(description="production, staging or pr-N")]
Domain = Annotated[str, Field(description="such as shop.example.com")]


class DomainTools:
    """`add_domain`, `list_domains` and `remove_domain`."""

    def __init__(self, domains: CustomDomains) -> None:
        self._domains = domains

    async def add_domain(
        self,
        ctx: Context,
        project: Project,
        domain: Domain,
        environment: Environment = "production",
        wait: Annotated[int, Field(description="seconds to wait until it leads here")] = 0,
    ) -> DomainView:
        """Serve an environment under a further domain, once that leads to this server.

        Until then it is pending and no certificate is asked for: `next` says which DNS records a
        person must set. Then call again.
        """
        key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
        request = DomainRequest(key, custom_domain(domain), actor_of(ctx), float(wait))
        return await self._domains.add(request, reporting(ctx))

    async def list_domains(self, project: Project) -> DomainsView:
        """A project's domains: where each leads, and until when its certificate is good."""
        return await self._domains.list(ProjectName(project))

    async def remove_domain(
        self,
        ctx: Context,
        project: Project,
        domain: Domain,
        environment: Environment = "production",
        plan_digest: Annotated[
            str | None,
            Field(description="digest of the plan that a person has agreed to"),
        ] = None,
    ) -> DomainRemovalView:
        """Serve an environment under a custom domain no more.

        Without plan_digest it only says what would change: show a person.
        """
        key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
        request = DomainRequest(key, DomainName(domain), actor_of(ctx))
        return await self._domains.remove(request, plan_digest)


class CertificateTool:
    """`renew_certificate`."""

    def __init__(self, certificates: CertificateCare) -> None:
        self._certificates = certificates

    async def renew_certificate(
        self,
        ctx: Context,
        project: Project,
        environment: Environment = "production",
    ) -> RenewalView:
        """Renew certificates now: only when a key may have leaked, for Caddy does it in time."""
        key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
        request = RenewalRequest(key, actor_of(ctx))
        return await self._certificates.renew(request, reporting(ctx))
