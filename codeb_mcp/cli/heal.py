"""`codeb heal`."""

from pathlib import Path
from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, actor, emit, out, run, table, text
from codeb_mcp.cli.progress import watched
from codeb_mcp.domain.healing import HealOutcome, Limits
from codeb_mcp.domain.incident import Diagnosis
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.diagnosing import DiagnosisView, IncidentView
from codeb_mcp.services.healing import HealRequest
from codeb_mcp.services.healing_views import AttemptView, HealHistoryView, HealView
from codeb_mcp.services.project_healing import HealWanted
from codeb_mcp.settings import Settings, load_settings
from codeb_mcp.wiring import open_application

HISTORY = "history"
NOT_HEALED = 3
_SHOWN = 20
_WITH_EXCERPT = 3


def heal(
    subjects: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROJECT|history]",
            help="A project; history: earlier heals; with --analyze, logs.",
        ),
    ] = None,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Only say what failed, where, and what caused what.")
    ] = False,
    log: Annotated[
        list[str] | None,
        typer.Option("--log", metavar="FILE", help="The failed job's log: file, folder, or -."),
    ] = None,
    repo: Annotated[
        Path | None, typer.Option(help="Where the code that failed is checked out.")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--env", help="Whose failed release; default: the newest.")
    ] = None,
    branch: Annotated[
        str | None, typer.Option(help="The branch that failed, when a commit is checked out.")
    ] = None,
    fixer: Annotated[
        str | None, typer.Option(help="Who is asked: claude, anthropic or copilot.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="End with the patch.")] = False,
    push: Annotated[bool, typer.Option("--push", help="Send the fix to the remote.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Although this failure of this code was tried.")
    ] = False,
    max_attempts: Annotated[int | None, typer.Option(min=1, max=10)] = None,
    time_limit: Annotated[float | None, typer.Option(min=1, help="Seconds.")] = None,
    cost_limit: Annotated[float | None, typer.Option(min=0.01, help="US dollars.")] = None,
    json: Json = False,
) -> None:
    """Heal a failure: find its cause, have it fixed, and commit what is proved to be a fix.

    A fix is committed only when the guard allows it and the checks pass. Leaves with 0 when there
    is one, 3 when there is none, and says why.
    """
    names = subjects or []
    if analyze:
        _analyze([*names, *(log or [])], json)
        return
    if names == [HISTORY]:
        history = run(open_application().healing.history)
        emit(history, json, lambda: _print_history(history))
        return
    if len(names) > 1:
        raise InvalidRequest(
            "only one project is healed at a time",
            hint="codeb heal PROJECT, or codeb heal --log FILE --repo DIR; --analyze reads logs",
        )
    if not names and not log:
        raise InvalidRequest(
            "there is nothing to heal by: codeb heal can read failure logs and heal projects",
            hint="codeb heal PROJECT, codeb heal --log ci.log --repo DIR, or --analyze ci.log",
            code="nothing_to_heal",
        )
    settings = load_settings()
    options = HealRequest(
        folder=Path(),
        diagnosis=Diagnosis(),
        actor=actor(),
        branch=branch,
        fixer=fixer,
        limits=_limits(settings, max_attempts, time_limit, cost_limit),
        dry_run=dry_run,
        push=push,
        again=again,
    )
    folder = repo.absolute() if repo else None
    if folder is None and log and not names:
        folder = Path().absolute()
    wanted = HealWanted(
        options,
        ProjectName(names[0]) if names else None,
        EnvironmentName(environment) if environment else None,
        tuple(log or ()),
        folder,
    )
    healing = open_application(settings).project_healing
    view = watched(lambda report: healing.heal(wanted, report), quiet=json)
    emit(view, json, lambda: _print_heal(view))
    if not HealOutcome(view.outcome).healed:
        raise typer.Exit(NOT_HEALED)


def _limits(
    settings: Settings, attempts: int | None, seconds: float | None, usd: float | None
) -> Limits:
    return Limits(
        attempts or settings.heal_attempts,
        seconds or settings.heal_seconds,
        usd or settings.heal_usd,
    )


def _analyze(logs: list[str], as_json: bool) -> None:
    if not logs:
        raise InvalidRequest(
            "there is no log to analyze",
            hint="codeb heal --analyze ci.log (or a folder, or - for standard input)",
            code="nothing_to_analyze",
        )
    view = run(lambda: open_application().diagnosing.analyze(logs))
    emit(view, as_json, lambda: _print(view))


def _print_heal(view: HealView) -> None:
    if view.incident is not None:
        _print_incident(view.incident, with_excerpt=False)
    for attempt in view.attempts:
        _print_attempt(attempt)
    for line in view.diff.splitlines():
        out.print(text(line), soft_wrap=True)
    shade = "green" if HealOutcome(view.outcome).healed else "yellow"
    out.print(f"[{shade}]{view.outcome}[/]: {text(view.reason)}", soft_wrap=True)
    if view.commit:
        sent = ", sent" if view.pushed else ""
        out.print(f"{view.commit[:12]} on {text(view.branch or '')}{sent}")
    if view.pull_request:
        out.print(text(view.pull_request))
    if view.hint:
        out.print(f"[bold]next:[/] {text(view.hint)}", soft_wrap=True)


def _print_attempt(attempt: AttemptView) -> None:
    out.print(f"attempt {attempt.number}: {text(attempt.refused or 'taken')}", soft_wrap=True)
    for each in attempt.findings:
        out.print(f"  {each.severity} {text(each.path)}:{each.line} {each.rule}", soft_wrap=True)
    for check in attempt.checks:
        mark = "[green]passed[/]" if check.passed else "[red]failed[/]"
        out.print(f"  {mark} {text(check.command)} [dim]{check.seconds:.1f} s[/]", soft_wrap=True)


def _print_history(view: HealHistoryView) -> None:
    if not view.heals:
        out.print("nothing was healed yet")
        return
    rows = table("when", "what", "failure", "branch", "attempts", "why")
    for each in view.heals:
        rows.add_row(
            f"{each.at:%Y-%m-%d %H:%M}",
            each.outcome,
            each.fingerprint,
            text(each.branch or ""),
            str(each.attempts),
            text(each.message),
        )
    out.print(rows)


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
