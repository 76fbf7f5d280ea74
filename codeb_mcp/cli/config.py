"""`codeb config`: a project's settings."""

from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, actor, emit, out, run, table, text
from codeb_mcp.domain.names import ProjectName
from codeb_mcp.planning.configuration import parse_settings
from codeb_mcp.services.views import ConfigView
from codeb_mcp.wiring import open_application

app = typer.Typer(help="A project's settings: limits, volumes, port.", no_args_is_help=True)

Project = Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")]


@app.command("set")
def set_(
    project: Project,
    settings: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE...",
            help="memory=512m, cpus=0.5, pids=256, volumes=data:/var/lib/data, "
            "caps=CHOWN,SETUID,SETGID, read_only=true, port=8080, health_check=/health, "
            "start_command=…, require=DATABASE_URL; an empty value takes a setting away.",
        ),
    ],
    json: Json = False,
) -> None:
    """Change settings; the next deploy puts them in force."""
    name, chosen = ProjectName(project), parse_settings(settings)
    view = run(lambda: open_application().configuration.change(name, actor(), chosen))
    emit(view, json, lambda: _render(view))


@app.command("show")
def show(project: Project, json: Json = False) -> None:
    """Show the settings. A limit that is not there is Podman's own."""
    name = ProjectName(project)
    view = run(lambda: open_application().configuration.change(name, actor(), {}))
    emit(view, json, lambda: _render(view))


def _render(view: ConfigView) -> None:
    if view.changed:
        out.print(f"[green]✓[/] changed {text(', '.join(view.changed))}")
    rows = table("SETTING", "VALUE")
    for name, value in view.settings.items():
        rows.add_row(text(name), text(value))
    out.print(rows)
    if view.changed:
        out.print(f"next: codeb deploy {text(view.project)}")
