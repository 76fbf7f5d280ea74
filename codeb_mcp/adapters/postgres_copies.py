"""A PostgreSQL database beside another: dumped, restored, compared and exchanged.

Dumps are made and read by the server's own programs, in its container; what has to be one
transaction goes over PostgreSQL's protocol.
"""

import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

from codeb_mcp.adapters.piped import Command, CommandDump, CommandIntake
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.backups import FRESH, OLD, Facts, TableFacts
from codeb_mcp.domain.databases import Access, Database
from codeb_mcp.domain.streams import DatabaseDump, Intake
from codeb_mcp.errors import SystemFailed

_CONNECT_SECONDS = 5
_TERMINATE_EVERY = 0.1
_RENAME_TRIES = 5
_COMMENT = "codeb: replaced, kept until "
_TABLES = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""

# pg_restore has heard enough at the list, and Podman fails a program whose input is left standing
_LIST_AND_HEAR_ALL = "pg_restore --list; code=$?; cat >/dev/null; exit $code"


class PostgresCopies:
    """`DatabaseCopies` for PostgreSQL. `inside` gives the argv that runs a program at a server."""

    def __init__(
        self, inside: Callable[[Database], tuple[str, ...]], environment: Mapping[str, str]
    ) -> None:
        self._inside = inside
        self._environment = environment

    @asynccontextmanager
    async def dump(self, admin: Access, database: Database) -> AsyncIterator[DatabaseDump]:
        """The database as of one moment, and what its tables hold at that moment."""
        snapshot = await in_thread(_Snapshot)(admin, database.id.name)
        try:
            options = ("--format=custom", f"--snapshot={snapshot.id}", "--no-password")
            command = self._program(database, "pg_dump", *options, database.id.name)
            argv = (*self._inside(database), "sh", "-c", _LIST_AND_HEAR_ALL)
            check = Command(argv, f"pg_restore of {database.id}", self._environment)
            snapshot.start()
            yield DatabaseDump(CommandDump(command, check), snapshot.engine, snapshot.facts)
        except SystemFailed as error:
            # the moment ends with whoever keeps it: a dump that fails then is not the cause
            raise snapshot.failure or error from None
        finally:
            snapshot.close()

    async def fresh(self, admin: Access, database: Database, beside: str) -> Intake:
        """Make an empty database beside this one, in place of one left there; takes a dump."""
        await in_thread(_make)(admin, database, database.id.name + beside)
        command = self._program(
            database,
            "pg_restore",
            "--exit-on-error",
            "--no-owner",
            "--no-acl",
            f"--role={database.id.name}",
            f"--dbname={database.id.name}{beside}",
        )
        return CommandIntake(command)

    async def facts(self, admin: Access, database: Database, beside: str) -> Facts:
        """What the tables of the one beside hold."""

        def work() -> Facts:
            with _connected(admin, database.id.name + beside) as connection:
                return _facts(connection)

        return await in_thread(work)()

    async def discard(self, admin: Access, database: Database, beside: str) -> None:
        """Remove the one beside; absent is fine."""

        def work() -> None:
            with _connected(admin, "postgres") as connection:
                _drop(connection, database.id.name + beside)

        await in_thread(work)()

    async def exchange(self, admin: Access, database: Database, until: datetime) -> None:
        """Put the fresh one in place of the present one, which is kept beside, in one transaction.

        Whoever is connected is sent away and finds the new one when it comes again.
        """
        name = database.id.name
        note = f"{_COMMENT}{until.astimezone(UTC).isoformat(timespec='seconds')}"
        moves = ((name, name + OLD), (name + FRESH, name))
        await in_thread(_rename)(admin, moves, (name + OLD, note))

    async def take_back(self, admin: Access, database: Database) -> None:
        """Put the one that was replaced back in its place; the one that replaced it goes."""
        name = database.id.name
        moves = ((name, name + FRESH), (name + OLD, name))
        await in_thread(_rename)(admin, moves, (name, None))
        await self.discard(admin, database, FRESH)

    async def replaced(self, admin: Access, database: Database) -> datetime | None:
        """Until when one that was replaced is kept; None where there is none."""

        def work() -> datetime | None:
            with _connected(admin, "postgres") as connection:
                row = connection.execute(
                    "SELECT shobj_description(oid, 'pg_database') FROM pg_database "
                    "WHERE datname = %s",
                    [database.id.name + OLD],
                ).fetchone()
            if row is None:
                return None
            return datetime.fromisoformat(str(row[0] or "").removeprefix(_COMMENT) or _EPOCH)

        return await in_thread(work)()

    def _program(self, database: Database, program: str, *options: str) -> Command:
        # the image trusts its own socket, which only the container reaches
        argv = (*self._inside(database), program, "--username=postgres", *options)
        return Command(argv, f"{program} of {database.id}", self._environment)


_EPOCH = "1970-01-01T00:00:00+00:00"


class _Snapshot:
    """One moment of a database, kept open for `pg_dump`, its tables counted meanwhile."""

    def __init__(self, admin: Access, name: str) -> None:
        self._stack = contextlib.ExitStack()
        self._facts: Facts = ()
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._count, name="counts rows", daemon=True)
        try:
            self._connection = self._stack.enter_context(_connected(admin, name))
            self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self.id = str(self._one("SELECT pg_export_snapshot()"))
            self.engine = f"PostgreSQL {self._one('SHOW server_version')}"
        except BaseException:
            self._stack.close()
            raise

    def start(self) -> None:
        """Begin to count."""
        self._thread.start()

    async def facts(self) -> Facts:
        """What was counted."""
        await in_thread(self._thread.join)()
        if self.failure is not None:
            raise self.failure
        return self._facts

    def close(self) -> None:
        """Let the moment go."""
        if self._thread.is_alive():
            self._connection.cancel()
            self._thread.join()
        self._stack.close()

    def _count(self) -> None:
        try:
            with _named("count the rows"):
                self._facts = _facts(self._connection)
        except SystemFailed as error:
            self.failure = error

    def _one(self, query: str) -> Any:
        return self._connection.execute(query).fetchone()[0]


def _facts(connection: Any) -> Facts:
    from psycopg import sql  # noqa: PLC0415

    # by its offset: an image may have no time zones
    connection.execute("SET timezone TO 0; SET datestyle TO 'ISO'; SET search_path TO ''")
    found = []
    for schema, table in connection.execute(_TABLES).fetchall():
        query = sql.SQL(
            "SELECT count(*), coalesce(sum(hashtextextended(codeb_row::text, 0)::numeric), 0)::text"
            " FROM ONLY {} AS codeb_row"
        ).format(sql.Identifier(schema, table))
        rows, digest = connection.execute(query).fetchone()
        found.append(TableFacts(f"{schema}.{table}", rows, digest))
    return tuple(found)


def _make(admin: Access, database: Database, name: str) -> None:
    from psycopg import sql  # noqa: PLC0415

    with _connected(admin, "postgres") as connection:
        _drop(connection, name)
        row = connection.execute(
            "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database "
            "WHERE datname = %s",
            [database.id.name],
        ).fetchone()
        if row is None:
            raise SystemFailed(f"{database} has no database {database.id.name}")
        encoding, collate, ctype = (sql.Literal(each) for each in row)
        new, owner = sql.Identifier(name), sql.Identifier(database.id.name)
        connection.execute(
            sql.SQL(
                "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {} LC_COLLATE {} "
                "LC_CTYPE {} ALLOW_CONNECTIONS false"
            ).format(new, owner, encoding, collate, ctype)
        )
        # nobody slips in before it is closed to the others
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(new))
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(new))


def _drop(connection: Any, name: str) -> None:
    from psycopg import sql  # noqa: PLC0415

    connection.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    )


def _rename(
    admin: Access, moves: tuple[tuple[str, str], ...], note: tuple[str, str | None]
) -> None:
    """Rename databases, all or none, sending away who is connected; and write a comment on one."""
    from psycopg import errors, sql  # noqa: PLC0415

    sources = [source for source, _ in moves]
    with _connected(admin, "postgres") as connection:
        for attempt in range(1, _RENAME_TRIES + 1):
            try:
                with _sending_away(admin, sources), connection.transaction():
                    for names in moves:
                        old, new = (sql.Identifier(name) for name in names)
                        connection.execute(
                            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(old, new)
                        )
                    noted, text = sql.Identifier(note[0]), sql.Literal(note[1])
                    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(noted, text))
            except errors.ObjectInUse:
                if attempt == _RENAME_TRIES:
                    raise
            else:
                return


@contextmanager
def _sending_away(admin: Access, names: list[str]) -> Iterator[None]:
    """Meanwhile end every session in these databases.

    A rename locks the database first, which keeps new sessions out, and then waits for those
    that are there to be gone.
    """
    over = threading.Event()

    def work() -> None:
        with contextlib.suppress(SystemFailed), _connected(admin, "postgres") as second:
            while not over.wait(_TERMINATE_EVERY):
                second.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = ANY(%s)",
                    [names],
                )

    thread = threading.Thread(target=work, name="sends sessions away", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _connected(admin: Access, name: str) -> Iterator[Any]:
    import psycopg  # noqa: PLC0415 - a quarter of a second that only databases pay

    with (
        _named(f"work in {name}"),
        psycopg.connect(
            host=admin.host,
            port=admin.port,
            user=admin.user,
            password=admin.password.reveal(),
            dbname=name,
            connect_timeout=_CONNECT_SECONDS,
            application_name="codeb backup",
            autocommit=True,
        ) as connection,
    ):
        yield connection


@contextmanager
def _named(doing: str) -> Iterator[None]:
    import psycopg  # noqa: PLC0415

    try:
        yield
    except psycopg.Error as error:
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise SystemFailed(
            f"PostgreSQL could not {doing}: {said}",
            hint="call again: what serves was not changed",
            code="database_failed",
        ) from None
