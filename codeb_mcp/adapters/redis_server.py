"""Speaks Redis's protocol, through redis-py."""

import hashlib
from typing import Any

from codeb_mcp.domain.databases import Access, Database, Mode
from codeb_mcp.domain.masking import Secret
from codeb_mcp.errors import SystemFailed

_SECONDS = 10.0
_DATABASES = 16
_BATCH = 500
# Named one by one, because a category that a later version adds may reach other projects' keys.
_ALLOWED = (
    *("@string", "@hash", "@list", "@set", "@sortedset", "@stream", "@bitmap", "@hyperloglog"),
    *("@geo", "@pubsub", "@transaction", "@connection", "@scripting", "@keyspace"),
)
_FORBIDDEN = ("@admin", "@dangerous")
# These are bound by no key pattern: they tell of all keys, or change what all share.
_OF_ALL = (
    *("scan", "randomkey", "dbsize", "swapdb", "pubsub", "function", "fcall", "fcall_ro"),
    *("script|flush", "script|kill", "client|tracking"),
)


def answers(access: Access) -> str:
    """Sign in and ask it something: empty when it answers, else why not."""
    import redis  # noqa: PLC0415 - a tenth of a second that only databases pay

    try:
        with _connect(access) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        return _said(error)
    return ""


def rules(database: Database, password: Secret) -> tuple[str, ...]:
    """What the database's ACL user may do. One in a server of its own sees all keys there."""
    digest = hashlib.sha256(password.reveal().encode()).hexdigest()
    pattern = database.key_pattern
    shared = database.mode is Mode.SHARED
    return (
        *("reset", "on", f"#{digest}", f"~{pattern}", f"&{pattern}"),
        *([f"+{each}" for each in _ALLOWED] if shared else ["+@all"]),
        *(f"-{each}" for each in (_FORBIDDEN if shared else ("@admin",))),
        *(f"-{each}" for each in (_OF_ALL if shared else ())),
    )


def provide(admin: Access, database: Database, password: Secret) -> None:
    """Make the ACL user, or give it that password, and write the users to disk."""
    import redis  # noqa: PLC0415

    try:
        with _connect(admin) as client:
            client.execute_command("ACL", "SETUSER", database.id.name, *rules(database, password))
            client.execute_command("ACL", "SAVE")
    except (redis.RedisError, OSError) as error:
        raise _failed(f"make {database}", error) from None


def withdraw(admin: Access, database: Database) -> None:
    """Remove the ACL user and its keys; absent is fine."""
    import redis  # noqa: PLC0415

    try:
        with _connect(admin) as client:
            client.execute_command("ACL", "DELUSER", database.id.name)
            client.execute_command("ACL", "SAVE")
            for number in range(_DATABASES):
                client.execute_command("SELECT", number)
                _remove_keys(client, database.key_pattern)
    except (redis.RedisError, OSError) as error:
        raise _failed(f"remove {database}", error) from None


def _remove_keys(client: Any, pattern: str) -> None:
    cursor: int | None = None
    while cursor != 0:
        cursor, keys = client.scan(cursor or 0, match=pattern, count=_BATCH)
        if keys:
            client.unlink(*keys)


def _connect(access: Access) -> Any:
    import redis  # noqa: PLC0415

    return redis.Redis(
        host=access.host,
        port=access.port,
        username=access.user,
        password=access.password.reveal(),
        socket_timeout=_SECONDS,
        socket_connect_timeout=_SECONDS,
        client_name="codeb",
        single_connection_client=True,
    )


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _failed(doing: str, error: Exception) -> SystemFailed:
    return SystemFailed(
        f"Redis could not {doing}: {_said(error)}",
        hint="call again: what is there already stays",
        code="database_failed",
    )
