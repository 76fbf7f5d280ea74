"""Which custom domains may be had, and what serving and dropping one changes."""

from datetime import UTC, datetime

import pytest

from codeb_mcp.domain.domains import CustomDomain, Resolution
from codeb_mcp.domain.host import DnsRecord, RecordType, Route
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import (
    Environment,
    EnvironmentKey,
    Project,
    ProjectConfig,
    ProjectType,
)
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.domains import custom_domain, plan_dropping, plan_serving, require_free
from codeb_mcp.planning.routes import route_json

BASE = DomainName("codeb.dev")
START = datetime(2026, 1, 1, tzinfo=UTC)
LIVE = "/live"
OWN, ADDED = DomainName("shop.codeb.dev"), DomainName("shop.example.com")


def environment(project: str, *added: CustomDomain) -> Environment:
    key = EnvironmentKey(ProjectName(project), EnvironmentName("production"))
    return Environment(key, key.domain(BASE), {PortKind.APP: 3000}, domains=added)


def project(of: Environment) -> Project:
    name = of.key.project
    config = ProjectConfig()
    return Project("p", name, ProjectType.NODE, "", config, START, START, environments=(of,))


SHOP = environment("shop")
BLOG = environment("blog", CustomDomain(DomainName("blog.example.com"), active=False))
PROJECTS = (project(SHOP), project(BLOG))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("*.example.com", "wildcard"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("ü" * 300, "xn--"),
        ("a" * 300, "253 characters"),
        (f"{'a' * 64}.example.com", "253 characters"),
        ("localhost", "whole name"),
        ("192.0.2.1", "address"),
        ("shop.example.com..", "labels"),
        ("", "labels"),
        ("https://shop.example.com/", "labels"),
        ("shop_1.example.com", "labels"),
        ("-shop.example.com", "labels"),
        ("shop.example.com\n", "labels"),
    ],
)
def test_name_that_no_certificate_could_be_had_for_is_refused_with_what_to_do(
    text: str, said: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        custom_domain(text)
    assert refusal.value.code == "invalid_domain"
    assert said in refusal.value.hint
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize("text", ["Shop.Example.COM", "shop.example.com."])
def test_upper_case_and_one_trailing_dot_mean_the_same_name(text: str) -> None:
    assert custom_domain(text) == "shop.example.com"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("blog.example.com", "belongs to blog/production"),
        ("blog.codeb.dev", "belongs to blog/production"),
        ("api.blog.codeb.dev", "belongs to the project blog"),
        ("shop.codeb.dev", "is shop/production's own"),
        ("staging.shop.codeb.dev", "of an environment of shop"),
        ("pr-12.shop.codeb.dev", "of an environment of shop"),
    ],
)
def test_domain_that_is_somebody_elses_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as refusal:
        require_free(DomainName(text), SHOP.key, PROJECTS, BASE)
    assert refusal.value.code == "domain_taken"


@pytest.mark.parametrize(
    "text", ["shop.example.com", "codeb.dev", "api.codeb.dev", "www.shop.codeb.dev", "notcodeb.dev"]
)
def test_domain_that_nobody_has_may_be_had(text: str) -> None:
    require_free(DomainName(text), SHOP.key, PROJECTS, BASE)


@pytest.mark.parametrize(
    ("found", "here"),
    [
        (Resolution(("192.0.2.1",)), True),
        (Resolution(("192.0.2.1", "2001:db8::1")), True),
        (Resolution(("192.0.2.1", "198.51.100.9")), False),
        (Resolution(("192.0.2.1", "2001:db8::9")), False),
        (Resolution(), False),
        (Resolution(("192.0.2.1",), problem="no resolver answered"), False),
    ],
)
def test_one_address_elsewhere_is_enough_not_to_lead_here(found: Resolution, here: bool) -> None:
    assert found.leads_only_to(("192.0.2.1", "2001:db8::1")) is here


def route(*hosts: str) -> dict[str, object]:
    aliases = tuple(DomainName(host) for host in hosts)
    return dict(route_json(Route(SHOP.key, OWN, 3000, aliases), LIVE))


def test_serving_a_domain_writes_the_route_and_then_records_it() -> None:
    plan = plan_serving(SHOP, ADDED, route(), LIVE)
    assert plan.sentences == (
        "route shop.codeb.dev, shop.example.com to 127.0.0.1:3000 (blue) or 127.0.0.1:3300 (green)",
        "record shop.example.com as served by shop/production",
    )


def test_serving_what_is_served_changes_nothing() -> None:
    served = environment("shop", CustomDomain(ADDED, active=True))
    assert plan_serving(served, ADDED, route(ADDED), LIVE).steps == ()


def test_dropping_a_domain_leaves_the_others_and_records_of_somebody_else() -> None:
    other = CustomDomain(DomainName("www.example.com"), active=True)
    served = environment("shop", CustomDomain(ADDED, active=True), other)
    ours = DnsRecord(ADDED, RecordType.A, "192.0.2.1", 300)
    theirs = DnsRecord(ADDED, RecordType.AAAA, "2001:db8::9", 60)
    found = route(ADDED, other.name)
    plan = plan_dropping(served, ADDED, found, (ours, theirs), (ours,))
    assert plan.sentences == (
        "route shop.codeb.dev, www.example.com to 127.0.0.1:3000 (blue) or 127.0.0.1:3300 (green)",
        "remove the DNS record shop.example.com A 192.0.2.1 (TTL 300 s)",
        "take shop.example.com away from shop/production",
    )


def test_dropping_a_pending_domain_leaves_the_route_alone() -> None:
    pending = environment("shop", CustomDomain(ADDED, active=False))
    plan = plan_dropping(pending, ADDED, route(), (), ())
    assert plan.sentences == ("take shop.example.com away from shop/production",)
