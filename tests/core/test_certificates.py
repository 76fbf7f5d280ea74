"""Policies by which Caddy gets certificates, among other people's."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeb_mcp.domain.certificate import Certificate
from codeb_mcp.domain.names import DomainName
from codeb_mcp.planning.certificates import POLICY, Authority, renew_interval
from codeb_mcp.planning.servers import (
    Entrance,
    with_renewal,
    with_route,
    without_renewal,
    without_route,
)

ACME = Authority("https://acme.test/dir", "/etc/root.pem", "ops@example.com")
SECURE = Entrance(443, tls=True, plain_port=80, authority=ACME)
SHOP = DomainName("shop.example.com")
START = datetime(2026, 1, 1, tzinfo=UTC)
ISSUER = {
    "module": "acme",
    "ca": "https://acme.test/dir",
    "trusted_roots_pem_files": ["/etc/root.pem"],
    "email": "ops@example.com",
}


def route(name: str, *hosts: str) -> dict[str, Any]:
    return {"@id": f"codeb-{name}-production", "match": [{"host": list(hosts)}]}


def policies(config: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = config["apps"]["tls"]["automation"].get("policies", [])
    return found


def certificate(life: int = 90) -> Certificate:
    return Certificate("1", (SHOP,), "CN=x", START, START + timedelta(days=life))


def test_our_hosts_alone_get_certificates_from_the_authority_of_the_settings() -> None:
    config = with_route(None, route("shop", SHOP, "www.example.com"), SECURE)
    config = with_route(config, route("blog", "blog.example.com", "blog.localhost"), SECURE)
    subjects = ["blog.example.com", SHOP, "www.example.com"]
    assert policies(config) == [{"@id": POLICY, "subjects": subjects, "issuers": [ISSUER]}]


def test_without_settings_of_its_own_caddys_authorities_stay() -> None:
    config = with_route(None, route("shop", SHOP), Entrance(443, tls=True))
    assert policies(config) == []


def test_an_email_address_is_given_to_the_usual_authorities() -> None:
    issuers = Authority(email="ops@example.com").issuers
    assert [each.get("ca", "") for each in issuers] == ["", "https://acme.zerossl.com/v2/DV90"]
    assert {each["email"] for each in issuers} == {"ops@example.com"}


@pytest.mark.parametrize(
    ("host", "directory", "signs"),
    [
        ("shop.example.com", None, True),
        ("shop.localhost", None, False),
        ("shop.localhost", "https://acme.test/dir", False),
        ("shop.internal", None, False),
        ("shop.internal", "https://acme.test/dir", True),
    ],
)
def test_an_authority_is_asked_only_for_names_that_it_can_look_at(
    host: str, directory: str | None, signs: bool
) -> None:
    assert Authority(directory).signs_for(host) is signs


def test_policies_of_others_stay_and_come_after_ours() -> None:
    theirs = [{"subjects": ["theirs.example.com"]}, {"issuers": [{"module": "internal"}]}]
    before: Any = {"apps": {"tls": {"automation": {"policies": theirs}}}}
    config = with_route(before, route("shop", SHOP), SECURE)
    assert policies(config)[1:] == theirs
    assert "renew_interval" not in config["apps"]["tls"]["automation"]
    assert policies(without_route(config, "codeb-shop-production")) == theirs


def test_a_host_that_somebody_elses_policy_names_is_left_to_it() -> None:
    before: Any = {"apps": {"tls": {"automation": {"policies": [{"subjects": [SHOP]}]}}}}
    assert policies(with_route(before, route("shop", SHOP), SECURE)) == [{"subjects": [SHOP]}]


def test_a_renewal_keeps_the_authority_and_a_second_look_changes_nothing() -> None:
    config = with_route(None, route("shop", SHOP, "www.example.com"), SECURE)
    once = with_renewal(config, {SHOP: 0.9})
    renewing, usual = policies(once)
    assert renewing == {
        "@id": f"codeb-renew-{SHOP}",
        "subjects": [SHOP],
        "issuers": [ISSUER],
        "renewal_window_ratio": 0.9,
    }
    assert usual["subjects"] == ["www.example.com"]
    # it is applied until a look shows that nothing is left to change
    assert with_renewal(once, {SHOP: 0.9}) == once
    assert without_renewal(once, [SHOP], SECURE) == config


def test_a_renewal_outlives_a_route_that_is_written_meanwhile() -> None:
    config = with_renewal(with_route(None, route("shop", SHOP), SECURE), {SHOP: 0.9})
    after = with_route(config, route("blog", "blog.example.com"), SECURE)
    assert [each["subjects"] for each in policies(after)] == [["blog.example.com"], [SHOP]]


def test_a_renewal_follows_the_policy_that_applies_where_none_is_ours() -> None:
    internal = {"issuers": [{"module": "internal"}]}
    before: Any = {"apps": {"tls": {"automation": {"policies": [internal]}}}}
    plain = Entrance(443, tls=True)
    config = with_renewal(with_route(before, route("shop", SHOP), plain), {SHOP: 0.9})
    assert policies(config)[0]["issuers"] == internal["issuers"]
    assert policies(without_renewal(config, [SHOP], plain)) == [internal]


@given(st.sampled_from([None, {"apps": {}}, {"apps": {"tls": {}}}]))
def test_the_configuration_given_is_never_changed_itself(before: Any) -> None:
    kept = copy.deepcopy(before)
    config = with_route(before, route("shop", SHOP), SECURE)
    assert before == kept
    kept = copy.deepcopy(config)
    with_renewal(config, {SHOP: 0.5})
    without_route(config, "codeb-shop-production")
    assert config == kept


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("60s", 60), ("10m", 600), ("1h30m", 5400), (90_000_000_000, 90), ("", 600), (None, 600)],
)
def test_how_often_caddy_looks_is_read_in_its_own_words(value: Any, seconds: float) -> None:
    config = {"apps": {"tls": {"automation": {"renew_interval": value}}}}
    assert renew_interval(config) == seconds
    assert renew_interval(None) == 600


@given(st.floats(min_value=0.001, max_value=89.9), st.integers(min_value=2, max_value=4000))
def test_a_renewed_certificate_is_not_due_before_it_is_as_old_as_the_one_before(
    age: float, life: int
) -> None:
    old = certificate(life=max(life, 91))
    now = START + timedelta(days=age)
    share = old.due_share(now)
    assert 0 < share < 1
    assert old.share_left(now) < share
    new = Certificate("2", (SHOP,), "CN=x", now, now + (old.not_after - old.not_before))
    assert new.share_left(now + timedelta(days=age * 0.98)) > share


def test_a_certificate_covers_its_names_and_one_label_below_a_wildcard() -> None:
    found = Certificate("1", ("a.example.com", "*.b.example.com"), "", START, START)
    assert found.covers(DomainName("a.example.com"))
    assert found.covers(DomainName("x.b.example.com"))
    assert not found.covers(DomainName("x.y.b.example.com"))
    assert not found.covers(DomainName("b.example.com"))


def test_days_left_are_whole_ones() -> None:
    assert certificate().days_left(START + timedelta(days=1, hours=1)) == 88
