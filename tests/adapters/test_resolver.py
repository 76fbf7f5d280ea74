"""Where a name leads, asked of a name server that answers over UDP on loopback."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from codeb_mcp.adapters import resolver as resolving
from codeb_mcp.adapters.resolver import DnsResolver
from codeb_mcp.domain.domains import Resolution
from codeb_mcp.domain.names import DomainName

RECORDS = {
    ("both.test.", "A"): ["both.test. 60 IN A 192.0.2.2", "both.test. 60 IN A 192.0.2.1"],
    ("both.test.", "AAAA"): ["both.test. 60 IN AAAA 2001:db8::1"],
    ("alias.test.", "A"): [
        "alias.test. 60 IN CNAME target.example.",
        "target.example. 60 IN A 192.0.2.1",
    ],
    ("alias.test.", "AAAA"): ["alias.test. 60 IN CNAME target.example."],
    ("half.test.", "A"): ["half.test. 60 IN A 192.0.2.1"],
}
FAILING = {("half.test.", "AAAA"), ("broken.test.", "A"), ("broken.test.", "AAAA")}
EMPTY = {"empty.test."}


class NameServer(asyncio.DatagramProtocol):
    """Answers from RECORDS; names under `mute.test` get no answer at all."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        asked = (question.name.to_text(), question.rdtype.name)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        for text in RECORDS.get(asked, ()):
            name, ttl, _, kind, content = text.split()
            answer.answer.append(dns.rrset.from_text(name, int(ttl), "IN", kind, content))
        if asked in FAILING:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif asked not in RECORDS and asked[0] not in EMPTY:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        if asked[0] != "mute.test.":
            # asyncio's own is no DatagramTransport by its class
            cast("asyncio.DatagramTransport", self.transport).sendto(answer.to_wire(), addr)


@pytest.fixture
async def resolver() -> AsyncIterator[DnsResolver]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    yield DnsResolver((f"127.0.0.1:{port}",))
    transport.close()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("both.test", Resolution(("192.0.2.1", "192.0.2.2", "2001:db8::1"))),
        ("alias.test", Resolution(("192.0.2.1",), alias=DomainName("target.example"))),
        ("empty.test", Resolution()),
        ("never.test", Resolution(problem="it does not exist")),
    ],
)
async def test_addresses_of_both_kinds_are_found_and_aliases_followed(
    resolver: DnsResolver, name: str, found: Resolution
) -> None:
    answer = await resolver.resolve(DomainName(name))
    assert set(answer.addresses) == set(found.addresses)
    assert (answer.alias, answer.problem) == (found.alias, found.problem)


@pytest.mark.parametrize("name", ["half.test", "broken.test"])
async def test_failure_of_either_kind_is_one_of_the_whole(resolver: DnsResolver, name: str) -> None:
    answer = await resolver.resolve(DomainName(name))
    assert "name servers" in answer.problem
    assert not answer.leads_only_to(("192.0.2.1",))


async def test_resolver_that_does_not_answer_is_told_in_time(
    resolver: DnsResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "SECONDS", 0.3)
    assert "no resolver answered" in (await resolver.resolve(DomainName("mute.test"))).problem
