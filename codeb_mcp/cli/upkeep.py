"""`codeb gc` and `codeb reconcile`."""

from functools import partial
from typing import Annotated

import typer

from codeb_mcp.cli.confirming import Yes, confirm
from codeb_mcp.cli.output import Json, actor, emit, err, out, run, text
from codeb_mcp.cli.progress import watched
from codeb_mcp.cli.waiting import Wait
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.services.garbage import CollectionRequest
from codeb_mcp.services.reconciling import ReconcileRequest
from codeb_mcp.services.views import GarbageView, ReconcileView
from codeb_mcp.wiring import open_application

FAILED = 5


def gc(
    plan: Annotated[bool, typer.Option("--plan", help="Only print what would go.")] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove what codeb made and nothing needs: orphans, old images, old logs. Nothing else."""
    collection = open_application().collection
    planned = run(lambda: collection.collect(CollectionRequest(actor())))
    if plan or not planned.items:
        emit(planned, json, lambda: _print_garbage(planned))
        return
    confirm("removing what is left over", lambda: _print_garbage(planned), yes=yes)
    request = CollectionRequest(actor(), planned.digest)
    view = watched(partial(collection.collect, request), quiet=json)
    emit(view, json, lambda: _print_collected(view))
    if view.failed:
        raise typer.Exit(FAILED)


def reconcile(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")],
    env: Annotated[str | None, typer.Option(help="Only this environment.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only print what would change.")] = False,
    wait: Wait = 0,
    json: Json = False,
) -> None:
    """Put environments back to what the registry says, without a new release."""
    request = ReconcileRequest(
        ProjectName(project), actor(), EnvironmentName(env) if env else None, plan, wait
    )
    view = watched(partial(open_application().reconciliation.reconcile, request), quiet=json)
    emit(view, json, lambda: _print_reconciled(view))
    codes = [each.exit_code for each in view.environments if each.error]
    if codes:
        raise typer.Exit(codes[0])


def _print_garbage(view: GarbageView) -> None:
    for number, item in enumerate(view.items, start=1):
        out.print(f"  {number}. {text(item.sentence)}", soft_wrap=True)
    if not view.items:
        out.print("nothing is left over")


def _print_collected(view: GarbageView) -> None:
    for sentence in view.removed:
        out.print(f"[green]✓[/] {text(sentence)}", soft_wrap=True)
    for name, why in view.failed.items():
        err.print(f"[red]{text(name)} is left as it is:[/] {text(why)}", soft_wrap=True)


def _print_reconciled(view: ReconcileView) -> None:
    for each in view.environments:
        where = f"{text(view.project)}/{each.environment}"
        for difference in each.differed:
            out.print(f"{where}: {text(difference.message)}", soft_wrap=True)
        if each.error:
            err.print(f"[red]{where} could not be mended:[/] {text(each.error)}", soft_wrap=True)
        elif not each.plan.steps:
            out.print(f"[green]✓[/] {where} is as the registry says")
        else:
            out.print(f"reconciling {where} would" if view.dry_run else f"[green]✓[/] {where}:")
            for number, step in enumerate(each.plan.steps, start=1):
                out.print(f"  {number}. {text(step.sentence)}", soft_wrap=True)
