"""The databases that a preview is given with its deploy."""

from codeb_mcp.domain.databases import DatabaseId
from codeb_mcp.domain.names import EnvironmentKind
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.services.databases import DatabaseCare, DatabaseRequest
from codeb_mcp.services.progress import OnProgress
from codeb_mcp.services.systems import Systems


async def give_databases(
    systems: Systems, key: EnvironmentKey, actor: str, on_progress: OnProgress
) -> None:
    """Make what the project's previews have and this one lacks; for who holds its lock."""
    if key.environment.kind is not EnvironmentKind.PREVIEW:
        return
    for template in await systems.databases.rows.templates(key.project):
        database = DatabaseId(key, template.engine)
        if await systems.databases.rows.find(database) is None or not _has_url(systems, database):
            request = DatabaseRequest(
                database, actor, template.mode, template.version, template.memory
            )
            await DatabaseCare(systems).provide(request, on_progress)


def _has_url(systems: Systems, database: DatabaseId) -> bool:
    found = systems.secrets.read(database.key)
    return found is not None and database.engine.variable in found.names
