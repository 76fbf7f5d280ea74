"""`codeb init`, `codeb list`, `codeb status`, `codeb history` and `codeb open`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, actor, coloured, emit, out, run, table, text
from codeb_mcp.domain.names import EnvironmentName, HealthPath, ProjectName, VariableName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.planning.companions import Companion
from codeb_mcp.services.projects import NewProject
from codeb_mcp.services.views import EnvironmentView, StatusView
from codeb_mcp.wiring import open_application

Name = Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")]


def init(
    project: Name,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            help="nextjs, node, python, static, go, dockerfile or image; default: what is found.",
        ),
    ] = None,
    repository: Annotated[str, typer.Option(help="URL of its git repository.")] = "",
    health_check: Annotated[
        str, typer.Option(help="Path that answers 2xx or 3xx when it is healthy.")
    ] = "/",
    port: Annotated[
        int | None, typer.Option(help="Port it listens on; default: the image's own, or 8080.")
    ] = None,
    build_command: Annotated[str | None, typer.Option(help="Command that builds it.")] = None,
    start_command: Annotated[
        str | None, typer.Option(help="Command that starts it, instead of the image's own.")
    ] = None,
    require: Annotated[
        list[str] | None, typer.Option(help="A variable that a deploy must have; repeatable.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(help="Its source folder; default: this one, if it looks like one."),
    ] = None,
    with_: Annotated[
        str,
        typer.Option(
            "--with",
            help="MCP servers beside codeb in .mcp.json: sequential-thinking,context7,playwright.",
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Register a project, and write what its source folder lacks.

    A Containerfile, a .containerignore and .mcp.json are written where they are missing, and in a
    git repository the workflows of GitHub Actions and Claude Code's hook; what is there is never
    replaced.
    """
    new = NewProject(
        name=ProjectName(project),
        type=ProjectType.parse(type_) if type_ else None,
        repository=repository,
        build_command=build_command,
        start_command=start_command,
        health_check=HealthPath(health_check),
        env_vars=tuple(VariableName(name) for name in require or ()),
        port=port,
        companions=Companion.parse(with_),
    )
    folder = (source or Path()).absolute()
    view = run(
        lambda: open_application().projects.init(new, actor(), folder, named=source is not None)
    )

    def render() -> None:
        out.print(f"[green]✓[/] project [bold]{text(view.project)}[/] ({view.type}) is registered")
        for reason in view.reasons:
            out.print(f"  [dim]{text(reason)}[/]", soft_wrap=True)
        for path in view.files:
            out.print(f"  wrote {text(path)}", soft_wrap=True)
        if view.note:
            out.print(f"  {text(view.note)}", soft_wrap=True)
        where = f" --source {text(source)}" if source else ""
        out.print(f"next: codeb deploy {text(view.project)} --env staging{where}")

    emit(view, json, render)


def list_all(json: Json = False) -> None:
    """List the projects and how their environments stand."""
    view = run(open_application().projects.list)

    def render() -> None:
        if not view.projects:
            out.print("no projects yet; next: codeb init PROJECT")
            return
        rows = table("PROJECT", "TYPE", "ENVIRONMENT", "STATUS", "ADDRESS")
        for project in view.projects:
            for environment, status in project.environments.items() or {"-": "empty"}.items():
                address = text(project.urls.get(environment, ""))
                rows.add_row(
                    text(project.name), project.type, environment, coloured(status), address
                )
        out.print(rows)

    emit(view, json, render)


def status(
    project: Name,
    env: Annotated[str | None, typer.Option(help="Only this environment.")] = None,
    json: Json = False,
) -> None:
    """Show how a project's environments stand on the running systems."""
    name, only = ProjectName(project), EnvironmentName(env) if env else None
    view = run(lambda: open_application().projects.status(name, only))
    emit(view, json, lambda: _render_status(view))


def history(
    project: Name,
    env: Annotated[str, typer.Option(help="production (prod), staging or pr-N.")] = "staging",
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many at most.")] = 20,
    json: Json = False,
) -> None:
    """List an environment's releases, newest first."""
    key = EnvironmentKey(ProjectName(project), EnvironmentName(env))
    view = run(lambda: open_application().projects.history(key, lines))

    def render() -> None:
        rows = table("RELEASE", "STATUS", "VERSION", "WHEN", "BY", "IMAGE", "KEPT")
        for each in view.releases:
            kept = "yes" if each.number in view.kept else ""
            when = f"{each.started_at:%Y-%m-%d %H:%M:%S}"
            version, by, image = text(each.version), text(each.requested_by), text(each.image)
            rows.add_row(str(each.number), coloured(each.status), version, when, by, image, kept)
        out.print(rows)

    emit(view, json, render)


def open_(
    project: Name,
    env: Annotated[str, typer.Option(help="production (prod), staging or pr-N.")] = "staging",
    json: Json = False,
) -> None:
    """Open an environment's address in the browser, or print it where there is none."""
    name, only = ProjectName(project), EnvironmentName(env)
    (view,) = run(lambda: open_application().projects.status(name, only)).environments

    def render() -> None:
        out.print(text(view.url))
        if sys.stdout.isatty():
            typer.launch(view.url)

    emit(view, json, render)


def _render_status(view: StatusView) -> None:
    repository = f"  {text(view.repository)}" if view.repository else ""
    out.print(f"[bold]{text(view.project)}[/] ({view.type}){repository}")
    if not view.environments:
        out.print(f"nothing is deployed yet; next: codeb deploy {text(view.project)}")
        return
    rows = table("ENVIRONMENT", "STATUS", "RELEASE", "VERSION", "SLOT", "HEALTH", "ADDRESS")
    for each in view.environments:
        rows.add_row(*_row(each))
    out.print(rows)
    for each in view.environments:
        if each.busy:
            out.print(f"{each.environment}: being changed by {text(each.busy)}")
        for difference in each.drift:
            out.print(f"[yellow]{each.environment}: {text(difference.message)}[/]", soft_wrap=True)
        if each.drift:
            out.print(f"next: codeb reconcile {text(view.project)} --env {each.environment}")
        if each.latest and each.latest.status in ("failed", "interrupted"):
            out.print(
                f"{each.environment}: release {each.latest.number} {each.latest.status}: "
                f"{text(each.latest.message)}"
            )


def _row(view: EnvironmentView) -> tuple[str, ...]:
    live = view.live
    return (
        view.environment,
        coloured(view.status),
        str(live.number) if live else "-",
        text(live.version) if live else "-",
        view.slot or "-",
        text(view.health or "-"),
        text(view.url),
    )
