"""`codeb job`: commands that run by a schedule."""

from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, actor, coloured, emit, out, run, table, text
from codeb_mcp.domain.job import Command, Job, JobName, Schedule
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.services.views import JobsView
from codeb_mcp.wiring import open_application

app = typer.Typer(help="Commands that run by a schedule.", no_args_is_help=True)

Project = Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the job.")]
Env = Annotated[str, typer.Option(help="production (prod), staging or pr-N.")]


def _key(project: str, env: str) -> EnvironmentKey:
    return EnvironmentKey(ProjectName(project), EnvironmentName(env))


@app.command()
def add(
    project: Project,
    name: Name,
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="The command and its arguments.")
    ],
    schedule: Annotated[
        str, typer.Option(help='When, as systemd writes it: "*-*-* 03:00", hourly, "*:0/15".')
    ],
    env: Env = "staging",
    json: Json = False,
) -> None:
    """Run a command by a schedule, beside whichever release is live. Replaces one of its name."""
    key = _key(project, env)
    job = Job(JobName(name), Schedule(schedule), Command(tuple(command)))
    view = run(lambda: open_application().tasks.add_job(key, actor(), job))
    emit(view, json, lambda: _render(view))


@app.command("list")
def list_(project: Project, env: Env = "staging", json: Json = False) -> None:
    """List the jobs, when they run next, and how they ended last."""
    key = _key(project, env)
    view = run(lambda: open_application().tasks.jobs(key))
    emit(view, json, lambda: _render(view))


@app.command()
def remove(project: Project, name: Name, env: Env = "staging", json: Json = False) -> None:
    """Run a job no more."""
    key, job = _key(project, env), JobName(name)
    view = run(lambda: open_application().tasks.remove_job(key, actor(), job))
    emit(view, json, lambda: _render(view))


@app.command("run")
def run_now(project: Project, name: Name, env: Env = "staging", json: Json = False) -> None:
    """Run a job now and wait for its end; leaves with the exit code of its command."""
    key, job = _key(project, env), JobName(name)
    view = run(lambda: open_application().tasks.run_job(key, actor(), job))
    code = view.exit_code or 0
    emit(view, json, lambda: out.print(f"{text(view.name)}: {text(view.result)} (exit {code})"))
    raise typer.Exit(code)


def _render(view: JobsView) -> None:
    rows = table("JOB", "SCHEDULE", "COMMAND", "NEXT", "LAST", "RESULT")
    for each in view.jobs:
        waits = each.next_run if each.installed else "with the first deploy"
        ended = coloured(each.result) if each.result else "-"
        command = text(" ".join(each.command))
        rows.add_row(each.name, text(each.schedule), command, waits, each.last_run or "-", ended)
    out.print(rows if view.jobs else "no jobs")
