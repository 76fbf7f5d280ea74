"""`codeb db backup|backups|restore|confirm`: databases, backed up and brought back."""

from functools import partial
from typing import Annotated

import typer

from codeb_mcp.adapters.identity import read_identity
from codeb_mcp.cli.backup import Identity, render_backups
from codeb_mcp.cli.confirming import Yes, confirm
from codeb_mcp.cli.output import Json, actor, emit, out, run, text
from codeb_mcp.cli.progress import watched
from codeb_mcp.domain.databases import DatabaseId, Engine
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.services.backup_views import RestoreView
from codeb_mcp.services.restores import RestoreRequest
from codeb_mcp.wiring import open_application

Project = Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")]
Env = Annotated[str, typer.Option(help="production (prod), staging or pr-N.")]
Type = Annotated[str, typer.Option("--type", help="postgres.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to `codeb db`."""
    app.command("backup")(backup)
    app.command("backups")(backups)
    app.command("restore")(restore)
    app.command("confirm")(confirm_)


def backup(
    project: Project, env: Env = "staging", type_: Type = "postgres", json: Json = False
) -> None:
    """Back a database up, encrypted to the keys in backup_recipients."""
    database = _id(project, env, type_)
    work = partial(open_application().backups.back_up, database, actor())
    view = watched(work, quiet=json)
    emit(view, json, lambda: render_backups([view], ""))


def backups(project: Project, json: Json = False) -> None:
    """List a project's backups, oldest first."""
    name = ProjectName(project)
    view = run(lambda: open_application().backups.backups(name))
    emit(view, json, lambda: render_backups(view.backups, "no backups"))


def restore(
    project: Project,
    backup: Annotated[str, typer.Argument(metavar="BACKUP", help="Its name, or its path.")],
    env: Env = "staging",
    type_: Type = "postgres",
    identity: Identity = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be done.")] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Put a backup in place of a database's data, which is kept until it is confirmed."""
    application, database = open_application(), _id(project, env, type_)
    request = RestoreRequest(database, application.backups.located(backup), actor())
    view = run(lambda: application.restores.plan(request))
    if not plan:
        confirm(f"the restore of {database}", lambda: _render(view), yes=yes)
        agreed = RestoreRequest(database, request.path, request.actor, view.digest)
        key = read_identity(identity)
        view = watched(partial(application.restores.restore, agreed, key), quiet=json)
    emit(view, json, lambda: _render(view))


def confirm_(
    project: Project,
    env: Env = "staging",
    type_: Type = "postgres",
    undo: Annotated[
        bool, typer.Option("--undo", help="Put the data of before back instead.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove the data that a restore replaced, or put it back."""
    database = _id(project, env, type_)
    gone = "what was restored" if undo else "the data of before the restore"
    confirm(
        f"removing {gone}", lambda: out.print(f"{gone} of {text(database)} is removed"), yes=yes
    )
    restores = open_application().restores
    view = run(lambda: restores.confirm(database, actor(), undo=undo))
    emit(view, json, lambda: out.print(f"[green]✓[/] {gone} is gone"))


def _id(project: str, env: str, type_: str) -> DatabaseId:
    key = EnvironmentKey(ProjectName(project), EnvironmentName(env))
    return DatabaseId(key, Engine.parse(type_))


def _render(view: RestoreView) -> None:
    if view.done:
        rows = f", {view.rows} rows" if view.rows is not None else ""
        out.print(f"[green]✓[/] {text(view.backup)} is in place{rows}")
        if view.kept_until:
            out.print(
                f"  the data of before is kept until {view.kept_until:%Y-%m-%d}; next: codeb db "
                f"confirm {text(view.project)} --env {view.environment} (or --undo)"
            )
        return
    if view.warning:
        out.print(f"[bold yellow]warning:[/] {text(view.warning)}")
    for step in view.steps:
        out.print(f"  {text(step)}")
    out.print(f"[dim]digest {view.digest}[/]")
