"""`DatabaseAdmin` by real connections, and the administrators' passwords in files."""

from pathlib import Path
from types import ModuleType
from typing import assert_never

from codeb_mcp.adapters import postgres, redis_server
from codeb_mcp.adapters.files import sync_folder, write_atomic
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.databases import Access, Database, Engine, Server
from codeb_mcp.domain.masking import Secret


class DatabaseConnections:
    """Speaks to PostgreSQL and Redis, each in its own protocol."""

    async def answers(self, access: Access) -> str:
        """Sign in and ask it something: empty when it answers, else why not."""
        said: str = await in_thread(_speaker(access.engine).answers)(access)
        return said

    async def provide(self, admin: Access, database: Database, password: Secret) -> None:
        """Make the database and its role, or the ACL user, closed to all others."""
        await in_thread(_speaker(admin.engine).provide)(admin, database, password)

    async def withdraw(self, admin: Access, database: Database) -> None:
        """Remove the database and its role, or the ACL user with its keys; absent is fine."""
        await in_thread(_speaker(admin.engine).withdraw)(admin, database)


def _speaker(engine: Engine) -> ModuleType:
    match engine:
        case Engine.POSTGRES:
            return postgres
        case Engine.REDIS:
            return redis_server
        case _:
            assert_never(engine)


class ServerPasswordFiles:
    """`databases/<server>.password`, mode 0600, below codeb's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, server: Server) -> Secret | None:
        """The password, or None where none is kept."""
        try:
            return Secret(self._path(server).read_text())
        except FileNotFoundError:
            return None

    def keep(self, server: Server, password: Secret) -> None:
        """Keep it; durable when it returns."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(self._path(server), password.reveal(), 0o600, alone=True)

    def forget(self, server: Server) -> None:
        """Keep it no more; absent is fine."""
        path = self._path(server)
        if path.exists():
            path.unlink()
            sync_folder(path.parent)

    def _path(self, server: Server) -> Path:
        return self._folder / f"{server.name}.password"
