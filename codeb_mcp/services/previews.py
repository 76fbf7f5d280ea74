"""Previews: which there are, closing one, and removing those whose time is over."""

from codeb_mcp.domain.names import EnvironmentKind, ProjectName
from codeb_mcp.domain.previews import previews_of
from codeb_mcp.domain.project import Environment, EnvironmentKey
from codeb_mcp.errors import CodebError, InvalidRequest
from codeb_mcp.planning.document import status_word
from codeb_mcp.services.deployments import OnProgress, ignore_progress
from codeb_mcp.services.removals import Removals
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import PreviewsView, PreviewView, PruneView, RemovalView


class Previews:
    """The previews of this host."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems
        self._removals = Removals(systems)

    async def list(self, project: ProjectName | None = None) -> PreviewsView:
        """A project's previews, or all of them."""
        found = await self._found(project)
        limit = self._systems.host.preview_limit
        return PreviewsView(previews=[self._view(each) for each in found], limit=limit)

    async def close(
        self, key: EnvironmentKey, actor: str, on_progress: OnProgress = ignore_progress
    ) -> RemovalView:
        """Remove a preview with everything of it; a deploy that is under way is stopped first."""
        if key.environment.kind is not EnvironmentKind.PREVIEW:
            raise InvalidRequest(
                f"{key} is no preview",
                hint=f"codeb remove {key.project} --env {key.environment} removes it",
                code="not_a_preview",
            )
        return await self._removals.close(key, actor, on_progress)

    async def prune(self, actor: str, *, dry_run: bool) -> PruneView:
        """Remove the previews whose time is over. One that fails does not keep the others."""
        now = self._systems.clock.now()
        expired = [each for each in await self._found(None) if each.expired(now)]
        removed: list[str] = []
        failed: dict[str, str] = {}
        if expired and not dry_run:
            await self._systems.ready()
        for each in () if dry_run else expired:
            try:
                if await self._removals.expire(each.key, actor) is not None:
                    removed.append(str(each.key))
            except CodebError as error:
                failed[str(each.key)] = str(error)
        views = [self._view(each) for each in expired]
        return PruneView(dry_run=dry_run, expired=views, removed=removed, failed=failed)

    async def _found(self, project: ProjectName | None) -> tuple[Environment, ...]:
        registry = self._systems.registry
        projects = (await registry.project(project),) if project else await registry.projects()
        return tuple(preview for each in projects for preview in previews_of(each))

    def _view(self, preview: Environment) -> PreviewView:
        return PreviewView(
            project=preview.key.project,
            environment=preview.key.environment,
            status=status_word(preview),
            url=self._systems.proxy.url(preview.domain),
            expires_at=preview.expires_at,
            expired=preview.expired(self._systems.clock.now()),
        )
