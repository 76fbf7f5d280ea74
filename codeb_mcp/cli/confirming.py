"""Asking before something is destroyed."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from codeb_mcp.errors import Refused

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(what: str, show: Callable[[], None], *, yes: bool) -> None:
    """Show what would be done and ask; without a terminal nobody can have meant it.

    `what` completes "… was not confirmed". With `yes` nobody is asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(
            f"{what} was not confirmed",
            hint="call again with --yes when that is meant",
            code="not_confirmed",
        )
    show()
    typer.confirm("Do this?", abort=True)
