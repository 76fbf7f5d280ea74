"""The end of a database: a last backup, then nobody can sign in, then its data goes."""

from codeb_mcp.domain.databases import Database, DatabaseId, Mode, admin_access
from codeb_mcp.domain.host import fingerprint
from codeb_mcp.errors import HostNotReady, InvalidRequest, StalePlan
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.database_views import DatabaseRemovalView
from codeb_mcp.services.databases import alone_at, password_in, server_spec, variables_of
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


async def remove_database(systems: Systems, database: Database) -> str:
    """Remove it for good, for who holds the environment's lock; gives where its last backup is.

    Its row goes last, so that a call after a kill finds what is left to be done.
    """
    backup = await systems.databases.last_backups.take(database)
    name, key = database.id.engine.variable, database.id.key
    url = variables_of(systems, key).get(name)
    if url is not None and password_in(url, database) is not None:
        systems.secrets.update(key, {name: None})
    async with alone_at(systems, database.id.engine, database.mode):
        if database.mode is Mode.DEDICATED:
            await _take_down(systems, database)
        else:
            await _withdraw(systems, database)
        await systems.databases.rows.remove(database.id)
    return backup


async def _take_down(systems: Systems, database: Database) -> None:
    parts, server = systems.databases, database.server
    await parts.servers.stop(server)
    await parts.servers.remove_data(server)
    parts.passwords.forget(server)
    await systems.registry.release_port(database.id.key, database.id.engine.port_kind)


async def _withdraw(systems: Systems, database: Database) -> None:
    """Out of the shared server, and that out of the project's network unless it is needed there.

    The server itself stays: other projects may be about to use it.
    """
    parts, server = systems.databases, database.server
    password = parts.passwords.read(server)
    if password is None or not await parts.servers.running(server):
        raise HostNotReady(
            f"{server} does not run, so {database.id.name} cannot be taken out of it",
            hint=f"start it: codeb db create {database.id.key.project} --env "
            f"{database.id.key.environment} --type {database.id.engine}",
            code="database_down",
        )
    await parts.admin.withdraw(admin_access(database, password), database)
    rows = await parts.rows.list()
    others = [row for row in rows if row.server == server and row.id != database.id]
    project = database.id.key.project
    if project not in {row.id.key.project for row in others}:
        found = await systems.images.find(database.image)
        spec = await server_spec(
            systems, database, found.id if found else database.image, without=database.id
        )
        await parts.servers.leave(spec, project)


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
