"""Whether a domain leads to this host, asked before anybody signs a certificate for it.

An authority counts the orders that fail, and after a few of them refuses for hours.
"""

from codeb_mcp.domain.domains import LOOPBACK, Resolution
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.project import Environment
from codeb_mcp.errors import HostNotReady
from codeb_mcp.planning.domains import hosts_of
from codeb_mcp.services.systems import Systems

HERE = Resolution(("127.0.0.1",))


def require_addresses(systems: Systems, domain: DomainName) -> None:
    """Raise HostNotReady when nobody said which addresses are this host's."""
    if not systems.host.addresses and not domain.is_within(LOOPBACK):
        raise HostNotReady(
            f"whether {domain} leads here cannot be told: this host's addresses are not set",
            hint="set addresses (CODEB_ADDRESSES) to this server's public addresses",
            code="addresses_missing",
        )


async def resolution_of(systems: Systems, domain: DomainName) -> Resolution:
    """Where the world is led by `domain`; names below `.localhost` need nobody to be asked."""
    if domain.is_within(LOOPBACK):
        return HERE
    return await systems.resolver.resolve(domain)


def leads_here(systems: Systems, domain: DomainName, found: Resolution) -> bool:
    """Whether everybody who asks for `domain` comes to this host."""
    return domain.is_within(LOOPBACK) or found.leads_only_to(systems.host.addresses)


async def served_domains(
    systems: Systems, environment: Environment | None
) -> tuple[DomainName, ...]:
    """The custom domains to be in the environment's route.

    One that is not in it now, as after an import on another host, is taken up only if it leads
    here.
    """
    active = [each.name for each in environment.domains if each.active] if environment else []
    if environment is None or not active:
        return ()
    routed = hosts_of(await systems.proxy.route(f"codeb-{environment.key.slug}"))
    return tuple(
        [
            domain
            for domain in active
            if str(domain) in routed
            or leads_here(systems, domain, await resolution_of(systems, domain))
        ]
    )
