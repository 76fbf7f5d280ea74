"""Keeping an environment's newest releases, and removing what older ones left."""

from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.planning.retention import kept_images, kept_logs, kept_records
from codeb_mcp.services.observation import ALL_RELEASES
from codeb_mcp.services.systems import Systems


async def keep_newest(systems: Systems, key: EnvironmentKey, keep: int, live: int) -> None:
    """Remove the images, logs and records of releases that are not kept; with 0, all images.

    The live one always stays, and so does the one before it.
    """
    releases = await systems.registry.releases(key, limit=ALL_RELEASES)
    images = kept_images(releases, keep) | {live} if keep else frozenset[int]()
    for number, tag in (await systems.images.release_tags(key)).items():
        if number not in images:
            await systems.images.untag(tag)
    if not keep:
        return
    logs = kept_logs(releases, keep)
    for number in (await systems.logs.owned()).get(key, ()):
        if number not in logs:
            await systems.logs.remove(key, number)
    await systems.upkeep.forget_releases(key, kept_records(releases, keep))
