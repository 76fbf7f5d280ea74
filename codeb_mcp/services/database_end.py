"""Taking a database away: a last backup, then nobody can sign in, then its data goes."""

from codeb_mcp.domain.databases import Database, Mode, admin_access
from codeb_mcp.errors import HostNotReady
from codeb_mcp.services.database_parts import alone_at, password_in, server_spec, variables_of
from codeb_mcp.services.systems import Systems


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
