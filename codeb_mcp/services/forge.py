"""The forge (GitHub) as the use cases need it. `adapters/github.py` implements it.

Every method raises HostNotReady (`github_down`, `github_token_refused`, `github_forbidden`),
InvalidRequest (`github_not_found`, `github_rejected`) or SystemFailed (`github_rate_limited`,
`github_failed`).
"""

from collections.abc import Sequence
from typing import Protocol

from codeb_mcp.domain.forge import (
    BranchName,
    CommitSha,
    Dispatch,
    Issue,
    JobLog,
    LineComment,
    NewPullRequest,
    PullRequest,
    RepositoryName,
    Review,
    WorkflowFile,
    WorkflowRun,
)


class Forge(Protocol):
    """One forge, asked and told as the owner of one token."""

    async def run(self, repository: RepositoryName, run_id: int) -> WorkflowRun:
        """One run, at its newest attempt."""

    async def runs(
        self,
        repository: RepositoryName,
        *,
        workflow: WorkflowFile | None = None,
        branch: BranchName | None = None,
        sha: CommitSha | None = None,
        limit: int = 30,
    ) -> tuple[WorkflowRun, ...]:
        """The newest runs, newest first."""

    async def failed_logs(self, repository: RepositoryName, run: WorkflowRun) -> tuple[JobLog, ...]:
        """The logs of that attempt's failed jobs; empty when none has failed (yet)."""

    async def rerun(
        self, repository: RepositoryName, run_id: int, *, failed_only: bool = True
    ) -> None:
        """Run it again: its failed jobs and those that need them, or all of it."""

    async def dispatch(self, repository: RepositoryName, what: Dispatch) -> None:
        """Start a workflow that has `workflow_dispatch`."""

    async def is_protected(self, repository: RepositoryName, branch: BranchName) -> bool:
        """Whether a rule of the repository protects that branch."""

    async def open_pull(self, repository: RepositoryName, new: NewPullRequest) -> PullRequest:
        """Open a pull request; the open one of the same head and base when there is one."""

    async def pull(self, repository: RepositoryName, number: int) -> PullRequest:
        """One pull request."""

    async def pulls(
        self,
        repository: RepositoryName,
        *,
        head: BranchName | None = None,
        base: BranchName | None = None,
        state: str = "open",
        limit: int = 100,
    ) -> tuple[PullRequest, ...]:
        """Pull requests, newest first; `state` is open, closed or all; `head` is of this repo."""

    async def pull_diff(self, repository: RepositoryName, number: int) -> str:
        """The whole unified diff of a pull request."""

    async def comment(self, repository: RepositoryName, number: int, body: str) -> None:
        """Comment on an issue or a pull request."""

    async def review(
        self,
        repository: RepositoryName,
        pull: PullRequest,
        verdict: Review,
        body: str,
        comments: Sequence[LineComment] = (),
    ) -> None:
        """Review the commit that `pull` was read at, with remarks at lines."""

    async def open_issue(
        self, repository: RepositoryName, title: str, body: str, labels: Sequence[str] = ()
    ) -> Issue:
        """Open an issue."""

    async def issues(
        self, repository: RepositoryName, *, labels: Sequence[str] = (), limit: int = 100
    ) -> tuple[Issue, ...]:
        """The open issues that have all of these labels, newest first; no pull requests."""

    async def assign_agent(
        self,
        repository: RepositoryName,
        number: int,
        base: BranchName,
        instructions: str = "",
    ) -> Issue:
        """Give an issue to the Copilot coding agent, which opens a pull request against `base`.

        Raises InvalidRequest (`agent_unavailable`) where the agent is not enabled, or the token
        is not a user's: GitHub then takes the request and assigns nobody.
        """
