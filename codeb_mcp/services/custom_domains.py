"""Domains that an environment has beside its own: added, listed, removed."""

from dataclasses import dataclass

import anyio

from codeb_mcp.domain.certificate import Certificate
from codeb_mcp.domain.domains import Resolution
from codeb_mcp.domain.host import Json
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.plan import Plan, PutRecord, Step
from codeb_mcp.domain.project import Environment, EnvironmentKey
from codeb_mcp.errors import InvalidRequest, StalePlan, SystemFailed
from codeb_mcp.planning.domains import plan_dropping, plan_serving, require_free
from codeb_mcp.planning.records import records_for
from codeb_mcp.services.apply import apply
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.deployments import OnProgress, Progress, ignore_progress
from codeb_mcp.services.domain_views import (
    DomainRemovalView,
    DomainsView,
    DomainView,
)
from codeb_mcp.services.observation import environment_of
from codeb_mcp.services.pointing import leads_here, require_addresses, resolution_of
from codeb_mcp.services.systems import Systems

LONGEST_WAIT = 3600.0
POLL_SECONDS = 5.0
CERTIFICATE_SECONDS = 60.0
CERTIFICATE_POLL = 0.5


@dataclass(frozen=True, slots=True)
class DomainRequest:
    """A domain for an environment. `wait` is how many seconds it may take to lead here."""

    key: EnvironmentKey
    domain: DomainName
    actor: str
    wait: float = 0.0


class CustomDomains:
    """The custom domains of this host."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def add(
        self, request: DomainRequest, on_progress: OnProgress = ignore_progress
    ) -> DomainView:
        """Serve the domain if it leads here; else only write it down, as pending.

        Nobody is asked for a certificate before it does lead here. In a zone that codeb keeps its
        record is set first. Calling again goes on from there. Raises InvalidRequest, Refused when
        another route of this Caddy answers for it, Locked and HostNotReady.
        """
        systems, key, domain = self._systems, request.key, request.domain
        if not 0 <= request.wait <= LONGEST_WAIT:
            raise InvalidRequest(
                f"{request.wait:g} s is no time to wait",
                hint=f"use 0 to {LONGEST_WAIT:g} seconds",
                code="invalid_wait",
            )
        where = {"project": key.project, "environment": key.environment, "domain": domain}
        async with audited(systems, request.actor, "add_domain", **where):
            async with systems.locks.hold(key, request.actor, f"add the domain {domain}"):
                await self._write_down(key, domain)
            found = await self._wait(request, on_progress)
            if leads_here(systems, domain, found):
                await on_progress(Progress(1, 3, f"{domain} leads here: route it"))
                async with systems.locks.hold(key, request.actor, f"add the domain {domain}"):
                    await self._serve(key, domain)
                await on_progress(Progress(2, 3, f"have a certificate for {domain}"))
                await self._wait_for_certificate(domain)
        await on_progress(Progress(3, 3, f"{domain} is looked at"))
        return await self._view(await self._environment(key), domain, found)

    async def list(self, project: ProjectName, only: EnvironmentName | None = None) -> DomainsView:
        """The domains of a project, where each leads now, and its certificate."""
        known = await self._systems.registry.project(project)
        await self._systems.ready()
        chosen = [
            (environment, name)
            for environment in known.environments
            if only in (None, environment.key.environment)
            for name in (environment.domain, *(each.name for each in environment.domains))
        ]
        views: dict[DomainName, DomainView] = {}

        async def look(environment: Environment, name: DomainName) -> None:
            found = await resolution_of(self._systems, name)
            views[name] = await self._view(environment, name, found)

        async with anyio.create_task_group() as group:
            for each in chosen:
                group.start_soon(look, *each)
        return DomainsView(domains=[views[name] for _, name in chosen])

    async def remove(
        self, request: DomainRequest, plan_digest: str | None = None
    ) -> DomainRemovalView:
        """Say what would be changed; with the digest of that plan, serve the domain no more.

        One that was interrupted is finished by the next. Raises Locked, StalePlan, and
        InvalidRequest when the environment has no such domain.
        """
        systems, key, domain = self._systems, request.key, request.domain
        await systems.registry.project(key.project)
        await systems.ready()
        if plan_digest is None:
            return DomainRemovalView.of(
                domain, await self._plan_dropping(key, domain), removed=False
            )
        where = {"project": key.project, "environment": key.environment, "domain": domain}
        async with (
            audited(systems, request.actor, "remove_domain", **where),
            systems.locks.hold(key, request.actor, f"remove the domain {domain}"),
        ):
            plan = await self._plan_dropping(key, domain)
            if plan.digest != plan_digest:
                raise StalePlan(
                    f"{domain} is not as it was when the plan was made",
                    hint=f"look at the plan again; its digest is {plan.digest} now",
                )
            await apply(systems, plan, key, 0, _no_word)
        return DomainRemovalView.of(domain, plan, removed=True)

    async def _write_down(self, key: EnvironmentKey, domain: DomainName) -> None:
        """As pending, with its record where the zone is kept here and has none for it."""
        systems = self._systems
        await systems.registry.project(key.project)
        require_free(domain, key, await systems.registry.projects(), systems.host.base_domain)
        require_addresses(systems, domain)
        await systems.ready()
        await self._deployed(key)
        await systems.proxy.require_unrouted(domain, f"codeb-{key.slug}")
        await systems.registry.add_domain(key, domain)
        # a record that leads elsewhere is somebody's site, and not to be moved in passing
        if await systems.dns.holds(domain) and not await systems.dns.records(domain):
            records = records_for(domain, systems.host.addresses, systems.host.dns_ttl)
            steps = tuple(PutRecord(record) for record in records)
            await apply(systems, Plan(steps, observed=str(domain)), key, 0, _no_word)

    async def _wait(self, request: DomainRequest, on_progress: OnProgress) -> Resolution:
        """Where it leads, asked until that is here or the time is over."""
        systems, domain = self._systems, request.domain
        deadline = systems.clock.monotonic() + request.wait
        while True:
            found = await resolution_of(systems, domain)
            over = systems.clock.monotonic() + POLL_SECONDS > deadline
            if over or leads_here(systems, domain, found):
                return found
            await on_progress(Progress(0, 3, f"wait until {domain} leads here: {found}"))
            await systems.clock.sleep(POLL_SECONDS)

    async def _serve(self, key: EnvironmentKey, domain: DomainName) -> None:
        systems = self._systems
        environment, route = await self._deployed(key)
        if domain not in {each.name for each in environment.domains}:
            raise StalePlan(f"{domain} was removed meanwhile", hint="add it again if it is wanted")
        plan = plan_serving(environment, domain, route, systems.markers.folder())
        await apply(systems, plan, key, 0, _no_word)

    async def _wait_for_certificate(self, domain: DomainName) -> None:
        """At most a minute: Caddy goes on trying, and the view says how it stands."""
        clock = self._systems.clock
        deadline = clock.monotonic() + CERTIFICATE_SECONDS
        while self._systems.certificates.kept and clock.monotonic() < deadline:
            if await self._certificate(domain) is not None:
                return
            await clock.sleep(CERTIFICATE_POLL)

    async def _certificate(self, domain: DomainName) -> Certificate | None:
        """The one that visitors of the domain are shown, if it is valid for it."""
        if not self._systems.certificates.kept:
            return None
        try:
            served = await self._systems.certificates.served(domain)
        except SystemFailed:
            return None
        return served if served is not None and served.covers(domain) else None

    async def _plan_dropping(self, key: EnvironmentKey, domain: DomainName) -> Plan:
        systems = self._systems
        environment = await self._environment(key)
        if domain not in {each.name for each in environment.domains}:
            own = domain == environment.domain
            raise InvalidRequest(
                f"{domain} is {key}'s own domain, which stays as long as it does"
                if own
                else f"{key} has no custom domain {domain}",
                hint=f"see those it has with list_domains project={key.project}",
                code="unknown_domain",
            )
        return plan_dropping(
            environment,
            domain,
            await systems.proxy.route(f"codeb-{key.slug}"),
            await systems.dns.records(domain),
            records_for(domain, systems.host.addresses, systems.host.dns_ttl),
        )

    async def _environment(self, key: EnvironmentKey) -> Environment:
        environment = environment_of(await self._systems.registry.project(key.project), key)
        if environment is None:
            raise _not_deployed(key)
        return environment

    async def _deployed(self, key: EnvironmentKey) -> tuple[Environment, Json]:
        environment = await self._environment(key)
        route = await self._systems.proxy.route(f"codeb-{key.slug}")
        if route is None or environment.live is None:
            raise _not_deployed(key)
        return environment, route

    async def _view(
        self, environment: Environment, domain: DomainName, found: Resolution
    ) -> DomainView:
        systems, key = self._systems, environment.key
        primary = domain == environment.domain
        custom = next((each for each in environment.domains if each.name == domain), None)
        active = primary or (custom is not None and custom.active)
        certificate = await self._certificate(domain) if active else None
        told = bool(systems.host.addresses) or leads_here(systems, domain, found)
        here = leads_here(systems, domain, found) if told else None
        return DomainView(
            domain=domain,
            environment=key.environment,
            primary=primary,
            status="active" if active else "pending",
            leads_here=here,
            found=str(found),
            certificate_until=certificate.not_after if certificate else None,
            next=self._next(key, domain, active=active, here=here, certified=bool(certificate)),
        )

    def _next(
        self,
        key: EnvironmentKey,
        domain: DomainName,
        *,
        active: bool,
        here: bool | None,
        certified: bool,
    ) -> str:
        """What a person does about the domain, if there is something to do."""
        systems = self._systems
        if here is False:
            records = records_for(domain, systems.host.addresses, systems.host.dns_ttl)
            wanted = " and ".join(f"{each.type} {each.content}" for each in records)
            then = "" if active else f", then codeb domain add {key.project} {domain} "
            again = then and f"{then}--env {key.environment}"
            return f"where its DNS is kept, let {domain} have {wanted} and nothing else{again}"
        if not active:
            return f"codeb domain add {key.project} {domain} --env {key.environment}"
        if systems.certificates.kept and not certified:
            return (
                "Caddy has no certificate for it yet and goes on trying; its log says what the "
                "authority answered, and codeb ssl status how it stands"
            )
        return ""


def _not_deployed(key: EnvironmentKey) -> InvalidRequest:
    return InvalidRequest(
        f"{key} serves nothing yet that a domain could lead to",
        hint=f"deploy project={key.project} environment={key.environment} first",
        code="not_deployed",
    )


async def _no_word(_: Step) -> None:
    """Steps of this size need no word each."""
