"""Speaks PostgreSQL's protocol, through psycopg."""

from typing import Any

from codeb_mcp.domain.databases import Access, Database
from codeb_mcp.domain.masking import Secret
from codeb_mcp.errors import SystemFailed

_CONNECT_SECONDS = 5
_STATEMENT_MS = 60_000
_ALONE = 7_162_034_219
"""An advisory lock: who makes or removes databases is alone at it."""


def answers(access: Access) -> str:
    """Sign in and ask it something: empty when it answers, else why not."""
    import psycopg  # noqa: PLC0415 - a quarter of a second that only databases pay

    try:
        with _connect(access, access.database or "postgres") as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return _said(error)
    return ""


def provide(admin: Access, database: Database, password: Secret) -> None:
    """Make the role and its database, which nobody else may connect to."""
    import psycopg  # noqa: PLC0415
    from psycopg import sql  # noqa: PLC0415

    name = sql.Identifier(database.id.name)
    try:
        with _connect(admin, "postgres") as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [_ALONE])
            for everybodys in ("postgres", "template1"):
                connection.execute(_closed(sql, sql.Identifier(everybodys)))
            verifier = connection.pgconn.encrypt_password(
                password.reveal().encode(), database.id.name.encode(), b"scram-sha-256"
            ).decode()
            known = _exists(connection, "pg_roles", "rolname", database.id.name)
            connection.execute(
                sql.SQL(
                    "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION "
                    "NOBYPASSRLS PASSWORD {}"
                ).format(sql.SQL("ALTER" if known else "CREATE"), name, sql.Literal(verifier))
            )
            if not _exists(connection, "pg_database", "datname", database.id.name):
                # nobody slips in before it is closed to the others
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {} ALLOW_CONNECTIONS false").format(
                        name, name
                    )
                )
            connection.execute(_closed(sql, name))
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    except psycopg.Error as error:
        raise _failed(f"make {database}", error) from None


def withdraw(admin: Access, database: Database) -> None:
    """Remove the database and its role; absent is fine."""
    import psycopg  # noqa: PLC0415
    from psycopg import sql  # noqa: PLC0415

    name = sql.Identifier(database.id.name)
    try:
        with _connect(admin, "postgres") as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [_ALONE])
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))
    except psycopg.Error as error:
        raise _failed(f"remove {database}", error) from None


def _connect(access: Access, database: str) -> Any:
    import psycopg  # noqa: PLC0415

    return psycopg.connect(
        host=access.host,
        port=access.port,
        user=access.user,
        password=access.password.reveal(),
        dbname=database,
        connect_timeout=_CONNECT_SECONDS,
        options=f"-c statement_timeout={_STATEMENT_MS}",
        application_name="codeb",
        autocommit=True,
    )


def _closed(sql: Any, name: Any) -> Any:
    return sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name)


def _exists(connection: Any, catalog: str, column: str, name: str) -> bool:
    from psycopg import sql  # noqa: PLC0415

    query = sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(
        sql.Identifier("pg_catalog", catalog), sql.Identifier(column)
    )
    return connection.execute(query, [name]).fetchone() is not None


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _failed(doing: str, error: Exception) -> SystemFailed:
    return SystemFailed(
        f"PostgreSQL could not {doing}: {_said(error)}",
        hint="call again: what is there already stays",
        code="database_failed",
    )
