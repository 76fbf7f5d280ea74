"""`codeb backup`: backups of this server, encrypted to a key that it does not have."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from codeb_mcp.adapters.identity import read_identity
from codeb_mcp.cli.output import Json, actor, emit, out, run, table, text
from codeb_mcp.cli.progress import watched
from codeb_mcp.domain.job import Schedule
from codeb_mcp.domain.names import ProjectName
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.backup_views import BackupsView, BackupView
from codeb_mcp.wiring import open_application

app = typer.Typer(help="Encrypted backups of this server.", no_args_is_help=True)

Some = Annotated[str | None, typer.Argument(metavar="[PROJECT]", help="Only this project's.")]
Backup = Annotated[str, typer.Argument(metavar="BACKUP", help="The backup's name, or its path.")]
Identity = Annotated[
    Path | None,
    typer.Option(help="File with the age key (mode 0600); asked for on a terminal otherwise."),
]

KEY_HELP = """\
On a machine of your own, not on this server:

    apt-get install age
    age-keygen -o codeb-backup.key        # prints: Public key: age1…
    chmod 600 codeb-backup.key            # keep it, and a copy on paper: without it no backup opens

On this server, in {config}:

    backup_recipients = ["age1…"]

The server can then make backups, and read none of them. To restore, bring the key for as long as
that takes: --identity FILE."""


@app.command("key")
def key() -> None:
    """Say how to make the key that backups are encrypted to."""
    out.print(KEY_HELP.format(config="config.toml in codeb's folder"), markup=False)


@app.command("run")
def run_(project: Some = None, json: Json = False) -> None:
    """Back up all there is: codeb's own state, databases and volumes; then let old backups go."""
    name = ProjectName(project) if project else None
    work = partial(open_application().backups.run, actor(), name)
    view = watched(work, quiet=json)
    emit(view, json, lambda: render_backups(view.backups, "nothing to back up"))


@app.command("list")
def list_(project: Some = None, json: Json = False) -> None:
    """List the backups, oldest first."""
    name = ProjectName(project) if project else None
    view = run(lambda: open_application().backups.backups(name))
    emit(view, json, lambda: _render_list(view))


@app.command("schedule")
def schedule(
    when: Annotated[
        str | None, typer.Argument(metavar="[WHEN]", help='As systemd writes it: "*-*-* 02:00".')
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Make none by themselves.")] = False,
    json: Json = False,
) -> None:
    """Make all backups by a schedule, or stop doing so."""
    if (when is None) is not off:
        raise InvalidRequest(
            "either a schedule or --off is needed",
            hint='for example: codeb backup schedule "*-*-* 02:00"',
            code="invalid_schedule",
        )
    wanted = Schedule(when) if when else None
    view = run(lambda: open_application().backups.schedule(wanted, actor()))
    told = f"backups are made next on {text(view.coming)}" if view.coming else "no schedule"
    emit(view, json, lambda: out.print(told))


@app.command("check")
def check(backup: Backup, identity: Identity = None, json: Json = False) -> None:
    """Decrypt a backup to its end and compare it with its manifest; nothing is restored."""
    backups = open_application().backups
    work = partial(backups.check, backups.located(backup), read_identity(identity))
    view = watched(work, quiet=json)
    emit(view, json, lambda: out.print(f"[green]✓[/] {text(view.name)} {text(view.message)}"))


@app.command("verify")
def verify(backup: Backup, identity: Identity = None, json: Json = False) -> None:
    """Restore a database's backup for a trial, beside it, and compare every table."""
    application = open_application()
    path = application.backups.located(backup)
    work = partial(application.restores.verify, path, read_identity(identity), actor())
    view = watched(work, quiet=json)
    emit(view, json, lambda: out.print(f"[green]✓[/] {text(view.name)} {text(view.message)}"))


def _render_list(view: BackupsView) -> None:
    render_backups(view.backups, "no backups")
    coming = f"; next on {view.coming}" if view.coming else "; none are made by themselves"
    out.print(f"[dim]in {text(view.folder)}{text(coming)}[/]")


def render_backups(backups: list[BackupView], nothing: str) -> None:
    """A table of backups, or `nothing`."""
    if not backups:
        out.print(nothing)
        return
    rows = table("BACKUP", "SIZE", "GOOD", "VERIFIED")
    for each in backups:
        good = "[green]yes[/]" if each.good else f"[red]no[/]: {text(each.problem)}"
        trial = "-" if each.verified_at is None else f"{each.verified_at:%Y-%m-%d}"
        verified = f"[red]failed {trial}[/]" if each.verified is False else trial
        rows.add_row(text(each.name), f"{each.size / 1_000_000:.1f} MB", good, verified)
    out.print(rows)
