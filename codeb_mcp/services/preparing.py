"""What `init` finds in a project's source folder, and what it would write there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codeb_mcp.domain.names import ProjectName
from codeb_mcp.domain.project import ProjectType
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.companions import Companion, client_configuration
from codeb_mcp.planning.detection import detect, rendered
from codeb_mcp.planning.stacks import Commands, SourceTree, Stack
from codeb_mcp.planning.workflows import workflows
from codeb_mcp.services.systems import SourceFolders
from codeb_mcp.templates import template

IGNORE_FILES = (".containerignore", ".dockerignore")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a project is made of, why, and the files that are missing in its folder.

    `starts` says that codeb's own Containerfile holds the start command. `note` says why nothing
    was found in a folder that nobody had named.
    """

    type: ProjectType
    reasons: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    starts: bool = False
    note: str = ""


def prepared(
    folders: SourceFolders,
    source: Path | None,
    wanted: ProjectType | None,
    commands: Commands,
    *,
    named: bool,
    project: ProjectName,
    companions: Sequence[Companion] = (),
) -> Prepared:
    """Look at `source`. Where it was `named`, what cannot be told is an error, else a note.

    Raises InvalidRequest, such as `unknown_stack` or `ambiguous_stack`.
    """
    without = Prepared(wanted or ProjectType.DOCKERFILE)
    if source is None or (wanted is ProjectType.IMAGE and not named):
        return without
    try:
        tree = folders.read(source)
        stack = detect(tree, wanted, commands)
    except InvalidRequest as error:
        if named:
            raise
        note = "" if error.code == "unknown_stack" else f"nothing was written here: {error}"
        return Prepared(without.type, note=note)
    starts = bool(stack.template) or stack.ours
    files = _files(tree, stack, project, companions)
    return Prepared(stack.type, stack.reasons, files, starts)


def _files(
    tree: SourceTree, stack: Stack, project: ProjectName, companions: Sequence[Companion]
) -> dict[str, str]:
    files = {".mcp.json": client_configuration(companions)}
    if ".git" in tree.names and stack.type is not ProjectType.IMAGE:
        files[".claude/settings.json"] = template("claude-settings.json")
        files |= workflows(tree, project, template)
    if stack.template:
        text = template(f"{stack.template}.Containerfile")
        files["Containerfile"] = rendered(text, stack.values)
        if tree.first(*IGNORE_FILES) is None:
            lines = "".join(f"{line}\n" for line in stack.ignored)
            files[".containerignore"] = template("containerignore") + lines
    return files
