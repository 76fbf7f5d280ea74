"""A git repository, read only."""

import tempfile
from pathlib import Path

from codeb_mcp.adapters.process import run
from codeb_mcp.errors import InvalidRequest

LARGEST_FILE = 2_000_000
"""Bytes of a file that is read for the sake of its context."""

# Nothing that the repository configures may run, or change what a diff looks like.
_PLAIN = ("-c", "core.fsmonitor=false", "-c", "diff.noprefix=false", "-c", "core.quotePath=true")
_DIFF = ("--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", "-M")


_NOTHING = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The empty tree, which git knows in every repository."""


class GitRepository:
    """Diffs and files of a working copy."""

    async def start_of(self, folder: Path, base: str) -> str:
        """The commit that a change began at: where HEAD and `base` part."""
        if base.startswith("-") or not base.isprintable():
            raise _unknown(base)
        argv = ("git", *_PLAIN, "-C", str(folder), "merge-base", base, "HEAD")
        found = await run(argv, check=False)
        if found.returncode == 0:
            return found.stdout.strip()
        commit = ("git", "-C", str(folder), "rev-parse", "--verify", "-q", f"{base}^{{commit}}")
        found = await run(commit, check=False)
        if found.returncode != 0 and base == "HEAD" and await _is_unborn(folder):
            return _NOTHING
        if found.returncode != 0:
            raise _unknown(base, found.last_error if "fatal" in found.stderr else "")
        return found.stdout.strip()

    async def diff(self, folder: Path, start: str, *, staged: bool) -> str:
        """What changed since the commit `start`: in the index when `staged`, else on disk."""
        with tempfile.TemporaryDirectory() as place:
            target = Path(place) / "diff"
            which = ("--cached",) if staged else ()
            options = (*_DIFF, *which, f"--output={target}")
            await run(("git", *_PLAIN, "-C", str(folder), "diff", *options, start, "--"))
            return target.read_bytes().decode("utf-8", "surrogateescape")

    async def file(self, folder: Path, revision: str, path: str) -> str | None:
        """A file of a commit, or of the index with an empty `revision`; None when absent."""
        shown = await run(
            ("git", *_PLAIN, "-C", str(folder), "show", f"{revision}:{path}"), check=False
        )
        if shown.returncode != 0 or len(shown.stdout) >= 999_999:
            return None
        return shown.stdout

    def on_disk(self, folder: Path, path: str) -> str | None:
        """A file of the working copy; None when absent, too large, or outside of it."""
        target = (folder / path).resolve()
        try:
            if not target.is_relative_to(folder.resolve()) or not target.is_file():
                return None
            if target.stat().st_size > LARGEST_FILE:
                return None
            return target.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError):
            return None


def _unknown(base: str, why: str = "") -> InvalidRequest:
    return InvalidRequest(
        why or f"{base[:80]!r} is no commit of this repository",
        hint="pass --base with a branch, a tag or a commit; in CI, check out its history too",
        code="unknown_revision",
    )


async def _is_unborn(folder: Path) -> bool:
    """Whether it is a repository without a first commit."""
    argv = ("git", *_PLAIN, "-C", str(folder), "rev-list", "--all", "--max-count=1")
    found = await run(argv, check=False)
    return found.returncode == 0 and not found.stdout.strip()
