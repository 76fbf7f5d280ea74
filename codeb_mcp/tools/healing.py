"""The tool that heals a failure."""

from collections.abc import Callable
from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from codeb_mcp.domain.healing import Limits
from codeb_mcp.domain.incident import Diagnosis
from codeb_mcp.domain.names import ProjectName
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.healing import HealRequest
from codeb_mcp.services.healing_views import HealAnswer
from codeb_mcp.services.project_healing import HealWanted, ProjectHealing
from codeb_mcp.tools.answers import actor_of
from codeb_mcp.tools.deploying import absolute_path, reporting


class HealTool:
    """`heal`."""

    def __init__(self, healing: Callable[[], ProjectHealing]) -> None:
        self._healing = healing

    async def heal(
        self,
        ctx: Context,
        project: Annotated[
            str | None, Field(description="heal its newest failed release, by its log")
        ] = None,
        log: Annotated[
            str | None, Field(description="absolute path of the log of a job that failed")
        ] = None,
        repository: Annotated[
            str | None,
            Field(description="absolute path of the working copy that failed"),
        ] = None,
        dry_run: Annotated[bool, Field(description="end with the patch; change nothing")] = True,
        push: Annotated[bool, Field(description="send the fix to the remote")] = False,
        max_attempts: Annotated[int, Field(ge=1, le=10)] = 3,
        time_limit: Annotated[float, Field(description="seconds")] = 1800,
        cost_limit: Annotated[float, Field(description="US dollars")] = 5,
    ) -> HealAnswer:
        """Heal a failed build or release: diagnose, have it fixed, vet the fix, run the checks.

        Commits only what the guard allows and the checks pass; what a person must see goes to a
        branch of its own. Stops early where no change of code heals it, and says why.
        """
        if project is None and log is None:
            raise InvalidRequest(
                "there is nothing to heal by", hint="pass project, or log and repository"
            )
        options = HealRequest(
            folder=absolute_path("/"),
            diagnosis=Diagnosis(),
            actor=actor_of(ctx),
            limits=Limits(max_attempts, time_limit, cost_limit),
            dry_run=dry_run,
            push=push,
        )
        wanted = HealWanted(
            options,
            ProjectName(project) if project else None,
            None,
            (str(absolute_path(log)),) if log else (),
            absolute_path(repository) if repository else None,
        )
        return HealAnswer.of(await self._healing().heal(wanted, reporting(ctx)))
