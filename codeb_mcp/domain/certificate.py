"""A certificate as a visitor is shown it."""

from dataclasses import dataclass
from datetime import datetime

from codeb_mcp.domain.names import DomainName


@dataclass(frozen=True, slots=True)
class Certificate:
    """The leaf of a chain. `serial` is in hex; `names` are those it is valid for."""

    serial: str
    names: tuple[str, ...]
    issuer: str
    not_before: datetime
    not_after: datetime

    def covers(self, domain: DomainName) -> bool:
        """Whether it is valid for `domain`, by its name or by a wildcard for its last label."""
        parent = domain.partition(".")[2]
        return str(domain) in self.names or f"*.{parent}" in self.names

    def days_left(self, now: datetime) -> int:
        """Whole days until it ends; negative when it has."""
        return (self.not_after - now).days

    def share_left(self, now: datetime) -> float:
        """How much of its life is left, of 1; negative when it has ended."""
        return (self.not_after - now) / (self.not_after - self.not_before)

    def due_share(self, now: datetime) -> float:
        """The share of its life, counted from its end, in which `now` has just begun.

        A certificate that is renewed when so much of its life is left is due now, and the one that
        comes after it only once it is as old as this one.
        """
        return 1.0 - 0.99 * min(max(1.0 - self.share_left(now), 0.0), 1.0)
