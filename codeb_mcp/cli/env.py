"""`codeb env`. Values come from a prompt, standard input or a file: argv is open to everyone."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, actor, emit, out, run, table, text
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import EnvironmentName, ProjectName, VariableName, shown
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.views import VariablesView
from codeb_mcp.wiring import open_application

app = typer.Typer(help="Variables and secrets of an environment.", no_args_is_help=True)

Project = Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")]
Env = Annotated[str, typer.Option(help="production, staging or pr-N.")]


def _key(project: str, env: str) -> EnvironmentKey:
    return EnvironmentKey(ProjectName(project), EnvironmentName(env))


@app.command("set")
def set_(
    project: Project,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the variable.")],
    env: Env = "staging",
    json: Json = False,
) -> None:
    """Set a variable. Its value is asked for, or read from standard input."""
    key = _key(project, env)
    if "=" in name:
        raise InvalidRequest(
            f"{shown(name.partition('=')[0])} was given with its value, which everyone on this "
            "machine can see",
            hint=f"give the name alone, and the value when asked: codeb env set {project} NAME",
            code="value_in_argv",
        )
    variable = VariableName(name)
    value = Secret(_ask(variable))
    view = run(lambda: open_application().variables.change(key, actor(), values={variable: value}))
    emit(view, json, lambda: _render(view))


@app.command("import")
def import_(
    project: Project,
    file: Annotated[Path, typer.Argument(help="A .env file.")],
    env: Env = "staging",
    json: Json = False,
) -> None:
    """Set the variables of a .env file; others stay as they are."""
    key = _key(project, env)
    view = run(lambda: open_application().variables.change(key, actor(), file=file.absolute()))
    emit(view, json, lambda: _render(view))


@app.command("unset")
def unset(
    project: Project,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names to remove.")],
    env: Env = "staging",
    json: Json = False,
) -> None:
    """Remove variables."""
    key = _key(project, env)
    chosen = tuple(VariableName(name) for name in names)
    view = run(lambda: open_application().variables.change(key, actor(), unset=chosen))
    emit(view, json, lambda: _render(view))


@app.command("list")
def list_(project: Project, env: Env = "staging", json: Json = False) -> None:
    """List the variables by name, and those that the project requires."""
    key = _key(project, env)
    view = run(lambda: open_application().variables.change(key, actor()))
    emit(view, json, lambda: _render(view))


def _ask(name: VariableName) -> str:
    if sys.stdin.isatty():
        answer: str = typer.prompt(f"value of {name}", hide_input=True)
        return answer
    return sys.stdin.read().removesuffix("\n")


def _render(view: VariablesView) -> None:
    if view.changed:
        out.print(f"[green]✓[/] changed {text(', '.join(view.changed))}")
    rows = table("VARIABLE", "REQUIRED", "SET")
    for each in view.variables:
        missing = "[red]no[/]" if each.required else "no"
        rows.add_row(
            text(each.name), "yes" if each.required else "", "yes" if each.set else missing
        )
    out.print(rows if view.variables else "no variables")
    out.print(f"[dim]kept in {text(view.file)}[/]")
    if view.changed:
        out.print(f"next: codeb deploy {text(view.project)} --env {view.environment}")
