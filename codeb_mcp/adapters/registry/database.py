"""Opening the SQLite file: journal mode, transactions, migrations, and its failures by name."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from codeb_mcp.adapters.registry.schema import MIGRATIONS
from codeb_mcp.errors import HostNotReady, InvalidRequest, SystemFailed

BUSY_SECONDS = 60
# Before this version a write-ahead log that is reset can, rarely, corrupt the file.
SAFE_WAL = (3, 51, 3)


class Database:
    """One SQLite file. Every write is one `BEGIN IMMEDIATE` transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine: Engine | None = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its start; undone when it raises."""
        with self._begin("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the registry."""
        with self._begin("BEGIN") as connection:
            yield connection

    @contextmanager
    def _begin(self, statement: str) -> Iterator[Connection]:
        try:
            if self._engine is None:
                self._engine = self._open()
            with self._engine.connect() as connection:
                connection.exec_driver_sql(statement)
                try:
                    yield connection
                    connection.exec_driver_sql("COMMIT")
                except BaseException:
                    if connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]  # sqlite3's own attribute
                        connection.exec_driver_sql("ROLLBACK")
                    raise
        except exc.IntegrityError:
            raise
        except exc.DatabaseError as error:
            raise self._failure(error) from error

    def _open(self) -> Engine:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        except OSError as error:
            raise HostNotReady(
                f"the registry's folder {self.path.parent} cannot be made: {error.strerror}",
                hint="make it writable, or choose another with CODEB_HOME",
                code="registry_unavailable",
            ) from None
        engine = create_engine(
            f"sqlite:///{self.path}",
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        )
        event.listen(engine, "connect", _configure)
        with engine.connect() as connection:
            _migrate(connection)
        return engine

    def _failure(self, error: exc.DatabaseError) -> Exception:
        text = str(error.orig)
        if "readonly" in text or "unable to open" in text:
            return HostNotReady(
                f"the registry {self.path} cannot be opened for writing: {text}",
                hint="check the file's owner and mode, or choose another folder with CODEB_HOME",
                code="registry_unavailable",
            )
        if "disk is full" in text or "full" in text:
            return HostNotReady(
                f"the disk that holds the registry {self.path} is full",
                hint="free some space (podman image prune), then call again: nothing was changed",
                code="disk_full",
            )
        if "malformed" in text or "not a database" in text:
            return HostNotReady(
                f"the registry {self.path} is not a sound SQLite file: {text}",
                hint="move it away and import an export: codeb registry import FILE",
                code="registry_damaged",
            )
        return SystemFailed(
            f"the registry {self.path} failed: {text}", hint="call again", code="registry_failed"
        )


def _configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    mode = "WAL" if sqlite3.sqlite_version_info >= SAFE_WAL else "TRUNCATE"
    for pragma in (f"journal_mode={mode}", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _migrate(connection: Connection) -> None:
    """Run the migrations that this file has not seen, each once, also with two at it at once."""
    if _version(connection) == len(MIGRATIONS):
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    version = _version(connection)
    if version > len(MIGRATIONS):
        connection.exec_driver_sql("ROLLBACK")
        raise InvalidRequest(
            f"the registry was written by a newer codeb (schema {version}, "
            f"this one knows {len(MIGRATIONS)})",
            hint="upgrade codeb on this host: pip install --upgrade codeb-mcp",
            code="registry_too_new",
        )
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.exec_driver_sql("COMMIT")


def _version(connection: Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
