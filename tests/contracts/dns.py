"""What every Dns that keeps records does. Inherit and give `dns`, responsible for `BASE`."""

import pytest

from codeb_mcp.domain.host import DnsRecord, RecordType
from codeb_mcp.domain.names import DomainName
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.records import parse_record
from codeb_mcp.services.systems import Dns

BASE = DomainName("contract.example")


def record(name: str, kind: str, content: str, ttl: int = 300) -> DnsRecord:
    """A record of a name within `BASE`."""
    return parse_record(f"{name}.{BASE}", kind, content, ttl)


class DnsContract:
    """Each test uses names of its own, for the server may be shared."""

    async def test_a_name_that_was_never_set_has_no_records(self, dns: Dns) -> None:
        assert await dns.records(DomainName(f"never.{BASE}")) == ()

    async def test_what_is_put_is_found(self, dns: Dns) -> None:
        address = record("found", "A", "192.0.2.9")
        await dns.put(address)
        assert await dns.records(address.name) == (address,)

    async def test_putting_again_replaces(self, dns: Dns) -> None:
        await dns.put(record("again", "A", "192.0.2.9"))
        changed = record("again", "A", "192.0.2.10", ttl=60)
        for _ in range(2):
            await dns.put(changed)
        assert await dns.records(changed.name) == (changed,)

    async def test_records_of_other_types_are_kept(self, dns: Dns) -> None:
        both = {record("both", "A", "192.0.2.9"), record("both", "AAAA", "2001:db8::9")}
        for each in both:
            await dns.put(each)
        name = DomainName(f"both.{BASE}")
        assert set(await dns.records(name)) == both
        await dns.remove(name, RecordType.A)
        assert [found.type for found in await dns.records(name)] == [RecordType.AAAA]

    async def test_an_alias_is_found_without_its_trailing_dot(self, dns: Dns) -> None:
        alias = record("alias", "CNAME", "target.example.net")
        await dns.put(alias)
        assert await dns.records(alias.name) == (alias,)

    async def test_an_alias_beside_other_records_is_refused(self, dns: Dns) -> None:
        address = record("taken", "A", "192.0.2.9")
        await dns.put(address)
        with pytest.raises(InvalidRequest) as refusal:
            await dns.put(record("taken", "CNAME", "target.example.net"))
        assert refusal.value.code == "cname_conflict"
        assert await dns.records(address.name) == (address,)

    async def test_what_is_removed_is_gone_and_may_be_removed_again(self, dns: Dns) -> None:
        address = record("gone", "A", "192.0.2.9")
        await dns.put(address)
        for _ in range(2):
            await dns.remove(address.name, address.type)
        assert await dns.records(address.name) == ()

    async def test_a_name_outside_every_zone_is_refused(self, dns: Dns) -> None:
        with pytest.raises(InvalidRequest) as refusal:
            await dns.put(parse_record("shop.elsewhere.invalid", "A", "192.0.2.9", 300))
        assert refusal.value.code == "no_zone"

    async def test_it_knows_which_names_are_in_a_zone_of_its_own(self, dns: Dns) -> None:
        await dns.put(record("held", "A", "192.0.2.9"))
        assert await dns.holds(BASE)
        assert await dns.holds(DomainName(f"never.{BASE}"))
        assert not await dns.holds(DomainName("shop.elsewhere.invalid"))

    def test_it_says_that_it_keeps_records(self, dns: Dns) -> None:
        assert dns.managed
