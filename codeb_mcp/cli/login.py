"""`codeb login` and `codeb logout`. The password is asked for, or read from standard input."""

import sys
from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, actor, emit, out, run, text
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.registries import Login, RegistryName
from codeb_mcp.services.views import LoginsView
from codeb_mcp.wiring import open_application

Registry = Annotated[
    str, typer.Argument(metavar="REGISTRY", help="Host of the registry, such as ghcr.io.")
]


def login(
    registry: Registry,
    username: Annotated[str, typer.Option("--username", "-u", help="Who to log in as.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password, and do not ask for it.")
    ] = False,
    json: Json = False,
) -> None:
    """Log in at an image registry, for pulling from it. The login is checked, then kept."""
    name = RegistryName(registry)
    given = Login(username, Secret(_password(name, from_stdin=password_stdin)))
    view = run(lambda: open_application().registry_logins.login(name, given, actor()))
    emit(view, json, lambda: _render(view, f"logged in at {name}"))


def logout(registry: Registry, json: Json = False) -> None:
    """Forget the login at an image registry."""
    name = RegistryName(registry)
    view = run(lambda: open_application().registry_logins.logout(name, actor()))
    emit(view, json, lambda: _render(view, f"logged out at {name}"))


def _password(registry: RegistryName, *, from_stdin: bool) -> str:
    if from_stdin or not sys.stdin.isatty():
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    answer: str = typer.prompt(f"password or token for {registry}", hide_input=True)
    return answer


def _render(view: LoginsView, done: str) -> None:
    out.print(f"[green]✓[/] {text(done)}")
    out.print(f"[dim]logins are kept for: {text(', '.join(view.registries) or 'none')}[/]")
