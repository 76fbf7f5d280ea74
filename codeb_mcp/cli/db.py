"""`codeb db`."""

import sys
from functools import partial
from typing import Annotated

import typer

from codeb_mcp.cli.confirming import Yes, confirm
from codeb_mcp.cli.output import Json, actor, coloured, emit, out, run, table, text
from codeb_mcp.cli.progress import watched
from codeb_mcp.domain.confinement import parse_memory
from codeb_mcp.domain.databases import DatabaseId, Engine, Mode, PreviewTemplate, Version
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import Refused
from codeb_mcp.services.database_views import DatabaseRemovalView, DatabasesView, DatabaseView
from codeb_mcp.services.databases import DatabaseRequest
from codeb_mcp.wiring import open_application

app = typer.Typer(help="Databases and caches of environments.", no_args_is_help=True)

Project = Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")]
Some = Annotated[str | None, typer.Argument(metavar="[PROJECT]", help="Only this project's.")]
Env = Annotated[str, typer.Option(help="production (prod), staging or pr-N.")]
EnvOrPreview = Annotated[
    str,
    typer.Option(help="production (prod), staging, pr-N, or preview: every preview to come."),
]
PREVIEW = "preview"
Type = Annotated[str, typer.Option("--type", help="postgres or redis.")]


def _id(project: str, env: str, type_: str) -> DatabaseId:
    key = EnvironmentKey(ProjectName(project), EnvironmentName(env))
    return DatabaseId(key, Engine.parse(type_))


@app.command("create")
def create(
    project: Project,
    env: EnvOrPreview = "staging",
    type_: Type = "postgres",
    shared: Annotated[
        bool | None,
        typer.Option(
            "--shared/--dedicated",
            help="In the server that projects share, or in one of its own (the default).",
        ),
    ] = None,
    version: Annotated[str | None, typer.Option(help="Such as 17; default: the newest.")] = None,
    memory: Annotated[
        str | None, typer.Option(help="Limit of a dedicated server, such as 512m.")
    ] = None,
    json: Json = False,
) -> None:
    """Give an environment a database; its URL becomes DATABASE_URL or REDIS_URL.

    Called again it changes nothing, or finishes what was interrupted.
    """
    mode = None if shared is None else Mode.SHARED if shared else Mode.DEDICATED
    if env == PREVIEW:
        template = PreviewTemplate(
            ProjectName(project),
            Engine.parse(type_),
            mode or Mode.DEDICATED,
            Version.of(Engine.parse(type_), version),
            parse_memory(memory) if memory else None,
        )
        templates = run(lambda: open_application().databases.put_template(template, actor()))
        emit(templates, json, lambda: _render(templates, with_status=False))
        return
    request = DatabaseRequest(
        _id(project, env, type_), actor(), mode, version, parse_memory(memory) if memory else None
    )
    view = watched(partial(open_application().databases.create, request), quiet=json)
    emit(view, json, lambda: _render_created(view))


@app.command("list")
def list_(project: Some = None, json: Json = False) -> None:
    """List the databases."""
    name = ProjectName(project) if project else None
    view = run(lambda: open_application().databases.list(name))
    emit(view, json, lambda: _render(view, with_status=False))


@app.command("status")
def status(project: Some = None, json: Json = False) -> None:
    """Ask each database how it is."""
    name = ProjectName(project) if project else None
    view = run(lambda: open_application().databases.status(name))
    emit(view, json, lambda: _render(view, with_status=True))


@app.command("shell")
def shell(project: Project, env: Env = "staging", type_: Type = "postgres") -> None:
    """Open psql or redis-cli in the database, as the application's user."""
    database = _id(project, env, type_)
    code = run(lambda: open_application().databases.shell(database, actor()))
    raise typer.Exit(code)


@app.command("url")
def url(
    project: Project,
    env: Env = "staging",
    type_: Type = "postgres",
    show: Annotated[bool, typer.Option("--show", help="Print it, with the password.")] = False,
) -> None:
    """Say where the connection URL is kept; with --show, on a terminal, print it."""
    database = _id(project, env, type_)
    found = run(lambda: open_application().databases.url(database))
    if not show:
        out.print(f"in {database.engine.variable} of {text(database.key)}: {found}")
        return
    if not sys.stdout.isatty():
        raise Refused(
            "the URL holds a password and is shown on a terminal only",
            hint="call it without redirecting its output",
            code="not_a_terminal",
        )
    sys.stdout.write(f"{found.reveal()}\n")


@app.command("remove")
def remove(
    project: Project,
    env: EnvOrPreview = "staging",
    type_: Type = "postgres",
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would go.")] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove a database with its data, after a last backup."""
    if env == PREVIEW:
        name, engine = ProjectName(project), Engine.parse(type_)
        templates = run(lambda: open_application().databases.remove_template(name, engine, actor()))
        emit(templates, json, lambda: _render(templates, with_status=False))
        return
    database = _id(project, env, type_)
    removals = open_application().database_removals
    view = run(lambda: removals.remove(database, actor()))
    if not plan:
        confirm(
            f"removing the {database.engine.label} of {database.key}",
            lambda: _render_removal(view),
            yes=yes,
        )
        digest = view.digest
        view = run(lambda: removals.remove(database, actor(), digest))
    emit(view, json, lambda: _render_removal(view))


def _render_created(view: DatabaseView) -> None:
    did = "is ready" if view.changed else "is there already"
    out.print(
        f"[green]✓[/] {view.type} {view.version} of {text(view.project)}/{view.environment} {did}"
    )
    out.print(f"  {view.variable} leads to {text(view.host)}; on this host 127.0.0.1:{view.port}")
    if view.next:
        out.print(f"next: codeb deploy {text(view.project)} --env {view.environment}")


def _render(view: DatabasesView, *, with_status: bool) -> None:
    for each in view.previews:
        which = f"{each.type} {each.version} ({each.mode})"
        out.print(f"each preview of {text(each.project)} gets with its deploy: {which}")
    if not view.databases:
        out.print("no databases")
        return
    columns = ["PROJECT", "ENVIRONMENT", "TYPE", "VERSION", "MODE", "PORT", "MEMORY"]
    rows = table(*columns, *(["STATUS"] if with_status else []))
    for found in view.databases:
        rows.add_row(
            *(text(found.project), found.environment, found.type, found.version, found.mode),
            *(str(found.port), found.memory or ""),
            *([f"{coloured(found.status)} {text(found.reason)}"] if with_status else []),
        )
    out.print(rows)


def _render_removal(view: DatabaseRemovalView) -> None:
    where = f"the {view.type} of {text(view.project)}/{view.environment}"
    if view.removed:
        out.print(f"[green]✓[/] {where} is gone")
        if view.backup:
            out.print(f"  last backup: {text(view.backup)}")
        return
    for step in view.steps:
        out.print(f"  {text(step)}")
    out.print(f"[dim]digest {view.digest}[/]")
