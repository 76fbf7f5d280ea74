"""GitHub as a `Forge`, over its REST API."""

from collections.abc import Iterable, Sequence
from typing import Any

from codeb_mcp.adapters.github_api import GitHubApi, segment
from codeb_mcp.adapters.github_logs import LARGEST_LOG, key_of, logs_by_job
from codeb_mcp.domain.forge import (
    AGENT,
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
    RunStatus,
    WorkflowFile,
    WorkflowRun,
)
from codeb_mcp.errors import InvalidRequest, SystemFailed

LARGEST_ARCHIVE = 256_000_000
MOST_JOBS = 1_000
LARGEST_BODY = 65_000
"""Characters of a body; GitHub refuses more than 65,536."""


class GitHub:
    """Implements `Forge`."""

    def __init__(self, api: GitHubApi) -> None:
        self._api = api

    async def run(self, repository: RepositoryName, run_id: int) -> WorkflowRun:
        """One run, at its newest attempt."""
        return _run(await self._api.json("GET", f"/repos/{repository}/actions/runs/{run_id}"))

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
        scope = f"workflows/{segment(workflow)}/runs" if workflow else "runs"
        found = await self._api.listed(
            f"/repos/{repository}/actions/{scope}",
            limit,
            key="workflow_runs",
            query={"branch": branch, "head_sha": sha},
        )
        return tuple(_run(each) for each in found)

    async def failed_logs(self, repository: RepositoryName, run: WorkflowRun) -> tuple[JobLog, ...]:
        """The logs of that attempt's failed jobs, from the run's archive where it has them."""
        attempt = f"/repos/{repository}/actions/runs/{run.id}/attempts/{run.attempt}"
        jobs = await self._api.listed(f"{attempt}/jobs", MOST_JOBS, key="jobs")
        failed = [each for each in jobs if each.get("conclusion") in ("failure", "timed_out")]
        if not failed:
            return ()
        archived = logs_by_job(await self._api.download(f"{attempt}/logs", LARGEST_ARCHIVE))
        return tuple(
            [
                JobLog(
                    str(job["name"]),
                    tuple(_failed_steps(job)),
                    archived.get(key_of(str(job["name"])))
                    or await self._job_log(repository, int(job["id"])),
                )
                for job in failed
            ]
        )

    async def rerun(
        self, repository: RepositoryName, run_id: int, *, failed_only: bool = True
    ) -> None:
        """Run it again: its failed jobs and those that need them, or all of it."""
        what = "rerun-failed-jobs" if failed_only else "rerun"
        await self._api.ask("POST", f"/repos/{repository}/actions/runs/{run_id}/{what}", {})

    async def dispatch(self, repository: RepositoryName, what: Dispatch) -> None:
        """Start a workflow that has `workflow_dispatch`."""
        await self._api.ask(
            "POST",
            f"/repos/{repository}/actions/workflows/{segment(what.workflow)}/dispatches",
            {"ref": what.ref, "inputs": dict(what.inputs)},
        )

    async def is_protected(self, repository: RepositoryName, branch: BranchName) -> bool:
        """Whether a rule of the repository protects that branch."""
        found = await self._api.json("GET", f"/repos/{repository}/branches/{segment(branch)}")
        return bool(found.get("protected"))

    async def open_pull(self, repository: RepositoryName, new: NewPullRequest) -> PullRequest:
        """Open a pull request; the open one of the same head and base when there is one."""
        body = {
            "title": new.title,
            "body": _body(new.body),
            "head": new.head,
            "base": new.base,
            "draft": new.draft,
        }
        try:
            return _pull(await self._api.json("POST", f"/repos/{repository}/pulls", body))
        except InvalidRequest as error:
            if "already exists" not in error.message:
                raise
            there = await self.pulls(repository, head=new.head, base=new.base, limit=1)
            if not there:
                raise
            return there[0]

    async def pull(self, repository: RepositoryName, number: int) -> PullRequest:
        """One pull request."""
        return _pull(await self._api.json("GET", f"/repos/{repository}/pulls/{number}"))

    async def pulls(
        self,
        repository: RepositoryName,
        *,
        head: BranchName | None = None,
        base: BranchName | None = None,
        state: str = "open",
        limit: int = 100,
    ) -> tuple[PullRequest, ...]:
        """Pull requests, newest first."""
        owner = repository.partition("/")[0]
        query = {"state": state, "head": f"{owner}:{head}" if head else None, "base": base}
        found = await self._api.listed(f"/repos/{repository}/pulls", limit, query=query)
        return tuple(_pull(each) for each in found)

    async def pull_diff(self, repository: RepositoryName, number: int) -> str:
        """The whole unified diff of a pull request."""
        accept = {"accept": "application/vnd.github.diff"}
        answer = await self._api.ask("GET", f"/repos/{repository}/pulls/{number}", headers=accept)
        return answer.body.decode("utf-8", "surrogateescape")

    async def comment(self, repository: RepositoryName, number: int, body: str) -> None:
        """Comment on an issue or a pull request."""
        path = f"/repos/{repository}/issues/{number}/comments"
        await self._api.ask("POST", path, {"body": _body(body)})

    async def review(
        self,
        repository: RepositoryName,
        pull: PullRequest,
        verdict: Review,
        body: str,
        comments: Sequence[LineComment] = (),
    ) -> None:
        """Review the commit that `pull` was read at, with remarks at lines."""
        remarks = [
            {"path": each.path, "line": each.line, "side": "RIGHT", "body": _body(each.body)}
            for each in comments
        ]
        path = f"/repos/{repository}/pulls/{pull.number}/reviews"
        whole = {"commit_id": pull.head_sha, "event": verdict.value, "body": _body(body)}
        await self._api.ask("POST", path, {**whole, "comments": remarks})

    async def open_issue(
        self, repository: RepositoryName, title: str, body: str, labels: Sequence[str] = ()
    ) -> Issue:
        """Open an issue."""
        new = {"title": title, "body": _body(body), "labels": list(labels)}
        return _issue(await self._api.json("POST", f"/repos/{repository}/issues", new))

    async def issues(
        self, repository: RepositoryName, *, labels: Sequence[str] = (), limit: int = 100
    ) -> tuple[Issue, ...]:
        """The open issues that have all of these labels, newest first."""
        query = {"state": "open", "labels": ",".join(labels) or None}
        found = await self._api.listed(f"/repos/{repository}/issues", limit, query=query)
        # GitHub lists pull requests among the issues
        return tuple(_issue(each) for each in found if "pull_request" not in each)

    async def assign_agent(
        self,
        repository: RepositoryName,
        number: int,
        base: BranchName,
        instructions: str = "",
    ) -> Issue:
        """Give an issue to the Copilot coding agent, which opens a pull request against `base`."""
        assignment = {
            "target_repo": repository,
            "base_branch": base,
            "custom_instructions": _body(instructions),
        }
        issue = _issue(
            await self._api.json(
                "POST",
                f"/repos/{repository}/issues/{number}/assignees",
                {"assignees": [AGENT], "agent_assignment": assignment},
            )
        )
        if not issue.with_agent:
            raise InvalidRequest(
                f"GitHub did not give issue {number} of {repository} to the Copilot coding agent",
                hint="enable the agent for the repository, and use a token of a user who has "
                "Copilot: a workflow's own token cannot assign it",
                code="agent_unavailable",
            )
        return issue

    async def _job_log(self, repository: RepositoryName, job: int) -> str:
        path = f"/repos/{repository}/actions/jobs/{job}/logs"
        data = await self._api.download(path, LARGEST_LOG)
        return data.decode("utf-8-sig", errors="replace")


def _run(found: Any) -> WorkflowRun:
    try:
        status = str(found["status"])
        return WorkflowRun(
            id=int(found["id"]),
            attempt=int(found.get("run_attempt") or 1),
            name=str(found.get("name") or ""),
            workflow=str(found.get("path") or "").partition("@")[0],
            event=str(found["event"]),
            branch=str(found.get("head_branch") or ""),
            sha=CommitSha(found["head_sha"]),
            status=RunStatus(status) if status in set(RunStatus) else RunStatus.OTHER,
            conclusion=str(found.get("conclusion") or ""),
            url=str(found["html_url"]),
            head_repository=str((found.get("head_repository") or {}).get("full_name") or ""),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _unlike("a run", error) from None


def _pull(found: Any) -> PullRequest:
    try:
        return PullRequest(
            number=int(found["number"]),
            title=str(found["title"]),
            url=str(found["html_url"]),
            state=str(found["state"]),
            merged=bool(found.get("merged") or found.get("merged_at")),
            author=str((found.get("user") or {}).get("login") or ""),
            head=str(found["head"]["ref"]),
            head_sha=CommitSha(found["head"]["sha"]),
            head_repository=str((found["head"].get("repo") or {}).get("full_name") or ""),
            base=str(found["base"]["ref"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _unlike("a pull request", error) from None


def _issue(found: Any) -> Issue:
    try:
        return Issue(
            number=int(found["number"]),
            title=str(found["title"]),
            url=str(found["html_url"]),
            state=str(found["state"]),
            labels=tuple(str(each["name"]) for each in found.get("labels") or ()),
            assignees=tuple(str(each["login"]) for each in found.get("assignees") or ()),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _unlike("an issue", error) from None


def _unlike(what: str, error: Exception) -> SystemFailed:
    return SystemFailed(
        f"what GitHub says of {what} is not understood: {error!r}",
        hint="check github_url: it must be GitHub's API, such as https://api.github.com",
        code="github_failed",
    )


def _failed_steps(job: Any) -> Iterable[str]:
    for each in job.get("steps") or ():
        if each.get("conclusion") in ("failure", "timed_out"):
            yield str(each.get("name") or "")


def _body(text: str) -> str:
    return text if len(text) <= LARGEST_BODY else f"{text[:LARGEST_BODY]}\n… (cut)"
