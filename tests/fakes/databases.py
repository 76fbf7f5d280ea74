"""Database servers in memory: which run, who may sign in, and what each holds."""

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from codeb_mcp.adapters.database_admin import ServerPasswordFiles
from codeb_mcp.adapters.registry import SqlDatabases
from codeb_mcp.domain.databases import Access, Database, Server, ServerSpec
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import ProjectName
from codeb_mcp.errors import HostNotReady, SystemFailed
from codeb_mcp.services.database_systems import DatabaseSystems
from tests.fakes.containers import FakeImages


@dataclass
class FakeServers:
    """`DatabaseServers`. `volumes` holds what outlives a container: the logins of each server."""

    images: FakeImages
    specs: dict[str, ServerSpec] = field(default_factory=dict)
    volumes: dict[str, dict[str, str]] = field(default_factory=dict)
    fail_start: bool = False
    limits: bool = True

    async def can_limit_memory(self) -> bool:
        return self.limits

    async def running(self, server: Server) -> bool:
        self._require_up()
        return server.name in self.specs

    async def start(self, spec: ServerSpec, password: Secret) -> None:
        self._require_up()
        if self.fail_start:
            raise SystemFailed("it does not start", code="database_not_started")
        admin = {spec.server.engine.admin: password.reveal()}
        self.volumes.setdefault(spec.server.name, admin)
        self.specs[spec.server.name] = spec

    async def leave(self, spec: ServerSpec, project: ProjectName) -> None:  # noqa: ARG002
        self._require_up()
        if spec.server.name in self.specs:
            self.specs[spec.server.name] = spec

    async def stop(self, server: Server) -> None:
        self._require_up()
        self.specs.pop(server.name, None)

    async def remove_data(self, server: Server) -> None:
        self._require_up()
        if server.name in self.specs:
            raise SystemFailed("in use", code="volume_in_use")
        self.volumes.pop(server.name, None)

    def logins_at(self, port: int) -> dict[str, str] | None:
        """The logins of the running server that is published there."""
        names = [name for name, spec in self.specs.items() if spec.port == port]
        return self.volumes[names[0]] if names else None

    def _require_up(self) -> None:
        if self.images.down:
            raise HostNotReady("Podman does not answer", hint="start it", code="podman_down")


@dataclass
class FakeAdmin:
    """`DatabaseAdmin` for `FakeServers`. `fail` breaks it just before it has made a database."""

    servers: FakeServers
    fail: bool = False

    async def answers(self, access: Access) -> str:
        logins = self.servers.logins_at(access.port)
        if logins is None:
            return "connection refused"
        return "" if logins.get(access.user) == access.password.reveal() else "wrong password"

    async def provide(self, admin: Access, database: Database, password: Secret) -> None:
        self._logins(admin)
        if self.fail:
            raise SystemFailed("it broke", code="database_failed")
        self._logins(admin)[database.id.name] = password.reveal()

    async def withdraw(self, admin: Access, database: Database) -> None:
        self._logins(admin).pop(database.id.name, None)

    def _logins(self, admin: Access) -> dict[str, str]:
        logins = self.servers.logins_at(admin.port)
        if logins is None or logins.get(admin.user) != admin.password.reveal():
            raise SystemFailed("cannot sign in", code="database_failed")
        return logins


@dataclass
class FakeLastBackups:
    """Writes down which backups were asked for; `error` is raised instead."""

    taken: list[str] = field(default_factory=list)
    error: Exception | None = None

    async def take(self, database: Database) -> str:
        if self.error is not None:
            raise self.error
        self.taken.append(str(database.id))
        return f"backup of {database.id}"


@dataclass
class FakeShell:
    """Writes down where it was opened."""

    opened: list[str] = field(default_factory=list)

    async def run(self, database: Database, password: Secret) -> int:  # noqa: ARG002
        self.opened.append(database.server.name)
        return 0


@dataclass
class FakeDatabases:
    """All that databases work with; rows and passwords are the real ones, in a folder."""

    folder: Path
    images: FakeImages

    def __post_init__(self) -> None:
        self.numbers = count()
        self.servers = FakeServers(self.images)
        self.admin = FakeAdmin(self.servers)
        self.last_backups = FakeLastBackups()
        self.shell = FakeShell()
        self.rows = SqlDatabases(self.folder / "registry.db")

    def systems(self) -> DatabaseSystems:
        return DatabaseSystems(
            rows=self.rows,
            servers=self.servers,
            admin=self.admin,
            passwords=ServerPasswordFiles(self.folder / "databases"),
            last_backups=self.last_backups,
            shell=self.shell,
            images="localhost",
            new_password=lambda: Secret(f"canary-{next(self.numbers)}"),
        )
