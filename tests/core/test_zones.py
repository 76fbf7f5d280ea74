"""A new zone in PowerDNS's words."""

import pytest

from codeb_mcp.domain.names import DomainName
from codeb_mcp.errors import HostNotReady
from codeb_mcp.planning.zones import new_zone

ZONE = DomainName("example.com")


def rrsets(
    nameservers: tuple[DomainName, ...], addresses: tuple[str, ...]
) -> dict[tuple[str, str], list[str]]:
    return {
        (found["name"], found["type"]): [record["content"] for record in found["records"]]
        for found in new_zone(ZONE, nameservers, addresses)["rrsets"]
    }


def test_a_zone_without_name_servers_of_its_own_gets_one_with_all_addresses() -> None:
    found = rrsets((), ("192.0.2.1", "192.0.2.2", "2001:db8::1"))
    assert found["example.com.", "NS"] == ["ns1.example.com."]
    assert found["ns1.example.com.", "A"] == ["192.0.2.1", "192.0.2.2"]
    assert found["ns1.example.com.", "AAAA"] == ["2001:db8::1"]


def test_name_servers_elsewhere_need_no_address_here() -> None:
    found = rrsets((DomainName("a.dns.net"), DomainName("b.dns.net")), ())
    assert found["example.com.", "NS"] == ["a.dns.net.", "b.dns.net."]
    assert found["example.com.", "SOA"][0].startswith("a.dns.net. hostmaster.example.com. ")
    assert len(found) == 2


def test_a_name_server_that_nobody_could_reach_is_refused() -> None:
    with pytest.raises(HostNotReady, match=r"ns1\.example\.com needs an address") as failure:
        rrsets((), ())
    assert failure.value.code == "addresses_missing"
