"""`codeb heal`."""

from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, emit, out, run, text
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.diagnosing import DiagnosisView, IncidentView
from codeb_mcp.wiring import open_application

_SHOWN = 20
_WITH_EXCERPT = 3


def heal(
    logs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LOG]...", help="Files, folders of logs, or - for standard input."),
    ] = None,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Say what failed, where, and what caused what.")
    ] = False,
    json: Json = False,
) -> None:
    """Read failure logs of builds, tests and scans: root causes first."""
    if not analyze or not logs:
        raise InvalidRequest(
            "codeb heal can read failure logs, and nothing else yet",
            hint="codeb heal --analyze ci.log (or a folder, or - for standard input)",
            code="nothing_to_analyze",
        )
    view = run(lambda: open_application().diagnosing.analyze(logs))
    emit(view, json, lambda: _print(view))


def _print(view: DiagnosisView) -> None:
    if view.failed_step or view.exit_code is not None:
        code = f" (exit code {view.exit_code})" if view.exit_code is not None else ""
        out.print(f"[bold]failed:[/] {text(view.failed_step or 'a step')}{code}", soft_wrap=True)
    if not view.incidents:
        out.print("no failure was found")
    for number, each in enumerate(view.incidents[:_SHOWN]):
        _print_incident(each, with_excerpt=number < _WITH_EXCERPT)
    if view.truncated or len(view.incidents) > _SHOWN:
        out.print("[dim]there are more; --json lists up to 100[/]")


def _print_incident(each: IncidentView, with_excerpt: bool) -> None:
    place = ":".join(str(part) for part in (each.file, each.line, each.column) if part)
    mark = "[dim]  └ follows:[/] " if each.caused_by else ""
    code = f" {each.code}" if each.code else ""
    log = f" of {each.log}" if each.log else ""
    out.print(
        f"{mark}[bold red]{each.type}[/] {text(each.tool)} [bold]{text(place)}[/]{text(code)}"
        f" [dim]line {each.log_line}{text(log)}[/]",
        soft_wrap=True,
    )
    out.print(f"  {text(each.message)}", soft_wrap=True)
    if not each.healable:
        out.print("  [yellow]no change of code heals this[/]")
    if with_excerpt:
        for line in each.excerpt.splitlines():
            out.print(f"  [dim]{text(line)}[/]", soft_wrap=True)
