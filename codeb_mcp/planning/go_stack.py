"""Go projects."""

import re

from codeb_mcp.domain.project import ProjectType
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.stacks import Commands, SourceTree, Stack, asked_for_start
from codeb_mcp.planning.start_commands import cmd

DEFAULT_GO = "1.25"
_GO = re.compile(r"^go (1\.\d+)", re.MULTILINE)


def go(tree: SourceTree, commands: Commands) -> Stack | None:
    """A module with one program in it."""
    if "go.mod" not in tree.names:
        return None
    package = _package(tree)
    found = _GO.search(tree.text("go.mod"))
    sums = " go.sum" if "go.sum" in tree.names else ""
    values = {
        "tag": found[1] if found else DEFAULT_GO,
        "manifests": f"go.mod{sums}",
        "package": package,
        "build": f"RUN {commands.build}" if commands.build else "",
        "command": cmd(commands.start or "/app"),
    }
    reasons = ("go.mod is there", f"its program is {package}")
    return Stack(ProjectType.GO, reasons, "go", values)


def _package(tree: SourceTree) -> str:
    if "main.go" in tree.names:
        return "."
    programs = sorted(
        {
            folder
            for name in tree.names
            if name.endswith(".go")
            for folder in [name.rpartition("/")[0]]
            if re.fullmatch(r"cmd/[\w.-]+", folder)
        }
    )
    if len(programs) > 1:
        raise InvalidRequest(
            f"the module holds several programs: {', '.join(programs[:5])}",
            hint="write a Containerfile that builds the one to deploy",
            code="ambiguous_stack",
        )
    if programs:
        return f"./{programs[0]}"
    if any(name.endswith(".go") and "/" not in name for name in tree.names):
        return "."
    raise asked_for_start("this Go module, which has neither main.go nor cmd/NAME,")
