"""Removing what codeb made on this host and nothing needs any more; nothing else, ever."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from codeb_mcp.domain.host import fingerprint
from codeb_mcp.domain.names import ImageReference
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.release import Release
from codeb_mcp.domain.tidiness import Belongings, Garbage, GarbageKind
from codeb_mcp.errors import CodebError, DataAtRisk, StalePlan
from codeb_mcp.planning.garbage import garbage_of
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.deployments import OnProgress, Progress, ignore_progress
from codeb_mcp.services.observation import ALL_RELEASES
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import GarbageItemView, GarbageView


@dataclass(frozen=True, slots=True)
class CollectionRequest:
    """Nothing is removed without the digest of the plan that says what."""

    actor: str
    plan_digest: str | None = None


class Collection:
    """Finds and removes what is left over."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def collect(
        self, request: CollectionRequest, on_progress: OnProgress = ignore_progress
    ) -> GarbageView:
        """Say what is left over; with the digest of that plan, remove it.

        Each environment is locked while it is tidied, and looked at again: one that is being
        changed is left for the next time. Raises StalePlan, and DataAtRisk when the registry is
        empty while things of codeb's are there.
        """
        await self._systems.ready()
        garbage = await self._garbage()
        digest = _digest(garbage)
        if request.plan_digest is None:
            return _view(garbage, digest, removed=[], failed={})
        if request.plan_digest != digest:
            raise StalePlan(
                "what is left over is not as it was when the plan was made",
                hint=f"look at the plan again; its digest is {digest} now",
            )
        removed: list[str] = []
        failed: dict[str, str] = {}
        async with audited(
            self._systems, request.actor, "collect_garbage", items=len(garbage), plan=digest[:12]
        ):
            for key, items in _by_environment(garbage).items():
                await on_progress(Progress(len(removed), len(garbage), f"tidy {key or 'images'}"))
                try:
                    await self._tidy(key, items, request.actor, removed)
                except CodebError as error:
                    failed[str(key or "images")] = str(error)
        return _view(garbage, digest, removed, failed)

    async def _tidy(
        self,
        key: EnvironmentKey | None,
        items: Sequence[Garbage],
        actor: str,
        removed: list[str],
    ) -> None:
        if key is None:
            for item in items:
                await self._remove(item)
                removed.append(item.sentence)
            return
        async with self._systems.locks.hold(key, actor, "remove what is left over"):
            still = [each for each in await self._garbage() if each in items]
            for item in still:
                await self._remove(item)
                removed.append(item.sentence)

    async def _garbage(self) -> tuple[Garbage, ...]:
        systems = self._systems
        known = await self._known()
        found = await self._belongings(known)
        if not await systems.registry.projects() and (found.containers or found.routes):
            raise DataAtRisk(
                "the registry knows no project, yet this host runs "
                f"{len(found.containers)} containers of codeb's: it may have been lost",
                hint="bring it back first: codeb registry import FILE",
                code="registry_empty",
            )
        return garbage_of(found, known, systems.host.keep_images, systems.clock.now())

    async def _known(self) -> dict[EnvironmentKey, tuple[Release, ...]]:
        registry = self._systems.registry
        return {
            each.key: await registry.releases(each.key, limit=ALL_RELEASES)
            for project in await registry.projects()
            for each in project.environments
        }

    async def _belongings(self, known: Mapping[EnvironmentKey, object]) -> Belongings:
        systems = self._systems
        images = await systems.images.owned()
        strangers = {each.key for each in images if each.key not in known}
        ours = {key for key in strangers if await systems.upkeep.knew(key)}
        return Belongings(
            containers=await systems.runtime.owned(),
            routes=await systems.proxy.owned(),
            markers=await systems.markers.owned(),
            logs=await systems.logs.owned(),
            images=[each for each in images if each.key in known or each.key in ours],
            pulled=await systems.upkeep.pulled(),
        )

    async def _remove(self, item: Garbage) -> None:
        systems, key = self._systems, item.key
        match item.kind:
            case GarbageKind.PULLED_IMAGE:
                await systems.images.drop(ImageReference(item.name), item.image_id)
                await systems.upkeep.forget_pulled(ImageReference(item.name))
            case GarbageKind.IMAGE:
                await systems.images.untag(item.name)
            case GarbageKind.ROUTE:
                await systems.proxy.restore_route(item.name, None)
            case GarbageKind.CONTAINER if key is not None and item.slot is not None:
                await systems.runtime.stop(key, item.slot)
            case GarbageKind.MARKER if key is not None:
                await systems.markers.forget(key)
            case GarbageKind.LOG | GarbageKind.LOGS if key is not None:
                await systems.logs.remove(key, item.release)
            case GarbageKind.CONTAINER | GarbageKind.MARKER | GarbageKind.LOG | GarbageKind.LOGS:
                raise AssertionError(f"{item.kind} without its environment")
            case _:
                assert_never(item.kind)


def _by_environment(
    garbage: Sequence[Garbage],
) -> dict[EnvironmentKey | None, list[Garbage]]:
    grouped: dict[EnvironmentKey | None, list[Garbage]] = defaultdict(list)
    for item in garbage:
        grouped[item.key].append(item)
    return grouped


def _digest(garbage: Sequence[Garbage]) -> str:
    return fingerprint([item.sentence for item in garbage])


def _view(
    garbage: Sequence[Garbage], digest: str, removed: list[str], failed: dict[str, str]
) -> GarbageView:
    return GarbageView(
        digest=digest,
        items=[
            GarbageItemView(kind=each.kind, name=each.name, why=each.why, sentence=each.sentence)
            for each in garbage
        ],
        removed=removed,
        failed=failed,
    )
