"""The stacks that codeb knows, and the files that each of them needs."""

import re
from collections.abc import Mapping

from codeb_mcp.domain.project import ProjectType
from codeb_mcp.planning.go_stack import go
from codeb_mcp.planning.node_stack import built_site, nextjs, node
from codeb_mcp.planning.python_stack import python
from codeb_mcp.planning.stacks import Commands, Detector, SourceTree, Stack, chosen, static

_PLACEHOLDER = re.compile(r"@(\w+)@")


def _site(tree: SourceTree, commands: Commands) -> Stack | None:
    return built_site(tree, commands) or _exported(tree, commands) or static(tree, commands)


def _exported(tree: SourceTree, commands: Commands) -> Stack | None:
    found = nextjs(tree, commands)
    return found if found and found.type is ProjectType.STATIC else None


DETECTORS: Mapping[ProjectType, Detector] = {
    ProjectType.NEXTJS: nextjs,
    ProjectType.NODE: node,
    ProjectType.PYTHON: python,
    ProjectType.GO: go,
    ProjectType.STATIC: _site,
}


def detect(
    tree: SourceTree, wanted: ProjectType | None = None, commands: Commands | None = None
) -> Stack:
    """The stack of a folder, with why. `wanted` wins over what would be told from its files.

    Raises InvalidRequest: `unknown_stack`, `ambiguous_stack`, `start_command_missing`.
    """
    return chosen(tree, wanted, commands or Commands(), DETECTORS)


def rendered(template: str, values: Mapping[str, str]) -> str:
    """A template with its placeholders filled in; a line of one that is empty goes away."""
    lines = []
    for line in template.splitlines():
        filled = _PLACEHOLDER.sub(lambda found: values[found[1]], line)
        if filled.strip() or not line.strip():
            lines.append(filled)
    text = "\n".join(lines) + "\n"
    return re.sub(r"\n{3,}", "\n\n", text)
