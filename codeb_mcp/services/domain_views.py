"""What the use cases of domains and certificates give back."""

from datetime import datetime

from pydantic import Field

from codeb_mcp.domain.certificate import Certificate
from codeb_mcp.domain.plan import Plan
from codeb_mcp.services.views import View


class CertificateView(View):
    """A certificate as a visitor is shown it."""

    issuer: str
    names: list[str]
    serial: str = Field(description="in hex")
    not_before: datetime
    not_after: datetime
    days_left: int

    @classmethod
    def of(cls, certificate: Certificate, now: datetime) -> "CertificateView":
        """The view of `certificate`."""
        return cls(
            issuer=certificate.issuer,
            names=list(certificate.names),
            serial=certificate.serial,
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            days_left=certificate.days_left(now),
        )


class DomainView(View):
    """A domain of an environment; a primary one comes and goes with it."""

    domain: str
    environment: str
    primary: bool
    status: str = Field(description="active, or pending: it does not lead here yet")
    # None where this host's addresses are not set
    leads_here: bool | None
    found: str
    certificate_until: datetime | None
    next: str


class DomainsView(View):
    """The domains of a project."""

    domains: list[DomainView]


class DomainRemovalView(View):
    """What a removal changed, or would change."""

    domain: str
    removed: bool
    steps: list[str]
    plan_digest: str

    @classmethod
    def of(cls, domain: str, plan: Plan, *, removed: bool) -> "DomainRemovalView":
        """The view of `plan`, carried out or not."""
        steps = list(plan.sentences)
        return cls(domain=domain, removed=removed, steps=steps, plan_digest=plan.digest)


class HostCertificateView(View):
    """One host that is served, and its certificate."""

    domain: str
    environment: str
    state: str = Field(description="valid, ends_soon, expired, or missing")
    certificate: CertificateView | None


class CertificatesView(View):
    """The certificates of a project."""

    project: str
    certificates: list[HostCertificateView]


class RenewedView(View):
    """Serials are in hex."""

    domain: str
    serial_before: str
    serial: str
    until: datetime


class RenewalView(View):
    """How a renewal ended."""

    renewed: list[RenewedView]
    seconds: float
