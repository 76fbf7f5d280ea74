"""Where a release's image comes from: a registry, a folder, or a release before it."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from codeb_mcp.domain.host import ResolvedImage
from codeb_mcp.domain.names import ImageReference, shown
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.release import Release, ReleaseStatus
from codeb_mcp.domain.watching import Told, unwatched
from codeb_mcp.errors import CodebError, InvalidRequest, Refused
from codeb_mcp.planning.retention import PROVEN
from codeb_mcp.services.systems import Systems


@dataclass(frozen=True, slots=True)
class Earlier:
    """A release before: by number, by version, or (None) the one before the live one."""

    to: str | None = None


Source: TypeAlias = ImageReference | Path | Release


def described(source: Source | Earlier) -> str:
    """The source as a person would name it: one line, whatever a folder is called."""
    if isinstance(source, Earlier):
        return f"release {shown(source.to)}" if source.to else "the release before"
    if isinstance(source, Release):
        return f"release {source.number}"
    return shown(str(source), 200) if isinstance(source, Path) else source


def reference_of(source: Source) -> str:
    """What the registry writes down as the release's image."""
    return source.image if isinstance(source, Release) else str(source)


def version_of(source: Source, image: ResolvedImage) -> str:
    """The tag or the earlier version, where it says something; else how the digest begins."""
    if isinstance(source, Release):
        return source.version
    if isinstance(source, ImageReference) and source.tag not in ("", "latest"):
        return source.tag
    return image.digest.removeprefix("sha256:")[:12]


async def resolve(
    systems: Systems, key: EnvironmentKey, source: Source, told: Told = unwatched
) -> ResolvedImage:
    """The image, in local storage; `told` hears how far it has come.

    Raises Refused when an earlier release's is gone.
    """
    if isinstance(source, Path):
        tag = ImageReference(f"localhost/codeb/{key.project}/build:latest")
        return await systems.images.build(source, tag, told)
    if isinstance(source, ImageReference):
        if source.startswith("localhost/"):
            return await systems.images.pull(source, told)
        return await _pulled(systems, source, told)
    return await kept_image(systems, key, source)


async def _pulled(systems: Systems, reference: ImageReference, told: Told) -> ResolvedImage:
    """Pull; a name that was not here before is written down, so that it may go again one day."""
    before = await systems.images.find(reference)
    image = await systems.images.pull(reference, told)
    ours = {each.reference: each.image_id for each in await systems.upkeep.pulled()}
    if before is None or ours.get(reference) == before.id:
        await systems.upkeep.note_pulled(reference, image.id)
    return image


async def kept_image(systems: Systems, key: EnvironmentKey, source: Release) -> ResolvedImage:
    """The image that a release ran, by its digest. Raises Refused when it is gone."""
    kept = await systems.images.release_tags(key)
    if source.number not in kept:
        left = ", ".join(map(str, sorted(kept))) or "none"
        raise Refused(
            f"the image of release {source.number} of {key} is gone (kept are those of: {left})",
            hint=f"roll back to one that is kept, or deploy {source.image} again",
            code="image_gone",
        )
    image = await systems.images.pull(ImageReference(kept[source.number]))
    if source.digest:
        repository = kept[source.number].rpartition(":")[0]
        same = await systems.images.find(f"{repository}@{source.digest}")
        if same is None or same.id != image.id:
            raise Refused(
                f"{kept[source.number]} is not the image that release {source.number} of {key} "
                f"ran ({source.digest}): somebody has moved the name",
                hint=f"roll back to another release, or deploy {source.image} again",
                code="image_changed",
            )
    return replace(image, digest=source.digest or image.digest)


async def standing_by(systems: Systems, key: EnvironmentKey, source: Source | Earlier) -> bool:
    """Whether someone changes the environment while the release to go back to still runs.

    So it is after a cut-over, until the old slot has finished its requests.
    """
    if not isinstance(source, Earlier) or not await systems.locks.holder(key):
        return False
    with suppress(CodebError):  # it is told when the rollback has its turn
        target = await rollback_target(systems, key, source.to)
        running = (await systems.runtime.observe(key)).values()
        return any(each.running and each.release == target.number for each in running)
    return False


async def rollback_target(systems: Systems, key: EnvironmentKey, to: str | None) -> Release:
    """The release to go back to: by number, by version, or (None) the one before the live one.

    Only a release that has served before is gone back to.
    """
    await systems.registry.project(key.project)
    releases = await systems.registry.releases(key, limit=1000)
    proven = [release for release in releases if release.status in PROVEN]
    live = next((each.number for each in proven if each.status is ReleaseStatus.LIVE), None)
    for release in proven:
        if release.number != live if to is None else str(release.number) == to:
            return release
    for release in proven:  # a version may look like a number: the number comes first
        if release.version == to:
            return release
    offered = ", ".join(f"{each.number} ({each.version})" for each in proven[:5]) or "none"
    raise InvalidRequest(
        f"{key} has no release {'before the live one' if to is None else shown(to)} that has "
        "served before",
        hint=f"those that have: {offered}",
        code="unknown_release",
    )
