"""`codeb logs`."""

import sys
from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, emit, run
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.services.logs import LogReading, LogsRequest
from codeb_mcp.wiring import open_application


def logs(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")],
    env: Annotated[str, typer.Option(help="production, staging or pr-N.")] = "staging",
    release: Annotated[
        int | None, typer.Option(help="Release number; default: the newest.")
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many at most.")] = 100,
    contains: Annotated[str, typer.Option(help="Only lines with this text.")] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on printing lines as they come.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what a release wrote, secrets masked."""
    key = EnvironmentKey(ProjectName(project), EnvironmentName(env))
    request = LogsRequest(key, release, lines, contains)
    reading = open_application().logs
    view = run(lambda: reading.read(request))
    emit(view, json, lambda: _print(view.lines))
    if follow and not json:
        run(lambda: _follow(reading, request))


def _print(lines: list[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")


async def _follow(reading: LogReading, request: LogsRequest) -> None:
    async for line in reading.follow(request):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
