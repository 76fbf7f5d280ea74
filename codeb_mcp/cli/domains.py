"""`codeb domain`."""

import sys
from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, actor, coloured, emit, err, out, run, table, text
from codeb_mcp.cli.spelling import as_commands
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import Refused
from codeb_mcp.planning.domains import custom_domain
from codeb_mcp.services.custom_domains import DomainRequest
from codeb_mcp.services.deployments import Progress
from codeb_mcp.services.domain_views import DomainRemovalView, DomainsView, DomainView
from codeb_mcp.wiring import open_application

app = typer.Typer(
    help="Domains that an environment has beside its own, with HTTPS.", no_args_is_help=True
)

Project = Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")]
Domain = Annotated[
    str, typer.Argument(metavar="DOMAIN", help="Full name, such as shop.example.com.")
]
Env = Annotated[str, typer.Option(help="production (prod), staging or pr-N.")]


@app.command("add")
def add(
    project: Project,
    domain: Domain,
    env: Env = "production",
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long it may take to lead here.")
    ] = 0.0,
    json: Json = False,
) -> None:
    """Serve an environment under a further domain, once that leads to this server.

    Until then it is pending, and nobody is asked for a certificate; add it again, or use --wait.
    """
    key = EnvironmentKey(ProjectName(project), EnvironmentName(env))
    request = DomainRequest(key, custom_domain(domain), actor(), wait)

    async def tell(progress: Progress) -> None:
        if not json:
            err.print(progress.message, markup=False)

    view = run(lambda: open_application().custom_domains.add(request, tell))
    emit(view, json, lambda: _render_added(view))


@app.command("list")
def list_(
    project: Project,
    env: Annotated[str | None, typer.Option(help="Only this environment.")] = None,
    json: Json = False,
) -> None:
    """List a project's domains, where each leads, and how long its certificate lasts."""
    name, only = ProjectName(project), EnvironmentName(env) if env else None
    view = run(lambda: open_application().custom_domains.list(name, only))
    emit(view, json, lambda: _render_list(view))


@app.command("remove")
def remove(
    project: Project,
    domain: Domain,
    env: Env = "production",
    plan: Annotated[bool, typer.Option("--plan", help="Only print what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Serve an environment under a domain no more, and remove the record that codeb set."""
    key = EnvironmentKey(ProjectName(project), EnvironmentName(env))
    request = DomainRequest(key, DomainName(domain), actor())
    domains = open_application().custom_domains
    planned = run(lambda: domains.remove(request))
    if plan:
        emit(planned, json, lambda: _render_removal(planned))
        return
    if not yes:
        _ask(planned)
    view = run(lambda: domains.remove(request, planned.plan_digest))
    emit(view, json, lambda: _render_removal(view))


def _ask(planned: DomainRemovalView) -> None:
    """Ask at the terminal; without one nobody can have meant it."""
    if not sys.stdin.isatty():
        raise Refused(
            f"removing {planned.domain} was not confirmed",
            hint="look at --plan, then call again with --yes",
            code="not_confirmed",
        )
    _render_removal(planned)
    typer.confirm("Do all this?", abort=True)


def _render_added(view: DomainView) -> None:
    if view.status == "active":
        out.print(f"[green]✓[/] {text(view.domain)} serves {view.environment}")
    else:
        out.print(f"[yellow]pending:[/] {view.domain} does not lead here: {text(view.found)}")
    if view.certificate_until is not None:
        out.print(f"  certificate until {view.certificate_until:%Y-%m-%d}")
    if view.next:
        out.print(f"next: {text(as_commands(view.next))}", soft_wrap=True)


def _render_list(view: DomainsView) -> None:
    rows = table("DOMAIN", "ENVIRONMENT", "STATUS", "LEADS HERE", "CERTIFICATE UNTIL")
    here = {True: "yes", False: "[red]no[/]", None: "-"}
    for each in view.domains:
        ends = each.certificate_until
        until = f"{ends:%Y-%m-%d}" if ends else "-"
        environment = f"{each.environment}{' (own)' if each.primary else ''}"
        rows.add_row(
            text(each.domain), environment, coloured(each.status), here[each.leads_here], until
        )
    out.print(rows if view.domains else "no domains yet; next: codeb deploy PROJECT")
    for each in view.domains:
        if each.next:
            out.print(f"{each.domain}: {text(as_commands(each.next))}", soft_wrap=True)


def _render_removal(view: DomainRemovalView) -> None:
    done = f"[green]✓[/] {view.domain} is gone"
    out.print(done if view.removed else f"removing {view.domain} would")
    for number, step in enumerate(view.steps, start=1):
        out.print(f"  {number}. {text(step)}", soft_wrap=True)
