"""Git without surprises: nothing that a repository holds or configures is run."""

import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeb_mcp.adapters.process import run
from codeb_mcp.domain.masking import mask
from codeb_mcp.errors import InvalidRequest

LARGEST_FILE = 2_000_000
_QUIET = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.sparseCheckout", "false"),
    ("core.quotePath", "true"),
    ("diff.ignoreSubmodules", "all"),
    ("diff.noprefix", "false"),
    ("submodule.recurse", "false"),
    ("gc.auto", "0"),
)
_OPTIONS = tuple(part for key, value in _QUIET for part in ("-c", f"{key}={value}"))
_DIFF = (
    *("--no-color", "--no-ext-diff", "--no-textconv", "--full-index", "-M", "-U3"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=histogram"),
)


@dataclass(frozen=True, slots=True)
class Git:
    """A repository: `folder` is its git folder, `work` the project's."""

    folder: Path
    own: Path
    work: Path

    async def out(
        self,
        *arguments: str,
        tree: Path | None = None,
        index: Path | None = None,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        seconds: float = 120,
    ) -> str:
        """What a git command prints. SystemFailed when it fails.

        It works on `tree` with `index`, or on the project's own.
        """
        where = ("--git-dir", str(self.own), "--work-tree", str(tree or self.work))
        more = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", **(env or {})}
        if index is not None:
            more["GIT_INDEX_FILE"] = str(index)
        argv = ("git", *_OPTIONS, *where, *arguments)
        done = await run(argv, stdin=stdin, env=more, cwd=tree or self.work, seconds=seconds)
        return done.stdout

    async def branch(self) -> str | None:
        """The branch that is checked out."""
        argv = ("git", "--git-dir", str(self.own), "symbolic-ref", "--short", "-q", "HEAD")
        found = await run(argv, check=False)
        return found.stdout.strip() or None

    async def commit(self, revision: str, kind: str = "commit") -> str:
        """The full name of a commit, or of its tree."""
        found = await self.out("rev-parse", "--verify", "-q", f"{revision}^{{{kind}}}")
        return found.strip()

    async def reference(self, branch: str) -> str | None:
        """Where a local branch is; None when there is none."""
        argv = ("git", "--git-dir", str(self.own), "rev-parse", "--verify", "-q")
        found = await run((*argv, f"refs/heads/{branch}"), check=False)
        return found.stdout.strip() or None

    async def name(self) -> str:
        """What the repository is known by: where it comes from, else where it lies."""
        argv = ("git", "--git-dir", str(self.own), "config", "--get", "remote.origin.url")
        found = await run(argv, check=False)
        url = re.sub(r"//[^/@]*@", "//", found.stdout.strip())
        return mask(url) or str(self.work)

    async def remote(self, branch: str | None) -> str:
        """The remote of a branch."""
        key = f"branch.{branch}.remote"
        argv = ("git", "--git-dir", str(self.own), "config", "--get", key)
        found = await run(argv, check=False)
        return found.stdout.strip() or "origin"

    async def names(self, revision: str, paths: Sequence[str]) -> list[str]:
        """Those of the files and folders that a commit has."""
        listed = await self.out("ls-tree", "-r", "-z", "--name-only", revision, "--", *paths)
        return [each for each in listed.split("\0") if each]

    async def text(self, revision: str, path: str) -> str | None:
        """A file of a commit or a tree; None when absent or too large."""
        argv = ("git", *_OPTIONS, "--git-dir", str(self.own), "show", f"{revision}:{path}")
        shown = await run(argv, check=False)
        if shown.returncode != 0 or len(shown.stdout) >= 999_999:
            return None
        return shown.stdout

    async def diff(self, old: str, new: str, scratch: Path) -> str:
        """The unified diff between two commits or trees, byte for byte."""
        with tempfile.TemporaryDirectory(dir=scratch) as place:
            target = Path(place) / "diff"
            await self.out("diff", *_DIFF, f"--output={target}", old, new, "--")
            return target.read_bytes().decode("utf-8", "surrogateescape")

    async def ignored(self, names: Collection[str]) -> tuple[str, ...]:
        """The ignored folders of the project that have one of these names."""
        listed = await self.out(
            *("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
        )
        found = [Path(each) for each in listed.split("\0") if each.endswith("/")]
        return tuple(
            str(each)
            for each in found
            if each.name in names and not (self.work / each).is_symlink()
        )


async def open_git(folder: Path) -> Git:
    """The repository that `folder` is the top of; InvalidRequest when there is none."""
    argv = ("git", "-C", str(folder), "rev-parse", "--path-format=absolute", "--show-toplevel")
    found = await run((*argv, "--git-common-dir", "--absolute-git-dir"), check=False)
    lines = found.stdout.splitlines()
    if found.returncode != 0 or len(lines) != 3:
        raise InvalidRequest(
            f"{folder} is no git working copy: {found.last_error[:200]}",
            hint="pass --repo with the folder that the project is checked out in",
            code="not_a_repository",
        )
    work, common, own = (Path(line) for line in lines)
    return Git(common, own, work)
