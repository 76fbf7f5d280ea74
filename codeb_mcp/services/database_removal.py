"""The end of a database: a last backup, then nobody can sign in, then its data goes."""

from codeb_mcp.domain.databases import Database, DatabaseId, Mode
from codeb_mcp.domain.host import fingerprint
from codeb_mcp.errors import InvalidRequest, StalePlan
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.database_end import remove_database
from codeb_mcp.services.database_views import DatabaseRemovalView
from codeb_mcp.services.systems import Systems


class DatabaseRemovals:
    """Removes databases from this host."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def remove(
        self, database: DatabaseId, actor: str, plan_digest: str | None = None
    ) -> DatabaseRemovalView:
        """Say what would be removed; with the digest of that, take a last backup and remove it.

        One that was interrupted is finished by the next.
        """
        systems, key = self._systems, database.key
        await systems.registry.project(key.project)
        if plan_digest is None:
            return _view(await self._found(database), removed=False)
        async with (
            audited(
                systems,
                actor,
                "remove_database",
                project=key.project,
                environment=key.environment,
                type=database.engine,
            ),
            systems.locks.hold(key, actor, f"remove its {database.engine}"),
        ):
            found = await self._found(database)
            if _digest(found) != plan_digest:
                raise StalePlan(
                    f"the {database.engine.label} of {key} is another one than was shown",
                    hint=f"look again; the digest is {_digest(found)} now",
                )
            await systems.ready()
            backup = await remove_database(systems, found)
        return _view(found, removed=True, backup=backup)

    async def _found(self, database: DatabaseId) -> Database:
        found = await self._systems.databases.rows.find(database)
        if found is None:
            raise InvalidRequest(
                f"{database.key} has no {database.engine.label}",
                hint="see codeb db list",
                code="unknown_database",
            )
        return found


def removal_steps(database: Database) -> list[str]:
    """What removing it does, in words."""
    server, name = database.server, database.id.name
    taken = [
        "take a last backup, where backups are set up",
        f"take {database.id.engine.variable} out of the variables of {database.id.key}",
    ]
    if database.mode is Mode.DEDICATED:
        return [*taken, f"stop {server}", f"remove its volume {server.name} with all the data"]
    return [*taken, f"remove {name} from {server}, with all of its data"]


def _digest(database: Database) -> str:
    return fingerprint([str(database), database.port, database.created_at.isoformat()])


def _view(database: Database, *, removed: bool, backup: str = "") -> DatabaseRemovalView:
    return DatabaseRemovalView(
        project=database.id.key.project,
        environment=database.id.key.environment,
        type=database.id.engine,
        removed=removed,
        digest=_digest(database),
        steps=removal_steps(database),
        backup=backup,
    )
