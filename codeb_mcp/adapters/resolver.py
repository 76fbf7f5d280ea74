"""The world's DNS, asked through the resolvers of the settings or of the system.

dnspython is imported on first use: most commands ask nobody.
"""

from typing import TYPE_CHECKING

import anyio

from codeb_mcp.domain.domains import Resolution
from codeb_mcp.domain.names import DomainName
from codeb_mcp.errors import CodebError
from codeb_mcp.settings import address_and_port

if TYPE_CHECKING:
    import dns.asyncresolver
    import dns.resolver

SECONDS = 5.0
KINDS = ("A", "AAAA")


class DnsResolver:
    """Implements `Resolver`. `servers` are `address` or `address:port`; none: the system's."""

    def __init__(self, servers: tuple[str, ...] = ()) -> None:
        self._servers = servers

    async def resolve(self, domain: DomainName) -> Resolution:
        """Where `domain` leads, its alias followed; never raises.

        Both kinds of address are asked for at once, and a failure of either is one of the whole:
        whoever cannot tell the IPv6 address cannot tell that it leads elsewhere.
        """
        import dns.exception  # noqa: PLC0415 - see above
        import dns.resolver  # noqa: PLC0415 - see above

        answers: list[dns.resolver.Answer] = []
        problems: list[str] = []

        async def ask(kind: str) -> None:
            try:
                answers.append(await resolver.resolve(f"{domain}.", kind, raise_on_no_answer=False))
            except dns.resolver.NXDOMAIN:
                problems.append("it does not exist")
            except dns.resolver.NoNameservers:
                problems.append(f"its name servers give no {kind} record and no reason why not")
            except dns.exception.DNSException:
                problems.append(f"no resolver answered within {SECONDS:g} s")

        try:
            resolver = self._resolver()
        except dns.resolver.NoResolverConfiguration:
            return Resolution(problem="this host has no resolver (see /etc/resolv.conf)")
        async with anyio.create_task_group() as group:
            for kind in KINDS:
                group.start_soon(ask, kind)
        if problems:
            return Resolution(problem=sorted(problems)[0])
        addresses = sorted(str(item) for answer in answers for item in answer.rrset or ())
        return Resolution(tuple(addresses), _alias(domain, answers))

    def _resolver(self) -> "dns.asyncresolver.Resolver":
        import dns.asyncresolver  # noqa: PLC0415 - see above
        import dns.nameserver  # noqa: PLC0415 - see above

        resolver = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            pairs = map(address_and_port, self._servers)
            resolver.nameservers = [dns.nameserver.Do53Nameserver(*pair) for pair in pairs]
        resolver.cache = None
        resolver.lifetime = SECONDS
        return resolver


def _alias(domain: DomainName, answers: "list[dns.resolver.Answer]") -> DomainName | None:
    for answer in answers:
        canonical = answer.canonical_name.to_text(omit_final_dot=True)
        if canonical.lower() != domain:
            try:
                return DomainName(canonical)
            except CodebError:
                return None
    return None
