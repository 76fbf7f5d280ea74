"""The command line as a whole: its groups, and how it leaves."""

import sys
from typing import Annotated

import typer

from codeb_mcp import __version__
from codeb_mcp.cli import (
    backup,
    certificates,
    ci,
    config,
    db,
    db_backups,
    deploy,
    domains,
    env,
    guard,
    heal,
    jobs,
    local,
    login,
    logs,
    ports,
    preview,
    projects,
    registry,
    remove,
    run,
    server,
    upkeep,
)
from codeb_mcp.cli.output import err, print_error, text
from codeb_mcp.cli.waiting import with_seconds
from codeb_mcp.errors import CodebError

app = typer.Typer(
    name="codeb",
    help="Deploy projects to this server: without downtime, with names, ports and logs.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(projects.init)
app.command("list")(projects.list_all)
app.command("status")(projects.status)
app.command("deploy")(deploy.deploy)
app.command("rollback")(deploy.rollback)
app.command("remove")(remove.remove)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("history")(projects.history)
app.command("open")(projects.open_)
app.command("logs")(logs.logs)
app.command("run")(run.run_command)
app.command("heal")(heal.heal)
app.command("guard")(guard.guard)
app.command("reconcile")(upkeep.reconcile)
app.command("gc")(upkeep.gc)
app.command("history")(projects.history)
app.command("open")(projects.open_)
app.command("logs")(logs.logs)
app.add_typer(preview.app, name="preview")
db_backups.add_to(db.app)
app.add_typer(db.app, name="db")
app.add_typer(env.app, name="env")
app.add_typer(config.app, name="config")
app.add_typer(jobs.app, name="job")
app.add_typer(domains.app, name="domain")
app.add_typer(certificates.app, name="ssl")
app.add_typer(ci.app, name="ci")
app.add_typer(ports.app, name="ports")
app.add_typer(registry.app, name="registry")
app.add_typer(backup.app, name="backup")
app.add_typer(local.app, name="local")
app.add_typer(server.app, name="server")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"codeb {__version__}\n")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Deploy projects to this server: without downtime, with names, ports and logs."""


def main() -> None:
    """Run the command line; errors leave with the exit code of their kind."""
    try:
        sys.argv = with_seconds(sys.argv)
        app()
    except CodebError as error:
        print_error(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last resort: say that it is a bug, and where
        err.print_exception()
        err.print(f"[bold red]this is a bug in codeb:[/] {text(error)}")
        sys.exit(CodebError.exit_code)
