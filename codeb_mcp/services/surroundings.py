"""Carries out the steps about networks, volumes, databases and jobs."""

from typing import assert_never

from codeb_mcp.domain.surroundings import (
    CreateNetwork,
    CreateVolume,
    InstallJob,
    RemoveDatabase,
    RemoveJob,
    RemoveNetwork,
    RemoveVolume,
    Surrounding,
)
from codeb_mcp.services.database_end import remove_database
from codeb_mcp.services.systems import Systems


async def surround(systems: Systems, step: Surrounding) -> None:
    """Carry out one step; doing so twice is fine."""
    match step:
        case CreateNetwork(key):
            await systems.networks.create(key)
        case RemoveNetwork(key):
            await systems.networks.remove(key)
        case CreateVolume(key, volume):
            await systems.volumes.create(key, volume)
        case RemoveVolume(key, name):
            await systems.volumes.remove(key, name)
        case RemoveDatabase(database):
            found = await systems.databases.rows.find(database)
            if found is not None:
                await remove_database(systems, found)
        case InstallJob(spec):
            await systems.jobs.install(spec)
        case RemoveJob(key, name):
            await systems.jobs.remove(key, name)
        case _:
            assert_never(step)
