"""The systems that databases need, as Protocols. They raise what those in `systems` raise."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from codeb_mcp.domain.databases import (
    Access,
    Database,
    DatabaseId,
    Engine,
    PreviewTemplate,
    Server,
    ServerSpec,
)
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import ProjectName


class Databases(Protocol):
    """The registry's rows of databases. A row is there before anything of the database is."""

    async def list(self, project: ProjectName | None = None) -> tuple[Database, ...]:
        """A project's databases, or all of them, by project, environment and engine."""

    async def find(self, database: DatabaseId) -> Database | None:
        """One of them, or None."""

    async def put(self, database: Database) -> None:
        """Write one down, in place of the one with its id."""

    async def remove(self, database: DatabaseId) -> None:
        """Forget one; absent is fine."""

    async def templates(self, project: ProjectName) -> tuple[PreviewTemplate, ...]:
        """What each of the project's previews gets, by engine."""

    async def put_template(self, template: PreviewTemplate) -> None:
        """Write a template down, in place of the one for the same engine."""

    async def remove_templates(self, project: ProjectName, engine: Engine | None = None) -> None:
        """Forget a project's templates, or the one for `engine`; having none is fine."""


class DatabaseServers(Protocol):
    """Runs database servers in containers: under systemd (`quadlet`) or by Podman alone."""

    async def can_limit_memory(self) -> bool:
        """Whether this host holds a container to a limit of memory."""

    async def running(self, server: Server) -> bool:
        """Whether its container runs. Refused when one of its name is not ours."""

    async def start(self, spec: ServerSpec, password: Secret) -> None:
        """Have it run as `spec` says, its volume and networks made when absent.

        One that runs so already is left alone, and a shared one's networks are joined without
        stopping it. `password` becomes the administrator's where the volume is new.
        """

    async def leave(self, spec: ServerSpec, project: ProjectName) -> None:
        """Take a shared server out of a project's network. `spec` is without it already."""

    async def stop(self, server: Server) -> None:
        """Stop it and remove container, unit and secret; the data stays. Absent is fine."""

    async def remove_data(self, server: Server) -> None:
        """Remove a stopped server's volume; absent is fine."""


class DatabaseAdmin(Protocol):
    """Speaks to a server over its own protocol, as who `access` says."""

    async def answers(self, access: Access) -> str:
        """Sign in and ask it something: empty when it answers, else why not."""

    async def provide(self, admin: Access, database: Database, password: Secret) -> None:
        """Make the database and its role, or the ACL user, closed to all others.

        One that is there keeps its data and gets that password.
        """

    async def withdraw(self, admin: Access, database: Database) -> None:
        """Remove the database, its role, or the ACL user with its keys; absent is fine."""


class ServerPasswords(Protocol):
    """The administrators' passwords of servers, each in a 0600 file."""

    def read(self, server: Server) -> Secret | None:
        """The password, or None where none is kept."""

    def keep(self, server: Server, password: Secret) -> None:
        """Keep it; durable when it returns."""

    def forget(self, server: Server) -> None:
        """Keep it no more; absent is fine."""


class LastBackups(Protocol):
    """What is done with a database's data before it is removed for good."""

    async def take(self, database: Database) -> str:
        """Keep a last backup: where it is, or empty where no backups are set up.

        Raises DataAtRisk when it cannot be taken; then nothing is removed.
        """


class DatabaseShell(Protocol):
    """A database's own command line, on this process's terminal."""

    async def run(self, database: Database, password: Secret) -> int:
        """Run psql or redis-cli as the application's user; gives its exit code."""


@dataclass(frozen=True, slots=True)
class DatabaseSystems:
    """Everything that databases work with. `images` is where those of the engines are."""

    rows: Databases
    servers: DatabaseServers
    admin: DatabaseAdmin
    passwords: ServerPasswords
    last_backups: LastBackups
    shell: DatabaseShell
    images: str
    new_password: Callable[[], Secret]
    """Draws one, of characters that a URL need not escape."""
