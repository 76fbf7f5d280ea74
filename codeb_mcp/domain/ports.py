"""The port map: which ports may be handed out for what.

An application environment is given its blue slot's port; its green slot listens on that port
plus `SLOT_OFFSET`, in the range that the map reserves, so a pair never collides with another.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from codeb_mcp.domain.names import EnvironmentKind, shown
from codeb_mcp.errors import InvalidRequest

SLOT_OFFSET = 300

SYSTEM_PORTS = {
    80: "Caddy (HTTP)",
    443: "Caddy (HTTPS)",
    3001: "Grafana",
    8081: "PowerDNS API",
    9090: "Prometheus",
}
SHARED_PORTS = {5432: "the shared PostgreSQL", 6379: "the shared Redis"}


class PortKind(StrEnum):
    """What a port is for; the word is the key used in the registry's JSON."""

    APP = "app"
    DB = "db"
    REDIS = "redis"

    @classmethod
    def parse(cls, text: str) -> "PortKind":
        """`text` as a kind, or `InvalidRequest` naming those there are."""
        try:
            return cls(text)
        except ValueError:
            raise InvalidRequest(
                f"port type {shown(text)} is not known",
                hint=f"use one of: {', '.join(cls)}",
                code="invalid_port_type",
            ) from None


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports `first` to `last`, both included."""

    first: int
    last: int

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


APP_RANGES = {
    EnvironmentKind.PRODUCTION: PortRange(3000, 3099),
    EnvironmentKind.STAGING: PortRange(3100, 3199),
    EnvironmentKind.PREVIEW: PortRange(3200, 3299),
}
DB_RANGE = PortRange(5433, 5531)
REDIS_RANGE = PortRange(6380, 6478)


def range_for(kind: PortKind, environment: EnvironmentKind) -> PortRange:
    """The range from which `environment` is given a port of `kind`."""
    match kind:
        case PortKind.APP:
            return APP_RANGES[environment]
        case PortKind.DB:
            return DB_RANGE
        case PortKind.REDIS:
            return REDIS_RANGE
        case _:
            assert_never(kind)


def candidates(kind: PortKind, environment: EnvironmentKind) -> tuple[int, ...]:
    """The ports that may be handed out, lowest first, without those of the system."""
    ports = range_for(kind, environment)
    return tuple(
        port
        for port in range(ports.first, ports.last + 1)
        if port not in SYSTEM_PORTS and port not in SHARED_PORTS
    )


def occupied_by(kind: PortKind, port: int) -> tuple[int, ...]:
    """Every port that an allocation takes: both slots of an application, else the port alone."""
    return (port, port + SLOT_OFFSET) if kind is PortKind.APP else (port,)
