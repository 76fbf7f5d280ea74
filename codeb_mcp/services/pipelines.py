"""What a self-healing workflow needs of GitHub: the failed jobs' logs, and another run."""

from codeb_mcp.domain.forge import BranchName, Dispatch, RepositoryName, WorkflowFile
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.forge import Forge
from codeb_mcp.services.views import View


class FailedLogsView(View):
    """The failed jobs of a run, and their logs as one text."""

    run: int
    attempt: int
    branch: str
    commit: str
    url: str
    jobs: list[str]
    log: str


class Pipelines:
    """Runs of workflows."""

    def __init__(self, forge: Forge) -> None:
        self._forge = forge

    async def failed_logs(self, repository: RepositoryName, run_id: int) -> FailedLogsView:
        """The logs of a run's failed jobs. InvalidRequest when none of its jobs failed."""
        run = await self._forge.run(repository, run_id)
        logs = await self._forge.failed_logs(repository, run)
        if not logs:
            raise InvalidRequest(
                f"no job of run {run_id} of {repository} failed ({run.conclusion or run.status})",
                hint="name a run that failed",
                code="nothing_failed",
            )
        return FailedLogsView(
            run=run.id,
            attempt=run.attempt,
            branch=run.branch,
            commit=run.sha,
            url=run.url,
            jobs=[each.job for each in logs],
            log="\n".join(each.log for each in logs),
        )

    async def start(
        self, repository: RepositoryName, workflow: WorkflowFile, branch: BranchName
    ) -> None:
        """Start a workflow on a branch."""
        await self._forge.dispatch(repository, Dispatch(workflow, branch))
