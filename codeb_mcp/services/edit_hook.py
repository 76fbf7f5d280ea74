"""The hook that an agent runs before it edits: a bypass is stopped before it is written.

Speaks Claude Code's `PreToolUse` protocol: the call as JSON on standard input, and on standard
output nothing (go on) or a decision with its reason, which the model reads.
"""

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from codeb_mcp.errors import InvalidRequest
from codeb_mcp.guard.compose import diff_of
from codeb_mcp.guard.sides import Whole
from codeb_mcp.services.vetting import FindingView, Vetting

# What a command does at once. That it may fail is its own business: it is no part of a change.
_OF_COMMANDS = frozenset(
    ("hook-skipped", "remote-code", "obfuscated-command", "privileged", "world-writable")
)
_CONFINED = frozenset(("Read", "Edit", "MultiEdit", "Write", "NotebookEdit", "Grep", "Glob"))
MOST_FINDINGS = 5


def hook_answer(
    call: str,
    vetting: Vetting,
    read: Callable[[Path], str | None],
    within: Path | None = None,
) -> str:
    """What to print for a hook's input. `read` gives a file's text, or None when it is absent.

    With `within` no tool may look at or edit anything that lies outside of that folder.

    Raises InvalidRequest for an input that is no hook call: the caller must then stop the edit.
    """
    try:
        data = json.loads(call)
        tool, arguments = data["tool_name"], data["tool_input"]
        folder = Path(data.get("cwd") or "/")
        if within is not None and (outside := _outside(tool, arguments, folder, within)):
            return json.dumps(_decision(f"codeb: {outside} is outside of the project {within}"))
        findings = _findings(tool, arguments, folder, vetting, read)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidRequest(
            f"the hook's input cannot be read: {error!r}",
            hint="run this as a PreToolUse hook of Claude Code",
            code="unreadable_hook_input",
        ) from error
    blocked = [each for each in findings if each.severity == "block"]
    return json.dumps(_denial(blocked)) if blocked else ""


def _outside(tool: str, arguments: dict[str, Any], folder: Path, within: Path) -> str | None:
    """What the call names outside of the project, links followed, or in its git folder."""
    if tool not in _CONFINED:
        return f"the tool {tool}"
    for key in ("file_path", "notebook_path", "path"):
        if (given := arguments.get(key)) is None:
            continue
        path = (folder / str(given)).resolve()
        if not path.is_relative_to(within.resolve()) or ".git" in path.parts:
            return str(given)
    pattern = str(arguments.get("pattern", "")) if tool == "Glob" else ""
    return pattern if pattern.startswith(("/", "~")) or ".." in pattern.split("/") else None


def _findings(
    tool: str,
    arguments: dict[str, Any],
    folder: Path,
    vetting: Vetting,
    read: Callable[[Path], str | None],
) -> list[FindingView]:
    if tool == "Bash":
        diff = diff_of("command.sh", None, f"{arguments['command']}\n")
        found = vetting.vet_text(diff).findings
        return [each for each in found if each.rule in _OF_COMMANDS]
    if tool not in ("Edit", "MultiEdit", "Write", "NotebookEdit"):
        return []
    path = Path(arguments.get("file_path") or arguments["notebook_path"])
    old = read(path)
    new = _edited(tool, arguments, old)
    name = _relative(path, folder)
    wholes = {name: Whole(old, new)}
    return vetting.vet_text(diff_of(name, old, new), wholes).findings


def _edited(tool: str, arguments: dict[str, Any], old: str | None) -> str:
    if tool == "Write":
        return str(arguments["content"])
    if tool == "NotebookEdit":
        return f"{old or ''}\n{arguments['new_source']}"
    text = old or ""
    edits = arguments["edits"] if tool == "MultiEdit" else [arguments]
    for edit in edits:
        before, after = str(edit["old_string"]), str(edit["new_string"])
        if not before:
            text = after
        elif before in text:
            text = text.replace(before, after, -1 if edit.get("replace_all") else 1)
    return text


def _relative(path: Path, folder: Path) -> str:
    try:
        return str(PurePosixPath(path.relative_to(folder)))
    except ValueError:
        return path.name


def _denial(findings: list[FindingView]) -> dict[str, Any]:
    lines = [
        f"{each.path}:{each.line}: {each.text}\n"
        f"  {each.rule}: {each.why}\n  Instead: {each.instead}"
        for each in findings[:MOST_FINDINGS]
    ]
    more = len(findings) - MOST_FINDINGS
    reason = "codeb's guard stopped this: it hides a failure.\n" + "\n".join(lines)
    if more > 0:
        reason += f"\n… and {more} more"
    return _decision(reason)


def _decision(reason: str) -> dict[str, Any]:
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }
    }
