"""DNS records: parsing, and PowerDNS's words for them."""

import pytest

from codeb_mcp.domain.host import DnsRecord, RecordType
from codeb_mcp.domain.names import DomainName
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.records import from_rrsets, parse_record, records_for, removal, rrset


def test_record_set_replaces_what_was_there() -> None:
    record = parse_record("Shop.Example.com.", "a", "192.0.2.7", 60)
    assert rrset(record) == {
        "name": "shop.example.com.",
        "type": "A",
        "ttl": 60,
        "changetype": "REPLACE",
        "records": [{"content": "192.0.2.7", "disabled": False}],
    }
    assert removal(record.name, record.type)["changetype"] == "DELETE"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("A", "2001:db8::1"),
        ("A", "192.0.2.256"),
        ("A", "example.com"),
        ("A", "192.0.2.1\n"),
        ("AAAA", "192.0.2.1"),
        ("AAAA", "fe80::1%eth0"),
        ("CNAME", "not a name"),
        ("CNAME", "-x.example"),
        ("TXT", "hello"),
        ("", "192.0.2.1"),
    ],
)
def test_content_that_does_not_fit_its_type_is_refused(kind: str, content: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_record("shop.example.com", kind, content, 300)


@pytest.mark.parametrize("ttl", [0, -1, 604_801])
def test_ttl_out_of_range_is_refused(ttl: int) -> None:
    with pytest.raises(InvalidRequest, match="TTL"):
        parse_record("shop.example.com", "A", "192.0.2.1", ttl)


def test_server_addresses_become_a_and_aaaa_records() -> None:
    name = DomainName("shop.example.com")
    assert records_for(name, ("192.0.2.1", "2001:DB8::1"), 300) == (
        DnsRecord(name, RecordType.A, "192.0.2.1", 300),
        DnsRecord(name, RecordType.AAAA, "2001:db8::1", 300),
    )


def test_written_record_is_read_back_as_the_same() -> None:
    for record in (
        parse_record("a.example.com", "A", "192.0.2.1", 60),
        parse_record("a.example.com", "CNAME", "b.example.com.", 60),
    ):
        assert from_rrsets([rrset(record)], record.name) == (record,)
        assert from_rrsets([rrset(record)], DomainName("b.example.com")) == ()
