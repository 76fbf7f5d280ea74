"""The certificates of what is served: how long they last, and their renewal by hand."""

from dataclasses import dataclass
from datetime import datetime

import anyio

from codeb_mcp.domain.certificate import Certificate
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.project import Environment, EnvironmentKey
from codeb_mcp.errors import InvalidRequest, Refused, SystemFailed
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.deployments import OnProgress, Progress, ignore_progress
from codeb_mcp.services.domain_views import (
    CertificatesView,
    CertificateView,
    HostCertificateView,
    RenewalView,
    RenewedView,
)
from codeb_mcp.services.observation import environment_of
from codeb_mcp.services.pointing import leads_here, resolution_of
from codeb_mcp.services.systems import Systems

LATE = 0.25
"""The share of a certificate's life that is left when Caddy, which begins at a third, is late."""
ORDER_SECONDS = 120.0
"""How long an authority may take to sign, once Caddy has begun."""
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class RenewalRequest:
    """Which environment's certificates to renew: all of them, or that of one domain."""

    key: EnvironmentKey
    actor: str
    domain: DomainName | None = None


class CertificateCare:
    """The certificates of this host."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def status(
        self, project: ProjectName, only: EnvironmentName | None = None
    ) -> CertificatesView:
        """What visitors of each served host are shown. Raises InvalidRequest with TLS off."""
        self._require_kept()
        known = await self._systems.registry.project(project)
        await self._systems.ready()
        return CertificatesView(
            project=project,
            certificates=[
                await self._host_view(environment, host)
                for environment in known.environments
                if only in (None, environment.key.environment)
                for host in _hosts(environment)
            ],
        )

    async def renew(
        self, request: RenewalRequest, on_progress: OnProgress = ignore_progress
    ) -> RenewalView:
        """Have new certificates signed while the present ones are served, and wait for them.

        A host that does not lead here is refused before anybody is asked to sign. If the authority
        does not sign in time, SystemFailed: the present certificates are still served. Also raises
        InvalidRequest, Refused and Locked.
        """
        self._require_kept()
        systems, key = self._systems, request.key
        begin = systems.clock.monotonic()
        environment = environment_of(await systems.registry.project(key.project), key)
        hosts = self._renewable(key, environment, request.domain)
        await systems.ready()
        where = {"project": key.project, "environment": key.environment, "domain": request.domain}
        async with (
            audited(systems, request.actor, "renew_certificate", **where),
            systems.locks.hold(key, request.actor, "renew certificates"),
        ):
            before = await self._present(hosts)
            after = await self._renew(before, on_progress)
        return RenewalView(
            renewed=[
                RenewedView(
                    domain=host,
                    serial_before=before[host].serial,
                    serial=after[host].serial,
                    until=after[host].not_after,
                )
                for host in hosts
            ],
            seconds=round(systems.clock.monotonic() - begin, 3),
        )

    async def _renew(
        self, before: dict[DomainName, Certificate], on_progress: OnProgress
    ) -> dict[DomainName, Certificate]:
        systems = self._systems
        now = systems.clock.now()
        shares = {host: each.due_share(now) for host, each in before.items()}
        try:
            patience = await systems.certificates.start_renewal(shares)
            begun = Progress(0, 1, f"Caddy looks for what is due within {patience:g} s")
            await on_progress(begun)
            return await self._wait(before, patience + ORDER_SECONDS)
        finally:
            # whatever happened, they must not be renewed again and again
            with anyio.CancelScope(shield=True):
                await systems.certificates.end_renewal(list(before))

    async def _wait(
        self, before: dict[DomainName, Certificate], seconds: float
    ) -> dict[DomainName, Certificate]:
        clock = self._systems.clock
        deadline = clock.monotonic() + seconds
        after: dict[DomainName, Certificate] = {}
        while len(after) < len(before):
            if clock.monotonic() >= deadline:
                late = [host for host in before if host not in after]
                until = min(before[host].not_after for host in late)
                raise SystemFailed(
                    f"no new certificate for {', '.join(late)} within {seconds:g} s; the present "
                    f"one is still served, and valid until {until:%Y-%m-%d}",
                    hint="Caddy's log (journalctl -u caddy) says what the authority answered",
                    code="certificate_not_renewed",
                )
            await clock.sleep(POLL_SECONDS)
            for host in before.keys() - after.keys():
                served = await self._systems.certificates.served(host)
                if served is not None and served.serial != before[host].serial:
                    after[host] = served
        return after

    async def _present(self, hosts: list[DomainName]) -> dict[DomainName, Certificate]:
        """The certificates that there are, of hosts that all lead here."""
        systems = self._systems
        present: dict[DomainName, Certificate] = {}
        for host in hosts:
            found = await resolution_of(systems, host)
            if systems.host.addresses and not leads_here(systems, host, found):
                raise Refused(
                    f"the certificate of {host} is not renewed, for it does not lead here: {found}",
                    hint=f"let it lead to {' and '.join(systems.host.addresses)}, or remove it",
                    code="domain_leads_elsewhere",
                )
            served = await systems.certificates.served(host)
            if served is None:
                raise Refused(
                    f"{host} has no certificate yet that could be renewed",
                    hint="Caddy goes on trying to have one; its log (journalctl -u caddy) says "
                    "what the authority answered",
                    code="certificate_missing",
                )
            present[host] = served
        return present

    def _renewable(
        self, key: EnvironmentKey, environment: Environment | None, only: DomainName | None
    ) -> list[DomainName]:
        served = _hosts(environment) if environment else []
        if only is not None and only not in served:
            raise InvalidRequest(
                f"{key} does not serve {only}",
                hint=f"see what it serves with list_domains project={key.project}",
                code="unknown_domain",
            )
        hosts = [host for host in served if only in (None, host)]
        signed = [host for host in hosts if self._systems.certificates.signed(host)]
        if not signed:
            raise InvalidRequest(
                f"{key} serves no domain that an authority signs for",
                hint="Caddy signs for names of this machine by itself, for some hours each time",
                code="nothing_to_renew",
            )
        return signed

    async def _host_view(self, environment: Environment, host: DomainName) -> HostCertificateView:
        served = await self._systems.certificates.served(host)
        now = self._systems.clock.now()
        return HostCertificateView(
            domain=host,
            environment=environment.key.environment,
            state=_state(served, now) if served else "missing",
            certificate=CertificateView.of(served, now) if served else None,
        )

    def _require_kept(self) -> None:
        if not self._systems.certificates.kept:
            raise InvalidRequest(
                "there are no certificates: TLS is off on this host",
                hint='set tls = "auto" (CODEB_TLS=auto); ports 80 and 443 must be reachable',
                code="tls_off",
            )


def _hosts(environment: Environment) -> list[DomainName]:
    return [environment.domain, *(each.name for each in environment.domains if each.active)]


def _state(certificate: Certificate, now: datetime) -> str:
    left = certificate.share_left(now)
    if left <= 0:
        return "expired"
    return "ends_soon" if left < LATE else "valid"
