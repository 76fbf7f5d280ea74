"""The Dns contract on the one in memory, and the one that keeps nothing."""

import pytest

from codeb_mcp.adapters.powerdns import NoDns
from codeb_mcp.domain.host import RecordType
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.systems import Dns
from tests.contracts.dns import BASE, DnsContract, record
from tests.fakes.network import FakeDns


class TestFakeDns(DnsContract):
    @pytest.fixture
    def dns(self) -> Dns:
        return FakeDns(BASE)


async def test_a_host_without_dns_refuses_and_says_how_to_switch_it_on() -> None:
    dns = NoDns()
    address = record("shop", "A", "192.0.2.9")
    assert not dns.managed
    assert await dns.records(address.name) == ()
    assert not await dns.holds(address.name)
    for change in (dns.put(address), dns.remove(address.name, RecordType.A)):
        with pytest.raises(InvalidRequest, match="CODEB_DNS") as refusal:
            await change
        assert refusal.value.code == "dns_not_managed"
