"""Whatever the names, Caddy's configuration and PowerDNS's records say what codeb meant."""

import json
import re
from typing import Any

import dns.name
from hypothesis import given
from hypothesis import strategies as st

from codeb_mcp.domain.host import Route
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.records import parse_record, removal, rrset
from codeb_mcp.planning.routes import route_json
from tests.injection.hostile import almost_name, hostile, many

PLAIN = DomainName("shop.example")


def shape(value: Any) -> Any:
    """A document with every text in it left out."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value).__name__


def route(project: str, environment: str, domain: str) -> Any:
    key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
    return json.loads(json.dumps(route_json(Route(key, DomainName(domain), 3100), "/srv/live")))


@many
@given(
    st.one_of(st.just("shop"), almost_name),
    st.one_of(st.just("staging"), hostile),
    st.one_of(hostile, almost_name),
)
def test_no_name_adds_anything_to_a_route(project: str, environment: str, domain: str) -> None:
    try:
        found = route(project, environment, domain)
    except InvalidRequest:
        return
    assert shape(found) == shape(route("shop", "staging", PLAIN))
    (host,) = found["match"][0]["host"]
    # neither a wildcard nor one of Caddy's placeholders
    assert re.fullmatch(r"[a-z0-9.-]+", host)
    (inner,) = found["handle"]
    root = inner["routes"][0]["match"][0]["file"]["root"]
    assert re.fullmatch(r"/srv/live/[a-z0-9-]+", root)


@many
@given(st.one_of(hostile, almost_name))
def test_no_domain_is_another_name_to_a_resolver(text: str) -> None:
    try:
        name = DomainName(text)
    except InvalidRequest:
        return
    parsed = dns.name.from_text(name)
    assert [label.decode() for label in parsed.labels] == [*name.split("."), ""]
    assert str(name) == text.removesuffix(".").lower()


@many
@given(
    st.one_of(st.just("shop.example"), almost_name),
    st.sampled_from(["A", "AAAA", "CNAME", "TXT"]),
    st.one_of(hostile, almost_name, st.ip_addresses().map(str)),
    st.integers(-1, 10**6),
)
def test_no_content_is_more_than_one_record(name: str, kind: str, content: str, ttl: int) -> None:
    try:
        record = parse_record(name, kind, content, ttl)
    except InvalidRequest:
        return
    for document in (rrset(record), removal(record.name, record.type)):
        again = json.loads(json.dumps(document))
        assert again == document
        assert re.fullmatch(r"[a-z0-9.-]+\.", again["name"])
    (only,) = rrset(record)["records"]
    assert re.fullmatch(r"[a-z0-9.:-]+", only["content"])
