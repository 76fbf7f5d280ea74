"""A new DNS zone in PowerDNS's words."""

from typing import Any

from codeb_mcp.domain.names import DomainName
from codeb_mcp.errors import HostNotReady
from codeb_mcp.planning.records import records_for

ZONE_TTL = 3600
"""Seconds that the zone's SOA and NS records may be kept; they hardly ever change."""
SOA_TIMES = "10800 3600 604800 3600"
"""Refresh, retry, expire and negative answers, in seconds (RFC 1912)."""


def new_zone(
    zone: DomainName, nameservers: tuple[DomainName, ...], addresses: tuple[str, ...]
) -> dict[str, Any]:
    """The body of `POST /zones`. `nameservers` falls back to `ns1.<zone>`.

    A name server inside the zone gets this server's addresses, without which nobody could reach
    the zone; HostNotReady when there are none. `soa_edit_api` lets each change raise the serial.
    """
    names = nameservers or (DomainName(f"ns1.{zone}"),)
    inside = [name for name in names if name.is_within(zone)]
    if inside and not addresses:
        raise HostNotReady(
            f"the zone {zone} cannot be created: its name server {inside[0]} needs an address",
            hint="set addresses (CODEB_ADDRESSES) to this server's public addresses, or "
            "nameservers (CODEB_NAMESERVERS) to servers outside the zone",
            code="addresses_missing",
        )
    soa = f"{names[0]}. hostmaster.{zone}. 1 {SOA_TIMES}"
    return {
        "name": f"{zone}.",
        "kind": "Native",
        "soa_edit_api": "DEFAULT",
        "nameservers": [],
        "rrsets": [
            _rrset(f"{zone}.", "SOA", soa),
            _rrset(f"{zone}.", "NS", *(f"{name}." for name in names)),
            *(glue for name in inside for glue in _glue(name, addresses)),
        ],
    }


def _rrset(name: str, kind: str, *contents: str) -> dict[str, Any]:
    records = [{"content": content, "disabled": False} for content in contents]
    return {"name": name, "type": kind, "ttl": ZONE_TTL, "records": records}


def _glue(name: DomainName, addresses: tuple[str, ...]) -> list[dict[str, Any]]:
    """One record set per kind of address, each with all of them."""
    contents: dict[str, list[str]] = {}
    for record in records_for(name, addresses, ZONE_TTL):
        contents.setdefault(record.type, []).append(record.content)
    return [_rrset(f"{name}.", kind, *found) for kind, found in contents.items()]
