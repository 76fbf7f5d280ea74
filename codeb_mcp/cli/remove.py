"""`codeb remove`."""

from functools import partial
from typing import Annotated

import typer

from codeb_mcp.cli.confirming import Yes, confirm
from codeb_mcp.cli.output import Json, actor, emit, out, run, text
from codeb_mcp.cli.progress import watched
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.services.removals import RemovalRequest
from codeb_mcp.services.views import ProjectRemovalView, RemovalView
from codeb_mcp.wiring import open_application


def remove(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")],
    env: Annotated[
        str | None,
        typer.Option(help="production (prod), staging or pr-N; default: the whole project."),
    ] = None,
    volumes: Annotated[
        bool | None,
        typer.Option(help="Remove volumes with their data; default: those of a preview only."),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only print what would go.")] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Take an environment down, or a project with all of them: nothing that runs is left.

    The variables of one environment stay; with the project they go.
    """
    name = ProjectName(project)
    if env is None:
        _remove_project(name, volumes, plan=plan, yes=yes, json=json)
        return
    key = EnvironmentKey(name, EnvironmentName(env))
    removals = open_application().removals
    planned = run(lambda: removals.remove(RemovalRequest(key, actor(), volumes=volumes)))
    if plan:
        emit(planned, json, lambda: _render(planned))
        return
    confirm(f"removing {key}", lambda: _render(planned), yes=yes)
    request = RemovalRequest(key, actor(), planned.plan.digest, volumes)
    view = watched(partial(removals.remove, request), quiet=json)
    emit(view, json, lambda: _render(view))


def _remove_project(
    name: ProjectName, volumes: bool | None, *, plan: bool, yes: bool, json: bool
) -> None:
    removals = open_application().removals
    planned = run(lambda: removals.plan_project(name, volumes))
    if plan:
        emit(planned, json, lambda: _render_project(planned))
        return
    confirm(f"removing the whole of {name}", lambda: _render_project(planned), yes=yes)
    view = watched(partial(removals.close_project, name, actor(), volumes), quiet=json)
    emit(view, json, lambda: _render_project(view))


def _render(view: RemovalView) -> None:
    where = f"{view.project}/{view.environment}"
    out.print(f"[green]✓[/] {where} is gone" if view.removed else f"removing {where} would")
    for number, step in enumerate(view.plan.steps, start=1):
        out.print(f"  {number}. {text(step.sentence)}")
    for path in view.kept:
        out.print(f"  kept: {text(path)}")


def _render_project(view: ProjectRemovalView) -> None:
    for each in view.environments:
        _render(each)
    if view.removed:
        out.print(f"[green]✓[/] project {text(view.project)} is gone")
    else:
        out.print(f"and then forget the project {text(view.project)}")
