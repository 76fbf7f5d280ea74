"""`codeb server`: set a server up, and check it."""

import sys
from functools import partial
from typing import Annotated, Literal

import typer
from rich.status import Status

from codeb_mcp.cli.output import Json, emit, err, out, run, text
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.server import Choices
from codeb_mcp.errors import CodebError, HostNotReady, InvalidRequest, Refused
from codeb_mcp.planning.server_setup import ServerPlan
from codeb_mcp.services.deployments import Progress
from codeb_mcp.services.server_setup import ServerSetup
from codeb_mcp.services.server_views import ServerCheckView, ServerPlanView
from codeb_mcp.wiring import open_server_setup

app = typer.Typer(help="Set this server up, and check it (as root).", no_args_is_help=True)

Domain = Annotated[
    str | None,
    typer.Option(help="Projects get names below it: shop.DOMAIN. Kept from the last set-up."),
]
Address = Annotated[
    list[str] | None,
    typer.Option(help="Public address, if the interfaces do not have it; again for IPv6."),
]
Dns = Annotated[
    Literal["powerdns", "none"] | None,
    typer.Option(help="powerdns (default): this server is the domain's name server."),
]
Tls = Annotated[
    Literal["auto", "off"] | None, typer.Option(help="auto (default): Caddy gets certificates.")
]
CaddyAdmin = Annotated[
    str | None,
    typer.Option(help="Use the Caddy that is here, by its admin endpoint, and install none."),
]


@app.command()
def setup(
    domain: Domain = None,
    address: Address = None,
    dns: Dns = None,
    tls: Tls = None,
    caddy_admin: CaddyAdmin = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only print what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Install and configure all that codeb needs. Run again, it does only what is missing."""
    server = open_server_setup()
    choices = _choices(domain, address, dns, tls, caddy_admin)
    choices, planned = _planned(server, choices)
    advice = run(partial(server.advice, choices))
    if plan or not planned:
        view = ServerPlanView.of(planned, advice, done=not planned)
        emit(view, json, lambda: _render(view))
        return
    if not yes:
        _ask(ServerPlanView.of(planned, advice, done=False))
    _carry_out(server, choices, planned, quiet=json)
    view = ServerPlanView.of(planned, advice, done=True)
    emit(view, json, lambda: _render(view))


@app.command()
def check(json: Json = False) -> None:
    """Say of each part whether it is right and, if not, what mends it. Exit code 4 if not."""
    server = open_server_setup()
    try:
        parts = run(partial(server.check, Choices()))
    except InvalidRequest as error:
        if error.code != "domain_missing":
            raise
        raise HostNotReady(
            "this server has not been set up",
            hint="codeb server setup --domain example.com, with a domain of yours",
            code="not_set_up",
        ) from None
    view = ServerCheckView.of(parts)
    emit(view, json, lambda: _render_check(view))
    if not view.right:
        raise typer.Exit(HostNotReady.exit_code)


def _choices(
    domain: str | None,
    address: list[str] | None,
    dns: Literal["powerdns", "none"] | None,
    tls: Literal["auto", "off"] | None,
    caddy_admin: str | None,
) -> Choices:
    return Choices(
        domain=DomainName(domain) if domain is not None else None,
        addresses=tuple(address) if address else None,
        dns=dns,
        tls=tls,
        caddy_admin=caddy_admin,
    )


def _planned(server: ServerSetup, choices: Choices) -> tuple[Choices, ServerPlan]:
    """The plan; a person at a terminal is asked for what was left out."""
    try:
        return choices, run(partial(server.plan, choices))
    except CodebError as error:
        if error.code != "domain_missing" or not sys.stdin.isatty():
            raise
    domain = DomainName(typer.prompt("The domain of this server's projects (such as example.com)"))
    choices = Choices(domain, choices.addresses, choices.dns, choices.tls, choices.caddy_admin)
    return choices, run(partial(server.plan, choices))


def _ask(planned: ServerPlanView) -> None:
    """Ask at the terminal; without one nobody can have meant it."""
    if not sys.stdin.isatty():
        raise Refused(
            "setting this server up was not confirmed",
            hint="look at --plan, then call again with --yes",
            code="not_confirmed",
        )
    _render(planned)
    typer.confirm("Do all this?", abort=True)


def _carry_out(server: ServerSetup, choices: Choices, planned: ServerPlan, *, quiet: bool) -> None:
    """With a spinner on a terminal, and a line per step elsewhere."""

    def work(tell: Status | None) -> None:
        async def say(progress: Progress) -> None:
            line = f"[{progress.done + 1}/{progress.total}] {progress.message}"
            if tell is not None:
                tell.update(text(line))
            if not quiet:
                err.print(line, markup=False, soft_wrap=True)

        run(partial(server.carry_out, choices, planned.digest, say))

    if quiet or not sys.stderr.isatty():
        work(None)
        return
    with Status("", console=err) as spinner:
        work(spinner)


def _render(view: ServerPlanView) -> None:
    if not view.steps:
        out.print("[green]✓[/] this server is set up: nothing to do")
    elif view.done:
        out.print("[green]✓[/] this server is set up")
    else:
        out.print("setting this server up would")
        for number, step in enumerate(view.steps, start=1):
            out.print(f"  {number}. {text(step.sentence)}", soft_wrap=True)
    out.print("left to you:")
    for line in view.advice:
        out.print(f"  - {text(line)}", soft_wrap=True)


def _render_check(view: ServerCheckView) -> None:
    for part in view.parts:
        sign = "[green]✓[/]" if part.right else "[red]✗[/]"
        out.print(f"{sign} {text(part.name)}: {text(part.says)}", soft_wrap=True)
        if part.mend:
            out.print(f"    mend it: {text(part.mend)}", soft_wrap=True)
