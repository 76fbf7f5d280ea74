"""The Dns contract, and what only a real PowerDNS can show."""

from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest
from pydantic import SecretStr

from codeb_mcp.adapters.powerdns import PowerDns
from codeb_mcp.domain.names import DomainName
from codeb_mcp.errors import HostNotReady, SystemFailed
from codeb_mcp.planning.records import parse_record
from codeb_mcp.services.systems import Dns
from codeb_mcp.settings import Settings
from tests.contracts.dns import BASE, DnsContract, record
from tests.system.lab import Server
from tests.system.lab.services import PowerDNS
from tests.system.relay import loopback_of


@pytest.fixture(scope="module")
def settings(server: Server, powerdns: PowerDNS) -> Iterator[Settings]:
    with loopback_of(server, 8081) as port:
        yield Settings(
            home=Path("/nowhere"),
            dns="powerdns",
            base_domain=BASE,
            powerdns_url=f"http://127.0.0.1:{port}",
            powerdns_key=SecretStr(powerdns.api_key),
            addresses=("192.0.2.1", "2001:db8::1"),
        )


def answers(powerdns: PowerDNS, name: str, kind: str) -> list[str]:
    """What PowerDNS itself answers, one record a line, as text."""
    query = dns.message.make_query(name, dns.rdatatype.from_text(kind))
    answer = dns.query.udp(query, powerdns.nameserver, timeout=5)
    return sorted(str(found) for rrset in answer.answer for found in rrset)


class TestPowerDns(DnsContract):
    @pytest.fixture
    def dns(self, settings: Settings) -> Dns:
        return PowerDns(settings)

    async def test_a_record_is_answered_as_soon_as_it_is_put(
        self, dns: Dns, powerdns: PowerDNS
    ) -> None:
        address = record("served", "A", "192.0.2.9")
        assert answers(powerdns, address.name, "A") == []
        await dns.put(address)
        assert answers(powerdns, address.name, "A") == ["192.0.2.9"]

    async def test_a_new_zone_names_its_name_server_and_where_that_is(
        self, dns: Dns, powerdns: PowerDNS
    ) -> None:
        await dns.put(record("first", "A", "192.0.2.9"))
        assert answers(powerdns, BASE, "NS") == [f"ns1.{BASE}."]
        assert answers(powerdns, f"ns1.{BASE}", "A") == ["192.0.2.1"]
        assert answers(powerdns, f"ns1.{BASE}", "AAAA") == ["2001:db8::1"]
        assert answers(powerdns, BASE, "SOA")[0].startswith(f"ns1.{BASE}. hostmaster.{BASE}. ")

    async def test_each_change_raises_the_serial(self, dns: Dns, powerdns: PowerDNS) -> None:
        serials = []
        for last in (1, 2, 3):
            await dns.put(record("serial", "A", f"192.0.2.{last}"))
            serials.append(int(answers(powerdns, BASE, "SOA")[0].split()[2]))
        assert serials == sorted(set(serials))

    async def test_a_record_goes_to_the_longest_zone_that_holds_its_name(
        self, settings: Settings, powerdns: PowerDNS
    ) -> None:
        inner = f"inner.{BASE}"
        for base in (BASE, inner):
            own = PowerDns(settings.model_copy(update={"base_domain": base}))
            await own.put(parse_record(f"www.{base}", "A", "192.0.2.9", 300))
        # Its parent's zone exists by now, so only a zone of its own makes it one: none was made.
        assert answers(powerdns, inner, "SOA") == []
        assert answers(powerdns, f"www.{inner}", "A") == ["192.0.2.9"]

    async def test_a_wrong_key_is_told_without_the_key(self, settings: Settings) -> None:
        wrong = settings.model_copy(update={"powerdns_key": SecretStr("hunter2")})
        with pytest.raises(HostNotReady, match="key") as failure:
            await PowerDns(wrong).records(BASE)
        assert failure.value.code == "powerdns_key_refused"
        assert "hunter2" not in str(failure.value)

    async def test_a_powerdns_that_is_down_is_told_with_how_to_start_it(
        self, settings: Settings
    ) -> None:
        down = settings.model_copy(update={"powerdns_url": "http://127.0.0.1:1"})
        with pytest.raises(HostNotReady, match="connection refused") as failure:
            await PowerDns(down).records(DomainName(f"x.{BASE}"))
        assert failure.value.code == "powerdns_down"
        assert "systemctl start pdns" in failure.value.hint

    async def test_a_server_of_another_name_is_a_failure_in_words(self, settings: Settings) -> None:
        with pytest.raises(SystemFailed, match="Not Found"):
            await PowerDns(settings.model_copy(update={"powerdns_server": "other"})).records(BASE)
