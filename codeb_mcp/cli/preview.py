"""`codeb preview`."""

from functools import partial
from typing import Annotated

import typer

from codeb_mcp.cli.confirming import Yes, confirm
from codeb_mcp.cli.output import Json, actor, coloured, emit, err, out, run, table, text
from codeb_mcp.cli.progress import watched
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.services.views import PreviewView, PruneView, RemovalView
from codeb_mcp.wiring import open_application

app = typer.Typer(help="The previews of pull requests.", no_args_is_help=True)

FAILED = 5


@app.command("list")
def list_(
    project: Annotated[
        str | None, typer.Argument(metavar="[PROJECT]", help="Only this project's.")
    ] = None,
    json: Json = False,
) -> None:
    """List the previews and when they expire."""
    name = ProjectName(project) if project else None
    view = run(lambda: open_application().previews.list(name))
    emit(view, json, lambda: _print(view.previews))


@app.command("remove")
def remove(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")],
    preview: Annotated[str, typer.Argument(metavar="PREVIEW", help="pr-N.")],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Close a preview: all of it goes, and a deploy of it that is under way is stopped."""
    key = EnvironmentKey(ProjectName(project), EnvironmentName(preview))
    previews = open_application().previews
    confirm(f"closing {key}", lambda: out.print(f"{text(key)} will go, with all it holds"), yes=yes)
    view = watched(partial(previews.close, key, actor()), quiet=json)
    emit(view, json, lambda: _print_closed(view))


@app.command("prune")
def prune(
    plan: Annotated[bool, typer.Option("--plan", help="Only list what would go.")] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove the previews whose time is over; what a timer calls."""
    previews = open_application().previews
    if not plan and not yes:
        planned = run(lambda: previews.prune(actor(), dry_run=True))
        confirm("removing expired previews", lambda: _print(planned.expired), yes=yes)
    view = run(lambda: previews.prune(actor(), dry_run=plan))
    emit(view, json, lambda: _print_pruned(view))
    if view.failed:
        raise typer.Exit(FAILED)


def _print(previews: list[PreviewView]) -> None:
    if not previews:
        out.print("no previews")
        return
    rows = table("PROJECT", "PREVIEW", "STATUS", "EXPIRES", "ADDRESS")
    for each in previews:
        ends = f"{each.expires_at:%Y-%m-%d %H:%M} UTC" if each.expires_at else "never"
        shown = f"[yellow]{ends} (over)[/]" if each.expired else ends
        rows.add_row(
            text(each.project), each.environment, coloured(each.status), shown, text(each.url)
        )
    out.print(rows)


def _print_closed(view: RemovalView) -> None:
    where = f"{text(view.project)}/{view.environment}"
    out.print(f"[green]✓[/] {where} is gone" if view.plan.steps else f"there is no {where}")


def _print_pruned(view: PruneView) -> None:
    if view.dry_run:
        _print(view.expired)
        return
    for name in view.removed:
        out.print(f"[green]✓[/] {text(name)} is gone")
    for name, why in view.failed.items():
        err.print(f"[red]{text(name)} is still there:[/] {text(why)}", soft_wrap=True)
    if not view.removed and not view.failed:
        out.print("no preview's time is over")
