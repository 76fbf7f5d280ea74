"""What a forge (GitHub) keeps beside the code: runs of workflows, pull requests, issues."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from codeb_mcp.domain.names import shown
from codeb_mcp.errors import InvalidRequest

_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@=,#-]{0,254}")
_SHA = re.compile(r"[0-9a-f]{40}")
_WORKFLOW = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.ya?ml")


class RepositoryName(str):
    """`owner/name`."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _REPOSITORY.fullmatch(text) or text.endswith(("/.", "/..")):
            raise InvalidRequest(
                f"repository {shown(text)} is not valid",
                hint="use owner/name, such as octo-org/shop",
                code="invalid_repository",
            )
        return super().__new__(cls, text)


class BranchName(str):
    """A branch or tag. Whoever opens a pull request chooses it, so it is checked like any input."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        bad = ("..", "//", "@{", "/.")
        if (
            not _BRANCH.fullmatch(text)
            or any(part in text for part in bad)
            or text.endswith(("/", ".", ".lock"))
        ):
            raise InvalidRequest(
                f"branch {shown(text)} is not valid",
                hint="use letters, digits and ./_-+@=,# in it",
                code="invalid_branch",
            )
        return super().__new__(cls, text)


class CommitSha(str):
    """The 40 hexadecimal digits of a commit."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _SHA.fullmatch(text):
            raise InvalidRequest(
                f"commit {shown(text)} is not valid",
                hint="use all 40 hexadecimal digits",
                code="invalid_commit",
            )
        return super().__new__(cls, text)


class WorkflowFile(str):
    """The file of a workflow below `.github/workflows`: `ci-cd.yml`."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _WORKFLOW.fullmatch(text):
            raise InvalidRequest(
                f"workflow {shown(text)} is not valid",
                hint="use the file's name, such as ci-cd.yml",
                code="invalid_workflow",
            )
        return super().__new__(cls, text)


class RunStatus(StrEnum):
    """How far a run or a job has come. A status that GitHub adds one day is `other`."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """One run of a workflow. `conclusion` is empty until it has completed.

    `head_repository` differs from where it ran for a pull request from a fork; it is empty when
    that fork is gone.
    """

    id: int
    attempt: int
    name: str
    workflow: str
    event: str
    branch: str
    sha: CommitSha
    status: RunStatus
    conclusion: str
    url: str
    head_repository: str

    @property
    def failed(self) -> bool:
        """Whether it ended in a way that something could be healed of."""
        return self.conclusion in ("failure", "timed_out")


@dataclass(frozen=True, slots=True)
class JobLog:
    """The log of a job that failed, and the steps of it that did; `log` as GitHub keeps it."""

    job: str
    failed_steps: tuple[str, ...]
    log: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request. `head_repository` is empty when the fork it came from is gone."""

    number: int
    title: str
    url: str
    state: str
    merged: bool
    author: str
    head: str
    head_sha: CommitSha
    head_repository: str
    base: str


@dataclass(frozen=True, slots=True)
class LineComment:
    """A remark at a line of the new side of a pull request's diff."""

    path: str
    line: int
    body: str


class Review(StrEnum):
    """What a review says of the whole."""

    COMMENT = "COMMENT"
    REQUEST_CHANGES = "REQUEST_CHANGES"
    APPROVE = "APPROVE"


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue. `assignees` are logins."""

    number: int
    title: str
    url: str
    state: str
    labels: tuple[str, ...]
    assignees: tuple[str, ...]

    @property
    def with_agent(self) -> bool:
        """Whether the Copilot coding agent has it."""
        return any(name.lower() in ("copilot", AGENT.lower()) for name in self.assignees)


@dataclass(frozen=True, slots=True)
class NewPullRequest:
    """A pull request to open."""

    title: str
    body: str
    head: BranchName
    base: BranchName
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A workflow to start on a branch, with its inputs."""

    workflow: WorkflowFile
    ref: BranchName
    inputs: Mapping[str, str] = field(default_factory=dict)


AGENT = "copilot-swe-agent[bot]"
"""The login that the Copilot coding agent is assigned by; GitHub shows it as `Copilot`."""
