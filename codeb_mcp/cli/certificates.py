"""`codeb ssl`."""

from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, actor, emit, err, out, run, table, text
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.services.certificates import RenewalRequest
from codeb_mcp.services.deployments import Progress
from codeb_mcp.services.domain_views import CertificatesView, HostCertificateView, RenewalView
from codeb_mcp.wiring import open_application

app = typer.Typer(help="Certificates, which Caddy gets and renews by itself.", no_args_is_help=True)

Project = Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")]
STATES = {"valid": "green", "ends_soon": "yellow", "expired": "red", "missing": "red"}


@app.command("status")
def status(
    project: Project,
    env: Annotated[str | None, typer.Option(help="Only this environment.")] = None,
    json: Json = False,
) -> None:
    """Show the certificate of each host that is served: issuer, names, dates."""
    name, only = ProjectName(project), EnvironmentName(env) if env else None
    view = run(lambda: open_application().certificates.status(name, only))
    emit(view, json, lambda: _render_status(view))


@app.command("renew")
def renew(
    project: Project,
    env: Annotated[str, typer.Option(help="production (prod), staging or pr-N.")] = "production",
    domain: Annotated[str | None, typer.Option(help="Only this domain's.")] = None,
    json: Json = False,
) -> None:
    """Renew certificates now; the present ones are served until the new ones are there."""
    key = EnvironmentKey(ProjectName(project), EnvironmentName(env))
    request = RenewalRequest(key, actor(), DomainName(domain) if domain else None)

    async def tell(progress: Progress) -> None:
        if not json:
            err.print(progress.message, markup=False)

    view = run(lambda: open_application().certificates.renew(request, tell))
    emit(view, json, lambda: _render_renewal(view))


def _render_status(view: CertificatesView) -> None:
    rows = table("HOST", "ENVIRONMENT", "STATE", "FROM", "UNTIL", "DAYS LEFT", "ISSUER", "NAMES")
    for each in view.certificates:
        rows.add_row(*_row(each))
    out.print(rows if view.certificates else "nothing is served yet")


def _row(view: HostCertificateView) -> tuple[str, ...]:
    state = f"[{STATES[view.state]}]{view.state.replace('_', ' ')}[/]"
    found = view.certificate
    if found is None:
        return text(view.domain), view.environment, state, "-", "-", "-", "-", "-"
    return (
        text(view.domain),
        view.environment,
        state,
        f"{found.not_before:%Y-%m-%d}",
        f"{found.not_after:%Y-%m-%d}",
        str(found.days_left),
        text(found.issuer),
        text(", ".join(found.names)),
    )


def _render_renewal(view: RenewalView) -> None:
    for each in view.renewed:
        until = f"{each.until:%Y-%m-%d %H:%M}"
        out.print(f"[green]✓[/] {text(each.domain)} has a new certificate until {until}")
        out.print(f"  serial {each.serial}, before {each.serial_before}")
