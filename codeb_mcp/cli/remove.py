"""`codeb remove`."""

import sys
from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, actor, emit, err, out, run, text
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import Refused
from codeb_mcp.services.deployments import Progress
from codeb_mcp.services.removals import RemovalRequest
from codeb_mcp.services.views import RemovalView
from codeb_mcp.wiring import open_application


def remove(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")],
    env: Annotated[str, typer.Option(help="production (prod), staging or pr-N.")],
    volumes: Annotated[
        bool | None,
        typer.Option(help="Remove volumes with their data; default: those of a preview only."),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only print what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Take an environment down: containers, route, records, images, ports, history."""
    key = EnvironmentKey(ProjectName(project), EnvironmentName(env))
    removals = open_application().removals
    planned = run(lambda: removals.remove(RemovalRequest(key, actor(), volumes=volumes)))
    if plan:
        emit(planned, json, lambda: _render(planned))
        return
    if not yes:
        _ask(planned)

    async def tell(progress: Progress) -> None:
        if not json:
            err.print(f"[{progress.done + 1}/{progress.total}] {progress.message}", markup=False)

    request = RemovalRequest(key, actor(), planned.plan.digest, volumes)
    view = run(lambda: removals.remove(request, tell))
    emit(view, json, lambda: _render(view))


def _ask(planned: RemovalView) -> None:
    """Ask at the terminal; without one nobody can have meant it."""
    if not sys.stdin.isatty():
        raise Refused(
            f"removing {planned.project}/{planned.environment} was not confirmed",
            hint="look at --plan, then call again with --yes",
            code="not_confirmed",
        )
    _render(planned)
    typer.confirm("Remove all this?", abort=True)


def _render(view: RemovalView) -> None:
    where = f"{view.project}/{view.environment}"
    out.print(f"[green]✓[/] {where} is gone" if view.removed else f"removing {where} would")
    for number, step in enumerate(view.plan.steps, start=1):
        out.print(f"  {number}. {text(step.sentence)}")
    for path in view.kept:
        out.print(f"  kept: {text(path)}")
