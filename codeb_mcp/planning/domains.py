"""Custom domains, decided as data: which may be had, and what serving or dropping one changes."""

import re
from collections.abc import Sequence

from codeb_mcp.domain.domains import CustomDomain
from codeb_mcp.domain.host import DnsRecord, Json, Route, fingerprint
from codeb_mcp.domain.names import DomainName, shown
from codeb_mcp.domain.plan import (
    ForgetDomain,
    Plan,
    RemoveRecord,
    ServeDomain,
    Step,
    WriteRoute,
)
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import Environment, EnvironmentKey, Project
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.routes import route_json

_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ENVIRONMENT = re.compile(r"staging|pr-[1-9][0-9]*")


def custom_domain(text: str) -> DomainName:
    """`text` as a domain that a certificate could be had for. Raises InvalidRequest.

    Upper-case letters and one trailing dot mean the same name.
    """
    if "*" in text:
        raise _invalid(
            text, "a wildcard needs a certificate of another kind; add each name by itself"
        )
    if not text.isascii():
        raise _invalid(text, f"write it as {_in_ascii(text)}")
    domain = DomainName(text)
    labels = domain.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        raise _invalid(text, "use a name; it is an address, or looks like one")
    if len(labels) < 2:
        raise _invalid(text, "use a whole name, such as shop.example.com")
    return domain


def _invalid(text: str, hint: str) -> InvalidRequest:
    return InvalidRequest(
        f"domain name {shown(text)} is not valid", hint=hint, code="invalid_domain"
    )


def _in_ascii(text: str) -> str:
    try:
        return text.encode("idna").decode()
    except UnicodeError:
        return "its xn-- form"


def require_free(
    domain: DomainName, key: EnvironmentKey, projects: Sequence[Project], base: DomainName
) -> None:
    """Raise InvalidRequest when `domain` is not `key`'s to have.

    Below the base domain each project has its name and all below it, of which the environments'
    own names come by themselves.
    """
    for environment in (each for project in projects for each in project.environments):
        mine = {environment.domain, *(each.name for each in environment.domains)}
        if domain in mine and environment.key != key:
            raise _taken(domain, f"belongs to {environment.key}")
        if domain == environment.domain:
            raise _taken(domain, f"is {key}'s own, and served with it")
    if domain == base or not domain.is_within(base):
        return
    below, _, owner = domain.removesuffix(f".{base}").rpartition(".")
    if owner == key.project and (not below or _ENVIRONMENT.fullmatch(below)):
        raise _taken(domain, f"is that of an environment of {owner}, which gets it by itself")
    if owner != key.project and owner in {project.name for project in projects}:
        raise _taken(domain, f"is within {owner}.{base}, which belongs to the project {owner}")


def _taken(domain: DomainName, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"the domain {domain} cannot be added: it {why}",
        hint="choose another, or remove it there first: codeb domain list PROJECT",
        code="domain_taken",
    )


def route_of(environment: Environment, hosts: Sequence[DomainName]) -> Route | None:
    """The environment's route with `hosts` beside its own domain; None before its first deploy."""
    port = environment.ports.get(PortKind.APP)
    return None if port is None else Route(environment.key, environment.domain, port, tuple(hosts))


def hosts_of(route: Json | None) -> frozenset[str]:
    """The hosts that a route of codeb's answers for; none where there is no route."""
    matchers = (route or {}).get("match") or []
    return frozenset(host for matcher in matchers for host in matcher.get("host") or [])


def plan_serving(
    environment: Environment, domain: DomainName, found: Json | None, live_folder: str
) -> Plan:
    """Serve `domain` beside what `environment` serves now, whose route is `found`."""
    served = [each.name for each in environment.domains if each.active and each.name != domain]
    route = route_of(environment, [*served, domain])
    steps: list[Step] = []
    if route is not None and found != route_json(route, live_folder):
        steps.append(WriteRoute(route))
    if CustomDomain(domain, active=True) not in environment.domains:
        steps.append(ServeDomain(environment.key, domain))
    return Plan(tuple(steps), observed=fingerprint([str(environment.key), found]))


def plan_dropping(
    environment: Environment,
    domain: DomainName,
    found: Json | None,
    records: Sequence[DnsRecord],
    ours: Sequence[DnsRecord],
) -> Plan:
    """Serve `domain` no more: first nobody is sent here, then its records and its name go.

    Of `records`, those that stand, only those that codeb makes (`ours`) are removed.
    """
    left = [each.name for each in environment.domains if each.active and each.name != domain]
    route = route_of(environment, left)
    steps: list[Step] = []
    if route is not None and str(domain) in hosts_of(found):
        steps.append(WriteRoute(route))
    steps += [RemoveRecord(record) for record in records if record in ours]
    steps.append(ForgetDomain(environment.key, domain))
    observed = fingerprint([str(environment.key), found, [str(record) for record in records]])
    return Plan(tuple(steps), observed=observed)
