"""Tools for what comes after a deploy: previews that end, what is left over, what has drifted."""

from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.services.garbage import Collection, CollectionRequest
from codeb_mcp.services.previews import Previews
from codeb_mcp.services.reconciling import ReconcileRequest, Reconciliation
from codeb_mcp.services.views import (
    GarbageView,
    PreviewsView,
    PruneView,
    ReconcileView,
    RemovalView,
)
from codeb_mcp.tools.answers import actor_of
from codeb_mcp.tools.deploying import Project, Wait, reporting


class PreviewTools:
    """`list_previews`, `remove_preview` and `prune_previews`."""

    def __init__(self, previews: Previews) -> None:
        self._previews = previews

    async def list_previews(
        self,
        project: Annotated[str | None, Field(description="only this project's")] = None,
    ) -> PreviewsView:
        """List the previews of pull requests, and when each expires."""
        return await self._previews.list(ProjectName(project) if project else None)

    async def remove_preview(
        self,
        ctx: Context,
        project: Project,
        environment: Annotated[str, Field(description="pr-N")],
    ) -> RemovalView:
        """Close a preview whose pull request is closed: everything of it goes.

        A deploy of it that is under way is stopped and undone first. Only previews: production
        and staging need remove_environment.
        """
        key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
        return await self._previews.close(key, actor_of(ctx), reporting(ctx))

    async def prune_previews(
        self,
        ctx: Context,
        dry_run: Annotated[bool, Field(description="only list what would go")] = True,
    ) -> PruneView:
        """Remove the previews whose time is over."""
        return await self._previews.prune(actor_of(ctx), dry_run=dry_run)


class CollectTool:
    """`collect_garbage`."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def collect_garbage(
        self,
        ctx: Context,
        plan_digest: Annotated[
            str | None, Field(description="digest of the list that a person has agreed to")
        ] = None,
    ) -> GarbageView:
        """Find what codeb made here and nothing needs: orphans, old images, old logs.

        Without plan_digest it only lists them. Nothing of others is ever touched.
        """
        request = CollectionRequest(actor_of(ctx), plan_digest)
        return await self._collection.collect(request, reporting(ctx))


class ReconcileTool:
    """`reconcile`."""

    def __init__(self, reconciliation: Reconciliation) -> None:
        self._reconciliation = reconciliation

    async def reconcile(
        self,
        ctx: Context,
        project: Project,
        environment: Annotated[str | None, Field(description="only this one; default: all")] = None,
        dry_run: Annotated[bool, Field(description="only say what would change")] = False,
        wait: Wait = 0,
    ) -> ReconcileView:
        """Mend what get_status calls drift: what was stopped, removed or changed by other hands.

        The live release is started again where it does not run; there is no new release.
        """
        request = ReconcileRequest(
            ProjectName(project),
            actor_of(ctx),
            EnvironmentName(environment) if environment else None,
            dry_run,
            wait,
        )
        return await self._reconciliation.reconcile(request, reporting(ctx))
