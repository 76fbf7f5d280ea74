"""`codeb ports`."""

import sys
from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, actor, emit, out, run, table, text
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.wiring import open_application

app = typer.Typer(help="Show, allocate and release ports.", invoke_without_command=True)

Name = Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")]
Env = Annotated[str, typer.Option(help="production, staging or pr-N.")]
Kind = Annotated[str, typer.Option("--type", help="app, db or redis.")]


@app.callback()
def show(ctx: typer.Context, json: Json = False) -> None:
    """Show, allocate and release ports."""
    if ctx.invoked_subcommand is not None:
        return
    view = run(open_application().ports.list)

    def render() -> None:
        rows = table("PORTS", "TYPE", "PROJECT", "ENVIRONMENT")
        for each in view.allocations:
            ports = ", ".join(map(str, each.ports))
            rows.add_row(ports, each.type, text(each.project), text(each.environment))
        out.print(rows if view.allocations else "no port is handed out")
        out.print("[dim]ranges: " + "; ".join(f"{k} {v}" for k, v in view.ranges.items()) + "[/]")

    emit(view, json, render)


@app.command()
def allocate(project: Name, env: Env = "staging", type_: Kind = "app", json: Json = False) -> None:
    """Reserve a port for an environment, or tell the one it has."""
    key = EnvironmentKey(ProjectName(project), EnvironmentName(env))
    kind = PortKind.parse(type_)
    view = run(lambda: open_application().ports.allocate(key, kind, actor()))

    def render() -> None:
        out.print(f"{text(key)} {'has now' if view.created else 'has'} {kind} port {view.port}")
        if view.skipped:
            out.print(f"passed over, held by other programs: {', '.join(map(str, view.skipped))}")

    emit(view, json, render)


@app.command()
def release(project: Name, env: Env = "staging", type_: Kind = "app", json: Json = False) -> None:
    """Give an environment's port back."""
    key = EnvironmentKey(ProjectName(project), EnvironmentName(env))
    kind = PortKind.parse(type_)
    port = run(lambda: open_application().ports.release(key, kind, actor()))
    if json:
        sys.stdout.write(f'{{"released": {port}}}\n')
    else:
        out.print(f"{text(key)} gave back {kind} port {port}")
