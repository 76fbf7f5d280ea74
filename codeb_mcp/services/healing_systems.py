"""What a heal works with: a Protocol for each."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from codeb_mcp.domain.healing import (
    Check,
    CheckRun,
    CodeState,
    Effort,
    FixRequest,
    HealRecord,
    Tree,
)
from codeb_mcp.domain.watching import Told
from codeb_mcp.services.healing_views import HealView
from codeb_mcp.services.vetting import Repository


class Fixer(Protocol):
    """Edits the files of a folder so that a failure is gone. It can change nothing else."""

    name: str

    async def ready(self) -> None:
        """Raise HostNotReady when it cannot be used on this host, and say what is missing."""

    async def fix(self, request: FixRequest, tree: Tree, told: Told) -> Effort:
        """Work until the fixer thinks it is done or a limit is reached.

        What it cannot do (the API is down, it ran out of time) is in `Effort.failure`.
        """


class WorkPlace(Protocol):
    """One heal's place: nobody else heals this branch meanwhile."""

    state: CodeState

    async def files(self, paths: Sequence[str], below: str) -> Mapping[str, str]:
        """The texts of those files of the code that failed, and of all below a folder."""

    async def tip_message(self) -> str:
        """The message of the commit that failed."""

    async def fresh(self) -> Tree:
        """A new tree of the code that failed, in place of the one before."""

    async def diff(self, tree: Tree) -> str:
        """What was changed in a tree, as a unified diff: the same text for the same change."""

    async def applied(self, diff: str) -> tuple[Tree, str]:
        """Another new tree with exactly this change, and the name of its contents.

        InvalidRequest when the change does not apply, or makes what a fix may not: links.
        """

    def repository(self, contents: str) -> Repository:
        """What the guard reads of a change: the code that failed, and the new contents."""

    async def commit(self, contents: str, message: str) -> str:
        """Write a commit of `contents` on the code that failed. No branch leads to it yet."""

    async def parent_contents(self) -> str:
        """The contents of the commit before the one that failed."""

    async def advance(self, commit: str) -> None:
        """Move the failed branch to `commit`, and the project's folder with it.

        Refused when the branch has moved, or files that the fix changes were changed by others.
        """

    async def retreat(self, commit: str) -> None:
        """Move the failed branch back from `commit`, which nobody has seen yet."""

    async def branch_off(self, name: str, commit: str) -> str:
        """Make a branch for `commit` beside the failed one; gives its name."""

    async def push(self, commit: str, branch: str) -> None:
        """Send `commit` to `branch` of the remote, never by force."""

    async def upstream_is_at(self, commit: str) -> bool:
        """Whether the failed branch is at `commit` at the remote too."""


class WorkPlaces(Protocol):
    """Where heals work."""

    def open(self, folder: Path, branch: str | None) -> AbstractAsyncContextManager[WorkPlace]:
        """A place for the code that is checked out in `folder`, gone afterwards.

        What a heal that was killed left is cleared first. Locked when this branch is being
        healed, InvalidRequest when there is no repository.
        """


class Checks(Protocol):
    """Runs the checks of a project, away from secrets and, unless asked, from the network."""

    async def run(
        self, check: Check, tree: Tree, *, seconds: float, network: bool, told: Told
    ) -> CheckRun:
        """Run one check to its end, at most `seconds`."""


class HealRecords(Protocol):
    """What is remembered of heals."""

    async def add(self, record: HealRecord) -> None:
        """Append one."""

    async def of_failure(self, repository: str, fingerprint: str) -> tuple[HealRecord, ...]:
        """Those of one failure, newest first."""

    async def newest(self, limit: int, project: str | None = None) -> tuple[HealRecord, ...]:
        """The newest of all, or of one project."""


class People(Protocol):
    """Where people are told of what they have to decide."""

    async def propose(self, repository: str, branch: str, base: str, view: HealView) -> str:
        """Ask for a fix to be merged, with its verdict as a comment; gives the link."""

    async def tell(self, repository: str, fingerprint: str, view: HealView) -> str:
        """Say that healing failed for the last time; the same failure is told once."""

    async def delegate(self, repository: str, fingerprint: str, base: str, view: HealView) -> str:
        """Give a failure to the forge's own agent, once; gives the link."""
