"""DNS: which records a domain needs, which zone they belong to, and PowerDNS's words for them."""

import ipaddress
import re
from typing import Any

from codeb_mcp.domain.host import DnsRecord, RecordType
from codeb_mcp.domain.names import DomainName, shown
from codeb_mcp.errors import InvalidRequest

MIN_TTL, MAX_TTL = 1, 604_800


def parse_record(name: str, record_type: str, content: str, ttl: int) -> DnsRecord:
    """A record from raw input, its content checked against its type."""
    kind = RecordType.parse(record_type)
    if not MIN_TTL <= ttl <= MAX_TTL:
        raise InvalidRequest(
            f"TTL {ttl} is out of range",
            hint=f"use {MIN_TTL} to {MAX_TTL} seconds",
            code="invalid_ttl",
        )
    return DnsRecord(DomainName(name), kind, _content(kind, content), ttl)


def _content(kind: RecordType, content: str) -> str:
    if kind is RecordType.CNAME:
        return str(DomainName(content))
    version = 4 if kind is RecordType.A else 6
    try:
        address = ipaddress.ip_address(content)
    except ValueError:
        address = None
    if address is None or address.version != version or "%" in content:
        raise InvalidRequest(
            f"{shown(content)} is not an IPv{version} address, which an {kind} record needs",
            hint="use A for IPv4, AAAA for IPv6, CNAME for a name",
            code="invalid_record_content",
        )
    return str(address)


def records_for(domain: DomainName, addresses: tuple[str, ...], ttl: int) -> tuple[DnsRecord, ...]:
    """An A or AAAA record of `domain` for each of the server's addresses."""
    return tuple(
        DnsRecord(
            domain,
            RecordType.AAAA if ":" in address else RecordType.A,
            str(ipaddress.ip_address(address)),
            ttl,
        )
        for address in addresses
    )


def rrset(record: DnsRecord) -> dict[str, Any]:
    """The record as PowerDNS's `PATCH /zones/{zone}` takes it."""
    content = f"{record.content}." if record.type is RecordType.CNAME else record.content
    return {
        "name": f"{record.name}.",
        "type": str(record.type),
        "ttl": record.ttl,
        "changetype": "REPLACE",
        "records": [{"content": content, "disabled": False}],
    }


def removal(name: DomainName, kind: RecordType) -> dict[str, Any]:
    """The removal of a record as PowerDNS takes it."""
    return {"name": f"{name}.", "type": str(kind), "changetype": "DELETE"}


def from_rrsets(rrsets: list[dict[str, Any]], name: DomainName) -> tuple[DnsRecord, ...]:
    """The A, AAAA and CNAME records of `name` among a zone's record sets."""
    kinds = set(RecordType)
    return tuple(
        DnsRecord(name, RecordType(found["type"]), _plain(record["content"]), int(found["ttl"]))
        for found in rrsets
        if re.fullmatch(re.escape(name) + r"\.", found["name"], re.IGNORECASE)
        and found["type"] in kinds
        for record in found["records"]
        if not record.get("disabled")
    )


def _plain(content: str) -> str:
    return content.removesuffix(".")
