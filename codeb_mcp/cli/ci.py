"""`codeb ci`."""

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, emit, out, run, text
from codeb_mcp.domain.forge import BranchName, RepositoryName, WorkflowFile
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.pipelines import Pipelines
from codeb_mcp.services.views import View
from codeb_mcp.wiring import open_forge

app = typer.Typer(help="Runs on GitHub Actions: failed jobs' logs, and starting workflows.")
Repository = Annotated[
    str, typer.Option(envvar="GITHUB_REPOSITORY", help="owner/name; in a workflow it is known.")
]


class StartedView(View):
    """A workflow that was started."""

    workflow: str
    branch: str


@app.command("logs")
def logs(
    run_id: Annotated[int, typer.Argument(metavar="RUN", min=1, help="Number of the run.")],
    repository: Repository,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the log there, not to the screen.")
    ] = None,
    json: Json = False,
) -> None:
    """Fetch the logs of a run's failed jobs, for `codeb heal --log`."""
    wanted = RepositoryName(repository)
    view = run(lambda: Pipelines(open_forge()).failed_logs(wanted, run_id))
    if output is not None:
        output.write_text(view.log, encoding="utf-8")

    def render() -> None:
        if output is None:
            typer.echo(view.log)
        else:
            out.print(f"failed: {text(', '.join(view.jobs))}; the log is in {text(output)}")

    emit(view, json, render)


@app.command("run")
def start(
    workflow: Annotated[str, typer.Argument(help="File of the workflow, such as ci-cd.yml.")],
    repository: Repository,
    ref: Annotated[str | None, typer.Option(help="Branch to run it on.")] = None,
    healed: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A result of codeb heal --json: run it on the fix's branch."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Start a workflow that can be started by hand (workflow_dispatch)."""
    branch = BranchName(ref if healed is None and ref else _branch_in(healed))
    wanted, file = RepositoryName(repository), WorkflowFile(workflow)
    run(lambda: Pipelines(open_forge()).start(wanted, file, branch))
    view = StartedView(workflow=file, branch=branch)
    emit(view, json, lambda: out.print(f"[green]✓[/] {text(file)} runs on {text(branch)}"))


def _branch_in(healed: Path | None) -> str:
    if healed is None:
        raise InvalidRequest("no branch is named", hint="pass --ref BRANCH, or --healed FILE")
    try:
        document = json_format.loads(healed.read_text(encoding="utf-8"))
        branch, pushed = document["branch"], document["pushed"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRequest(
            f"{healed} is no result of a heal: {error!r}",
            hint="write it with codeb heal --json",
            code="unreadable_heal",
        ) from None
    if not pushed or not isinstance(branch, str):
        raise InvalidRequest(
            "that heal sent no fix to the remote", hint="heal with --push", code="nothing_pushed"
        )
    return branch
