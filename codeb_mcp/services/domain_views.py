"""What the use cases of domains and certificates give back."""

from datetime import datetime

from pydantic import Field

from codeb_mcp.domain.certificate import Certificate
from codeb_mcp.services.views import PlanView, View


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
    """A domain of an environment."""

    domain: str
    project: str
    environment: str
    primary: bool = Field(description="the environment's own, which is not added or removed")
    status: str = Field(
        description="active: served; pending: written down, but it does not lead here yet"
    )
    url: str
    leads_here: bool | None = Field(description="null: the host's addresses are not set")
    found: str = Field(description="where it leads now")
    certificate: CertificateView | None = None
    next: str = ""


class DomainsView(View):
    """The domains of a project's environments."""

    project: str
    domains: list[DomainView]


class DomainRemovalView(View):
    """What a removal changed, or (`removed` false) what it would change."""

    project: str
    environment: str
    domain: str
    removed: bool
    plan: PlanView


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
    """One certificate that was renewed."""

    domain: str
    serial_before: str
    certificate: CertificateView


class RenewalView(View):
    """How a renewal ended."""

    project: str
    environment: str
    renewed: list[RenewedView]
    seconds: float
