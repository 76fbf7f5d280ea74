"""`codeb registry`."""

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from codeb_mcp.cli.confirming import Yes, confirm
from codeb_mcp.cli.output import Json, actor, out, run, table, text
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.auditing import audit_trail
from codeb_mcp.wiring import open_application

app = typer.Typer(help="Export, import and audit the registry.", no_args_is_help=True)


@app.command("export")
def export(
    file: Annotated[Path | None, typer.Argument(help="File to write; default: print it.")] = None,
    json: Json = False,
) -> None:
    """Write the registry as JSON. It holds no secrets."""
    document = run(open_application().projects.document)
    written = jsonlib.dumps(document, indent=2) + "\n"
    if file is None:
        sys.stdout.write(written)
        return
    try:
        file.write_text(written)
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be written: {error.strerror}") from None
    if json:
        sys.stdout.write(jsonlib.dumps({"written": str(file)}) + "\n")
    else:
        out.print(f"wrote {len(document['projects'])} projects to {text(file)}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="An export; - reads standard input.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a registry that is not empty.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Make the registry hold what an export says. Nothing that runs is touched."""
    try:
        text_read = sys.stdin.read() if str(file) == "-" else file.read_text()
        document = jsonlib.loads(text_read)
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            f"{file} cannot be read as JSON: {error}", hint="pass a file of codeb registry export"
        ) from None
    if replace:
        confirm(
            "replacing the registry",
            lambda: out.print("what the registry holds now, its history too, will be gone"),
            yes=yes,
        )
    count = run(
        lambda: open_application().projects.import_document(document, actor(), replace=replace)
    )
    if json:
        sys.stdout.write(jsonlib.dumps({"imported": count}) + "\n")
    else:
        out.print(f"[green]✓[/] the registry holds {count} projects now")


@app.command()
def audit(
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many at most.")] = 50,
    json: Json = False,
) -> None:
    """Show who changed what, newest first."""
    entries = run(lambda: audit_trail(open_application().systems, lines))
    if json:
        documents = [
            {
                "at": each.at.isoformat(),
                "actor": each.actor,
                "action": each.action,
                "arguments": dict(each.arguments),
                "outcome": each.outcome,
                "message": each.message,
            }
            for each in entries
        ]
        sys.stdout.write(jsonlib.dumps(documents, indent=2) + "\n")
        return
    rows = table("WHEN", "WHO", "WHAT", "ARGUMENTS", "OUTCOME")
    for each in entries:
        arguments = " ".join(f"{name}={value}" for name, value in each.arguments.items())
        rows.add_row(
            f"{each.at:%Y-%m-%d %H:%M:%S}",
            text(each.actor),
            each.action,
            text(arguments),
            text(each.outcome),
        )
    out.print(rows)
