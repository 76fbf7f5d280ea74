"""Places in which a branch is healed, made with git's plumbing.

A place is a folder of codeb's with trees and indexes of its own. The repository gets nothing but
objects and, at the end, one moved reference: no worktree is registered in it, no hook runs, and
nothing that lies in a tree is ever taken for a repository.
"""

import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from codeb_mcp.adapters.files import write_atomic
from codeb_mcp.adapters.flock import is_locked, try_lock, unlock_and_remove
from codeb_mcp.adapters.git_plumbing import Git, open_git
from codeb_mcp.adapters.landing import Landing
from codeb_mcp.domain.healing import CodeState, Tree
from codeb_mcp.errors import InvalidRequest, Locked, SystemFailed

_LENT = frozenset(("node_modules", ".venv", "venv"))
_MOST_LENT = 50
_LINKS = ("new file mode 120000", "new file mode 160000", "new mode 120000", "new mode 160000")
_WHO = {
    "GIT_AUTHOR_NAME": "codeb heal",
    "GIT_AUTHOR_EMAIL": "codeb@localhost",
    "GIT_COMMITTER_NAME": "codeb heal",
    "GIT_COMMITTER_EMAIL": "codeb@localhost",
}


class GitWorkPlaces:
    """`WorkPlaces` below a folder of codeb's."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @asynccontextmanager
    async def open(self, folder: Path, branch: str | None) -> AsyncIterator["GitWorkPlace"]:
        """A place for the code that is checked out in `folder`, gone afterwards."""
        git = await open_git(folder)
        checked_out = await git.branch()
        branch = branch or checked_out
        name = hashlib.sha256(f"{git.folder}\0{branch}".encode()).hexdigest()[:16]
        lock = git.folder / f"codeb-heal-{name}.lock"
        descriptor = try_lock(lock)
        if descriptor is None:
            raise Locked(
                f"{branch or 'this commit'} of {folder} is being healed already",
                hint="wait until that heal ends; it ends with its process",
            )
        place = self._root / name
        try:
            self._sweep()
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True, mode=0o700)
            write_atomic(place / "lock", str(lock))
            landing = Landing(git, branch if branch == checked_out else None, branch)
            await landing.recover()
            state = CodeState(
                repository=await git.name(),
                branch=branch,
                commit=await git.commit("HEAD"),
                tree=await git.commit("HEAD", "tree"),
            )
            lent = await git.ignored(_LENT)
            yield GitWorkPlace(git, place, state, landing, lent[:_MOST_LENT])
        finally:
            shutil.rmtree(place, ignore_errors=True)
            unlock_and_remove(lock, descriptor)

    def _sweep(self) -> None:
        """Remove the places of heals that were killed."""
        for place in self._root.iterdir() if self._root.is_dir() else ():
            with suppress(OSError):
                if not is_locked(Path((place / "lock").read_text())):
                    shutil.rmtree(place, ignore_errors=True)


@dataclass
class GitWorkPlace:
    """One heal's place. See the Protocol `WorkPlace`."""

    git: Git
    place: Path
    state: CodeState
    landing: Landing
    lent: tuple[str, ...]

    async def files(self, paths: Sequence[str], below: str) -> Mapping[str, str]:
        """The texts of those files, and of all below a folder."""
        listed = await self.git.names(self.state.commit, (*paths, below))
        texts = {path: await self.git.text(self.state.commit, path) for path in listed}
        return {path: text for path, text in texts.items() if text is not None}

    async def tip_message(self) -> str:
        """The message of the commit that failed."""
        return await self.git.out("log", "-1", "--format=%B", self.state.commit)

    async def fresh(self) -> Tree:
        """A new tree of the code that failed."""
        return await self._tree("fix")

    async def _tree(self, name: str) -> Tree:
        folder, index = self.place / name, self.place / f"{name}.index"
        shutil.rmtree(folder, ignore_errors=True)
        index.unlink(missing_ok=True)
        folder.mkdir()
        await self.git.out("read-tree", self.state.commit, tree=folder, index=index)
        await self.git.out("checkout-index", "-a", "-f", "-u", "-q", tree=folder, index=index)
        return Tree(folder, self.git.work, self.lent)

    async def diff(self, tree: Tree) -> str:
        """What was changed in a tree."""
        _refuse_repositories(tree)
        index = self.place / f"{tree.folder.name}.index"
        await self.git.out("add", "-A", "--", ".", tree=tree.folder, index=index)
        contents = (await self.git.out("write-tree", tree=tree.folder, index=index)).strip()
        return await self.git.diff(self.state.commit, contents, self.place)

    async def applied(self, diff: str) -> tuple[Tree, str]:
        """Another new tree with exactly this change, and the name of its contents."""
        if any(line.startswith(_LINKS) for line in diff.splitlines()):
            raise _unfit("it makes a symbolic link or a submodule")
        tree = await self._tree("check")
        index = self.place / "check.index"
        try:
            await self.git.out(
                "apply",
                "--index",
                "--whitespace=nowarn",
                "-",
                tree=tree.folder,
                index=index,
                stdin=diff.encode("utf-8", "surrogateescape"),
            )
        except SystemFailed as error:
            raise _unfit(f"it does not apply: {error.message[-300:]}") from None
        contents = (await self.git.out("write-tree", tree=tree.folder, index=index)).strip()
        if await self.git.diff(self.state.commit, contents, self.place) != diff:
            raise _unfit("what it changes is not what it shows")
        return tree, contents

    def repository(self, contents: str) -> "Contents":
        """What the guard reads of a change."""
        return Contents(self.git, contents)

    async def commit(self, contents: str, message: str) -> str:
        """Write a commit on the code that failed."""
        made = await self.git.out(
            "commit-tree", contents, "-p", self.state.commit, stdin=message.encode(), env=_WHO
        )
        return made.strip()

    async def parent_contents(self) -> str:
        """The contents of the commit before the one that failed."""
        return await self.git.commit(f"{self.state.commit}^", "tree")

    async def advance(self, commit: str) -> None:
        """Move the failed branch to `commit`, and the project's folder with it."""
        await self.landing.move(self.state.commit, commit)

    async def retreat(self, commit: str) -> None:
        """Move the failed branch back from `commit`, which nobody has seen yet."""
        await self.landing.move(commit, self.state.commit)

    async def branch_off(self, name: str, commit: str) -> str:
        """Make a branch for `commit`; gives its name."""
        await self.git.out("update-ref", "-m", "codeb heal", f"refs/heads/{name}", commit)
        return name

    async def push(self, commit: str, branch: str) -> None:
        """Send `commit` to `branch` of the remote, never by force."""
        remote = await self.git.remote(self.state.branch)
        await self.git.out("push", "--quiet", remote, f"{commit}:refs/heads/{branch}", seconds=120)

    async def upstream_is_at(self, commit: str) -> bool:
        """Whether the failed branch is at `commit` at the remote too."""
        remote = await self.git.remote(self.state.branch)
        try:
            listed = await self.git.out(
                "ls-remote", remote, f"refs/heads/{self.state.branch}", seconds=60
            )
        except SystemFailed:
            return False
        return listed.split("\t")[0] == commit


class Contents:
    """The guard's view of a change that lies in no folder: its new side is a tree object."""

    def __init__(self, git: Git, contents: str) -> None:
        self._git = git
        self._contents = contents

    async def start_of(self, folder: Path, base: str) -> str:
        """The commit itself: the change was made on it."""
        del folder
        return base

    async def diff(self, folder: Path, start: str, *, staged: bool) -> str:
        """Not asked for: the change is given."""
        raise NotImplementedError

    async def file(self, folder: Path, revision: str, path: str) -> str | None:
        """A file of a commit, or of the new contents."""
        del folder
        return await self._git.text(revision or self._contents, path)

    def on_disk(self, folder: Path, path: str) -> str | None:
        """Nothing: the new side is never read from a disk."""
        del folder, path
        return None


def _refuse_repositories(tree: Tree) -> None:
    """A repository within a tree could configure what git runs when it looks at it."""
    for folder, folders, files in os.walk(tree.folder):
        if any(name.lower() == ".git" for name in (*folders, *files)):
            raise _unfit("it makes a git repository within the project")
        folders[:] = [name for name in folders if name not in _LENT]
        del folder


def _unfit(why: str) -> InvalidRequest:
    return InvalidRequest(f"the change cannot be used: {why}", code="unfit_change")
