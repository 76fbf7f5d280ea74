"""The registry's rows of databases, and of what previews get."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from codeb_mcp.adapters.registry.database import Database as RegistryFile
from codeb_mcp.adapters.registry.rows import from_text, require_project, to_text
from codeb_mcp.adapters.registry.schema import databases, preview_databases
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.databases import (
    Database,
    DatabaseId,
    Engine,
    Mode,
    PreviewTemplate,
    Version,
)
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey


class SqlDatabases:
    """Implements `Databases` in the registry's file."""

    def __init__(self, path: Path) -> None:
        self._file = RegistryFile(path)

    @in_thread
    def list(self, project: ProjectName | None = None) -> tuple[Database, ...]:
        """A project's databases, or all of them, by project, environment and engine."""
        order = (databases.c.project, databases.c.environment, databases.c.engine)
        query = select(databases).order_by(*order)
        if project is not None:
            query = query.where(databases.c.project == str(project))
        with self._file.read() as connection:
            return tuple(_database(row) for row in connection.execute(query))

    @in_thread
    def find(self, database: DatabaseId) -> Database | None:
        """One of them, or None."""
        with self._file.read() as connection:
            row = connection.execute(select(databases).where(*_is(database))).first()
        return _database(row) if row else None

    @in_thread
    def put(self, database: Database) -> None:
        """Write one down, in place of the one with its id."""
        with self._file.write() as connection:
            require_project(connection, database.id.key.project)
            _delete(connection, database.id)
            connection.execute(insert(databases).values(_row(database)))

    @in_thread
    def remove(self, database: DatabaseId) -> None:
        """Forget one; absent is fine."""
        with self._file.write() as connection:
            _delete(connection, database)

    @in_thread
    def templates(self, project: ProjectName) -> tuple[PreviewTemplate, ...]:
        """What each of the project's previews gets, by engine."""
        mine = preview_databases.c.project == str(project)
        query = select(preview_databases).where(mine).order_by(preview_databases.c.engine)
        with self._file.read() as connection:
            rows = connection.execute(query).all()
        return tuple(
            PreviewTemplate(
                ProjectName(row.project),
                Engine(row.engine),
                Mode(row.mode),
                Version(row.version),
                row.memory,
            )
            for row in rows
        )

    @in_thread
    def put_template(self, template: PreviewTemplate) -> None:
        """Write a template down, in place of the one for the same engine."""
        same = (
            preview_databases.c.project == str(template.project),
            preview_databases.c.engine == str(template.engine),
        )
        row = {
            "project": str(template.project),
            "engine": str(template.engine),
            "mode": str(template.mode),
            "version": str(template.version),
            "memory": template.memory,
        }
        with self._file.write() as connection:
            require_project(connection, template.project)
            connection.execute(delete(preview_databases).where(*same))
            connection.execute(insert(preview_databases).values(row))

    @in_thread
    def remove_templates(self, project: ProjectName, engine: Engine | None = None) -> None:
        """Forget a project's templates, or the one for `engine`; having none is fine."""
        query = delete(preview_databases).where(preview_databases.c.project == str(project))
        if engine is not None:
            query = query.where(preview_databases.c.engine == str(engine))
        with self._file.write() as connection:
            connection.execute(query)


def _is(database: DatabaseId) -> tuple[Any, ...]:
    return (
        databases.c.project == str(database.key.project),
        databases.c.environment == str(database.key.environment),
        databases.c.engine == str(database.engine),
    )


def _delete(connection: Connection, database: DatabaseId) -> None:
    connection.execute(delete(databases).where(*_is(database)))


def _row(database: Database) -> dict[str, object]:
    return {
        "project": str(database.id.key.project),
        "environment": str(database.id.key.environment),
        "engine": str(database.id.engine),
        "mode": str(database.mode),
        "version": str(database.version),
        "port": database.port,
        "image": database.image,
        "memory": database.memory,
        "created_at": to_text(database.created_at),
    }


def _database(row: Any) -> Database:
    key = EnvironmentKey(ProjectName(row.project), EnvironmentName(row.environment))
    return Database(
        id=DatabaseId(key, Engine(row.engine)),
        mode=Mode(row.mode),
        version=Version(row.version),
        port=row.port,
        image=row.image,
        memory=row.memory,
        created_at=from_text(row.created_at),
    )
