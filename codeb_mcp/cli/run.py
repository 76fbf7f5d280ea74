"""`codeb run`."""

from typing import Annotated

import typer

from codeb_mcp.cli.output import actor, run
from codeb_mcp.domain.job import Command
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.wiring import open_application


def run_command(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")],
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="The command and its arguments.")
    ],
    env: Annotated[str, typer.Option(help="production (prod), staging or pr-N.")] = "staging",
) -> None:
    """Run one command as the live release would: its image, variables, volumes and network.

    It runs in a container of its own, with this terminal's input and output, which is removed
    afterwards. codeb leaves with the command's exit code.
    """
    key = EnvironmentKey(ProjectName(project), EnvironmentName(env))
    words = Command(tuple(command))
    code = run(lambda: open_application().tasks.run(key, actor(), words))
    raise typer.Exit(code)
