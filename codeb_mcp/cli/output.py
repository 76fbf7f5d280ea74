"""What commands print: tables and colour on a terminal, one JSON document with `--json`."""

import getpass
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import anyio
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from codeb_mcp.adapters.terminal_text import without_control_characters
from codeb_mcp.cli.spelling import as_commands
from codeb_mcp.errors import CodebError, DeployFailed
from codeb_mcp.services.views import View

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def actor() -> str:
    """Who is calling, for the audit."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:uid {os.getuid()}"


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run a use case to its end."""
    return anyio.run(work)


def emit(view: View, as_json: bool, render: Callable[[], None]) -> None:
    """Print a result: as JSON, or as `render` shows it."""
    if as_json:
        sys.stdout.write(view.model_dump_json(indent=2) + "\n")
    else:
        render()


def table(*columns: str) -> Table:
    """An empty table in the style of all of them."""
    return Table(*columns, box=None, header_style="bold", pad_edge=False)


def text(value: object) -> str:
    """`value` as it may be shown: names and logs are not markup, nor commands to a terminal."""
    return escape(without_control_characters(str(value)))


def coloured(status: str) -> str:
    """A status word in its colour."""
    colours = {
        "running": "green",
        "live": "green",
        "active": "green",
        "failed": "red",
        "stopped": "red",
    }
    return f"[{colours.get(status, 'yellow')}]{text(status)}[/]"


def print_error(error: CodebError, as_json: bool) -> None:
    """An error on standard error; with `--json` also as JSON on standard output."""
    if as_json:
        document = {
            "error": {
                "code": error.code,
                "message": error.message,
                "hint": as_commands(error.hint),
                "retryable": error.retryable,
                "exitCode": error.exit_code,
            }
        }
        if isinstance(error, DeployFailed):
            document["error"] |= {
                "logTail": list(error.log_tail),
                "rolledBack": error.rolled_back,
            }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    err.print(f"[bold red]error:[/] {text(error.message)}", soft_wrap=True)
    if isinstance(error, DeployFailed) and error.log_tail:
        err.print(f"[dim]last {len(error.log_tail)} log lines:[/]")
        for line in error.log_tail:
            err.print(f"  [dim]{text(line)}[/]", soft_wrap=True)
    if error.hint:
        err.print(f"[bold]next:[/] {text(as_commands(error.hint))}", soft_wrap=True)
