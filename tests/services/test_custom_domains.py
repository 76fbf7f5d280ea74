"""Custom domains and certificates over in-memory systems."""

from pathlib import Path

import pytest

from codeb_mcp.domain.domains import Resolution
from codeb_mcp.domain.host import DnsRecord, RecordType
from codeb_mcp.domain.names import DomainName, EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import (
    CodebError,
    DeployFailed,
    HostNotReady,
    InvalidRequest,
    Locked,
    Refused,
    StalePlan,
    SystemFailed,
)
from codeb_mcp.services.certificates import CertificateCare, RenewalRequest
from codeb_mcp.services.custom_domains import CustomDomains, DomainRequest
from codeb_mcp.services.deployments import Deployments, DeployRequest
from codeb_mcp.services.domain_views import DomainView
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.removals import RemovalRequest, Removals
from tests.fakes.systems import InMemoryHost

SHOP = EnvironmentKey(ProjectName("shop"), EnvironmentName("production"))
BLOG = EnvironmentKey(ProjectName("blog"), EnvironmentName("production"))
HERE, ELSEWHERE = Resolution(("192.0.2.1",)), Resolution(("198.51.100.9",))
DOMAIN = DomainName("shop.example.com")


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    """One on which two projects serve, with TLS on."""
    made = InMemoryHost(tmp_path, addresses=("192.0.2.1",))
    made.certificates.kept = True
    made.dns.base = DomainName("zone.test")
    made.dns.managed = False
    ids = ["one", "two"]
    for key in (SHOP, BLOG):
        new = NewProject(key.project, ProjectType.IMAGE)
        await Projects(made.systems(), ids.pop).init(new, "cli:me")
        await deploy(made, key)
    return made


async def deploy(host: InMemoryHost, key: EnvironmentKey = SHOP) -> int:
    image = ImageReference(host.good_image(str(host.images.made)))
    view = await Deployments(host.systems()).deploy(DeployRequest(key, image, "cli:me"))
    return len(view.plan.steps)


async def add(
    host: InMemoryHost, domain: str = DOMAIN, key: EnvironmentKey = SHOP, wait: float = 0
) -> DomainView:
    request = DomainRequest(key, DomainName(domain), "cli:me", wait)
    return await CustomDomains(host.systems()).add(request)


async def remove(host: InMemoryHost, domain: str = DOMAIN) -> None:
    request = DomainRequest(SHOP, DomainName(domain), "cli:me")
    domains = CustomDomains(host.systems())
    await domains.remove(request, (await domains.remove(request)).plan_digest)


def routed(host: InMemoryHost, key: EnvironmentKey = SHOP) -> list[str]:
    return [str(name) for name in host.proxy.wanted[f"codeb-{key.slug}"].hosts]


async def added(host: InMemoryHost) -> dict[str, str]:
    project = await host.registry.project(SHOP.project)
    return {str(each.name): each.status for each in project.environments[0].domains}


async def test_domain_that_leads_here_is_routed_recorded_and_certified(host: InMemoryHost) -> None:
    host.resolver.answers[DOMAIN] = HERE
    view = await add(host)
    assert (view.status, view.leads_here, view.next) == ("active", True, "")
    assert view.certificate_until is not None
    assert routed(host) == ["shop.localhost", DOMAIN]
    assert await added(host) == {DOMAIN: "active"}


async def test_adding_it_again_changes_nothing(host: InMemoryHost) -> None:
    host.resolver.answers[DOMAIN] = HERE
    await add(host)
    writes = host.proxy.writes
    await add(host)
    assert host.proxy.writes == writes


@pytest.mark.parametrize("found", [ELSEWHERE, Resolution(problem="it does not exist")])
async def test_domain_that_does_not_lead_here_is_pending_and_nothing_is_ordered(
    host: InMemoryHost, found: Resolution
) -> None:
    host.resolver.answers[DOMAIN] = found
    writes = host.proxy.writes
    view = await add(host)
    assert (view.status, view.leads_here) == ("pending", False)
    assert "A 192.0.2.1" in view.next
    assert f"codeb domain add shop {DOMAIN} --env production" in view.next
    assert host.proxy.writes == writes
    assert DOMAIN not in host.certificates.ordered
    assert await added(host) == {DOMAIN: "pending"}
    await deploy(host)
    assert DOMAIN not in routed(host)


async def test_waiting_takes_it_up_as_soon_as_it_leads_here(host: InMemoryHost) -> None:
    host.resolver.answers[DOMAIN] = ELSEWHERE
    host.resolver.later[DOMAIN] = (3, HERE)
    view = await add(host, wait=60)
    assert view.status == "active"
    assert 15 <= host.clock.seconds < 60


async def test_other_calls_go_on_while_one_waits(host: InMemoryHost) -> None:
    async def resolve(domain: DomainName) -> Resolution:
        async with host.systems().locks.hold(SHOP, "cli:other", "deploy"):
            return HERE

    host.resolver.resolve = resolve  # type: ignore[method-assign]  # looks from within
    assert (await add(host)).status == "active"


async def test_record_is_set_in_a_zone_that_is_kept_here_and_removed_with_the_domain(
    host: InMemoryHost,
) -> None:
    view = await add(host, "www.zone.test")
    assert view.status == "active"
    record = DnsRecord(DomainName("www.zone.test"), RecordType.A, "192.0.2.1", 300)
    assert list(host.dns.kept.values()) == [record]
    await remove(host, "www.zone.test")
    assert host.dns.kept == {}


async def test_record_that_leads_elsewhere_is_not_moved(host: InMemoryHost) -> None:
    theirs = DnsRecord(DomainName("www.zone.test"), RecordType.A, "198.51.100.9", 60)
    await host.dns.put(theirs)
    assert (await add(host, "www.zone.test")).status == "pending"
    await remove(host, "www.zone.test")
    assert list(host.dns.kept.values()) == [theirs]


async def test_domain_of_another_environment_or_route_is_refused_and_not_written_down(
    host: InMemoryHost,
) -> None:
    host.resolver.answers[DOMAIN] = HERE
    await add(host, key=BLOG)
    with pytest.raises(InvalidRequest, match="blog/production") as taken:
        await add(host)
    assert taken.value.code == "domain_taken"
    host.proxy.foreign[DomainName("theirs.example.com")] = "route 0 of the server theirs"
    with pytest.raises(Refused, match="route 0 of the server theirs"):
        await add(host, "theirs.example.com")
    assert await added(host) == {}


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        (
            {"key": EnvironmentKey(SHOP.project, EnvironmentName("pr-9"))},
            InvalidRequest,
            "not_",
        ),
        (
            {"key": EnvironmentKey(ProjectName("none"), SHOP.environment)},
            InvalidRequest,
            "unknown_",
        ),
        ({"wait": 4000.0}, InvalidRequest, "invalid_wait"),
        ({"wait": float("nan")}, InvalidRequest, "invalid_wait"),
        ({"domain": "shop.localhost"}, InvalidRequest, "domain_taken"),
    ],
)
async def test_request_that_cannot_be_met_changes_nothing(
    host: InMemoryHost, change: dict[str, object], error: type[CodebError], code: str
) -> None:
    host.resolver.answers[DOMAIN] = HERE
    with pytest.raises(error) as refusal:
        await add(host, **change)  # type: ignore[arg-type]  # the arguments of `add`
    assert refusal.value.code.startswith(code)
    assert refusal.value.hint
    assert await added(host) == {}


async def test_host_that_does_not_know_its_addresses_says_so(host: InMemoryHost) -> None:
    host.addresses = ()
    with pytest.raises(HostNotReady, match="addresses") as refusal:
        await add(host)
    assert refusal.value.code == "addresses_missing"
    assert (await add(host, "other.localhost")).status == "active"


async def test_route_that_cannot_be_written_leaves_the_domain_pending(host: InMemoryHost) -> None:
    host.resolver.answers[DOMAIN] = HERE
    put_route = host.proxy.put_route

    async def fail(route: object) -> None:
        raise SystemFailed("Caddy refused")

    host.proxy.put_route = fail  # type: ignore[method-assign]  # the point of it
    with pytest.raises(SystemFailed):
        await add(host)
    assert await added(host) == {DOMAIN: "pending"}
    host.proxy.put_route = put_route  # type: ignore[method-assign]  # it works again
    assert (await add(host)).status == "active"


async def test_certificate_that_cannot_be_had_is_said_within_a_minute_or_so(
    host: InMemoryHost,
) -> None:
    host.resolver.answers[DOMAIN] = HERE
    host.certificates.missing.add(DOMAIN)
    view = await add(host)
    assert (view.status, view.certificate_until) == ("active", None)
    assert "goes on trying" in view.next
    assert host.clock.seconds < 70


async def test_deploys_keep_a_domain_that_is_served_whatever_dns_says_then(
    host: InMemoryHost,
) -> None:
    host.resolver.answers[DOMAIN] = HERE
    await add(host)
    host.resolver.answers[DOMAIN] = Resolution(problem="no resolver answered within 5 s")
    assert await deploy(host) > 0
    assert DOMAIN in routed(host)


async def test_imported_domain_that_leads_elsewhere_is_not_asked_a_certificate_for(
    host: InMemoryHost,
) -> None:
    host.resolver.answers[DOMAIN] = HERE
    await add(host)
    host.proxy.routes.clear()
    host.proxy.wanted.clear()
    host.resolver.answers[DOMAIN] = ELSEWHERE
    await deploy(host)
    assert routed(host) == ["shop.localhost"]
    host.resolver.answers[DOMAIN] = HERE
    await deploy(host)
    assert routed(host) == ["shop.localhost", DOMAIN]


async def test_removed_domain_is_routed_no_more_and_may_be_added_again(host: InMemoryHost) -> None:
    host.resolver.answers[DOMAIN] = HERE
    await add(host)
    await remove(host)
    assert routed(host) == ["shop.localhost"]
    assert await added(host) == {}
    assert (await add(host, key=BLOG)).status == "active"


async def test_nothing_is_removed_without_the_digest_of_the_plan_as_it_is(
    host: InMemoryHost,
) -> None:
    host.resolver.answers[DOMAIN] = HERE
    await add(host)
    domains = CustomDomains(host.systems())
    request = DomainRequest(SHOP, DOMAIN, "cli:me")
    planned = await domains.remove(request)
    assert planned.removed is False
    with pytest.raises(StalePlan):
        await domains.remove(request, "0" * 64)
    async with host.systems().locks.hold(SHOP, "mcp:claude", "deploy v3"):
        with pytest.raises(Locked, match="mcp:claude"):
            await domains.remove(request, planned.plan_digest)
    assert DOMAIN in routed(host)


@pytest.mark.parametrize(
    ("domain", "said"),
    [("shop.localhost", "own domain"), ("never.example.com", "no custom domain")],
)
async def test_domain_that_was_not_added_cannot_be_removed(
    host: InMemoryHost, domain: str, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said) as refusal:
        await remove(host, domain)
    assert refusal.value.code == "unknown_domain"


async def test_removed_environment_takes_its_domains_and_their_records_with_it(
    host: InMemoryHost,
) -> None:
    await add(host, "www.zone.test")
    removals = Removals(host.systems())
    planned = await removals.remove(RemovalRequest(SHOP, "cli:me"))
    await removals.remove(RemovalRequest(SHOP, "cli:me", planned.plan.digest))
    assert host.dns.kept == {}
    assert "codeb-shop-production" not in host.proxy.routes
    assert (await add(host, "www.zone.test", key=BLOG)).status == "active"


async def test_list_says_where_each_leads_and_what_to_do(host: InMemoryHost) -> None:
    host.resolver.answers |= {DOMAIN: HERE, "late.example.com": ELSEWHERE}
    await add(host)
    await add(host, "late.example.com")
    listed = (await CustomDomains(host.systems()).list(SHOP.project)).domains
    assert [(each.domain, each.primary, each.status, each.leads_here) for each in listed] == [
        ("shop.localhost", True, "active", True),
        ("late.example.com", False, "pending", False),
        (DOMAIN, False, "active", True),
    ]
    assert "198.51.100.9" in listed[1].found
    assert [bool(each.certificate_until) for each in listed] == [True, False, True]


async def test_status_tells_issuer_names_and_dates_of_what_is_served(host: InMemoryHost) -> None:
    host.resolver.answers[DOMAIN] = HERE
    await add(host)
    host.certificates.missing.add("shop.localhost")
    found = (await CertificateCare(host.systems()).status(SHOP.project)).certificates
    assert [(each.domain, each.state) for each in found] == [
        ("shop.localhost", "missing"),
        (DOMAIN, "valid"),
    ]
    certificate = found[1].certificate
    assert certificate is not None
    assert (certificate.issuer, certificate.days_left) == ("CN=Fake", 88)


async def renew(host: InMemoryHost, domain: str | None = None) -> list[str]:
    request = RenewalRequest(SHOP, "cli:me", DomainName(domain) if domain else None)
    view = await CertificateCare(host.systems()).renew(request)
    assert all(each.serial_before != each.serial for each in view.renewed)
    return [each.domain for each in view.renewed]


async def test_renewal_is_of_what_an_authority_signs_and_leaves_no_wish_behind(
    host: InMemoryHost,
) -> None:
    host.resolver.answers[DOMAIN] = HERE
    await add(host)
    assert await renew(host) == [DOMAIN]
    assert host.certificates.shares == {}


async def test_authority_that_does_not_sign_is_told_in_time_and_not_asked_again(
    host: InMemoryHost,
) -> None:
    host.resolver.answers[DOMAIN] = HERE
    await add(host)
    host.certificates.stuck = True
    with pytest.raises(SystemFailed, match="still served, and valid until") as failure:
        await renew(host)
    assert failure.value.code == "certificate_not_renewed"
    assert host.certificates.shares == {}


@pytest.mark.parametrize(
    ("domain", "found", "error", "code"),
    [
        (DOMAIN, ELSEWHERE, Refused, "domain_leads_elsewhere"),
        ("shop.localhost", HERE, InvalidRequest, "nothing_to_renew"),
        ("never.example.com", HERE, InvalidRequest, "unknown_domain"),
    ],
)
async def test_renewal_that_would_fail_asks_nobody_to_sign(
    host: InMemoryHost, domain: str, found: Resolution, error: type[CodebError], code: str
) -> None:
    host.resolver.answers[DOMAIN] = HERE
    await add(host)
    ordered = list(host.certificates.ordered)
    host.resolver.answers[DOMAIN] = found
    with pytest.raises(error) as refusal:
        await renew(host, domain)
    assert refusal.value.code == code
    assert host.certificates.ordered == ordered


async def test_certificate_that_never_was_cannot_be_renewed(host: InMemoryHost) -> None:
    host.resolver.answers[DOMAIN] = HERE
    host.certificates.missing.add(DOMAIN)
    await add(host)
    with pytest.raises(Refused) as refusal:
        await renew(host)
    assert refusal.value.code == "certificate_missing"


async def test_without_tls_there_are_domains_and_no_certificates(host: InMemoryHost) -> None:
    host.certificates.kept = False
    host.resolver.answers[DOMAIN] = HERE
    view = await add(host)
    assert (view.status, view.certificate_until, view.next) == ("active", None, "")
    for call in (CertificateCare(host.systems()).status(SHOP.project), renew(host)):
        with pytest.raises(InvalidRequest) as refusal:
            await call
        assert refusal.value.code == "tls_off"


async def test_first_deploy_waits_for_its_certificate(host: InMemoryHost) -> None:
    host.proxy.uncertified = 200
    staging = EnvironmentKey(SHOP.project, EnvironmentName("staging"))
    await deploy(host, staging)
    assert "codeb-shop-staging" in host.proxy.routes


async def test_first_deploy_without_a_certificate_is_taken_back_with_what_to_do(
    host: InMemoryHost,
) -> None:
    host.proxy.uncertified = 100_000
    before = await host.left_behind()
    staging = EnvironmentKey(SHOP.project, EnvironmentName("staging"))
    with pytest.raises(DeployFailed) as failure:
        await deploy(host, staging)
    assert "ports 80 and 443" in failure.value.hint
    after = await host.left_behind()
    assert (after["containers"], after["routes"]) == (before["containers"], before["routes"])


async def test_changes_are_in_the_audit(host: InMemoryHost) -> None:
    host.resolver.answers[DOMAIN] = HERE
    await add(host)
    await renew(host)
    await remove(host)
    trail = await host.registry.audit_trail(3)
    assert [each.action for each in trail] == ["remove_domain", "renew_certificate", "add_domain"]
