"""The guard as a repository's pre-commit hook."""

import shlex
from pathlib import Path
from typing import Protocol

from codeb_mcp.errors import Refused

_MARK = "# Written by codeb guard --install-hook."


class Hooks(Protocol):
    """A repository's hooks."""

    async def folder(self, repository: Path) -> Path:
        """Where they lie, also where git is told to look elsewhere. InvalidRequest: none."""

    def read(self, path: Path) -> str | None:
        """A hook's text; None where there is none."""

    def write(self, path: Path, text: str) -> None:
        """Write an executable hook."""


async def install_commit_hook(hooks: Hooks, repository: Path, codeb: str) -> tuple[Path, bool]:
    """Where the hook is, and whether it was written now. `codeb` is the program's path.

    Refused where somebody else's hook is: theirs is left alone.
    """
    path = await hooks.folder(repository) / "pre-commit"
    line = f"exec {shlex.quote(codeb)} guard --repo . --staged"
    wanted = f"#!/bin/sh\n{_MARK}\n{line}\n"
    there = hooks.read(path)
    if there == wanted:
        return path, False
    if there is not None and _MARK not in there:
        raise Refused(
            f"there is a pre-commit hook already: {path}",
            hint=f"add a line to it: {line.removeprefix('exec ')}",
            code="hook_exists",
        )
    hooks.write(path, wanted)
    return path, True
