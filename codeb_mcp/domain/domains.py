"""Domains that an environment has beside its own, and what the world's DNS says of a name."""

from collections.abc import Collection
from dataclasses import dataclass

from codeb_mcp.domain.names import DomainName

LOOPBACK = DomainName("localhost")
"""Names in here are this machine wherever they are asked for (RFC 6761)."""


@dataclass(frozen=True, slots=True)
class CustomDomain:
    """A further domain of an environment. While it is not `active` it is only written down."""

    name: DomainName
    active: bool

    @property
    def status(self) -> str:
        """`active` or `pending`."""
        return "active" if self.active else "pending"


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where a name leads: its addresses, by way of `alias` where it is one.

    `problem` is why that could not be told, such as `it does not exist`.
    """

    addresses: tuple[str, ...] = ()
    alias: DomainName | None = None
    problem: str = ""

    def leads_only_to(self, ours: Collection[str]) -> bool:
        """Whether every address is one of `ours`, and there is one.

        One that is elsewhere is enough to fail: a certificate authority may ask there.
        """
        return not self.problem and bool(self.addresses) and set(self.addresses) <= set(ours)

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        if not self.addresses:
            return "it has no address"
        by = f", by way of {self.alias}" if self.alias else ""
        return f"it leads to {', '.join(self.addresses)}{by}"
