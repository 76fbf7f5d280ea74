"""Databases of environments: what each is called, where it runs, and how it is reached."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import ProjectName, VariableName, shown
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import InvalidRequest

LOOPBACK = "127.0.0.1"
SHARED_NETWORK = "codeb_databases"
"""The shared servers' own network. No project's is called so: their names hold no underscore."""


class Engine(StrEnum):
    """What kind of database it is. Its facts are those of the official image."""

    POSTGRES = "postgres"
    REDIS = "redis"

    @classmethod
    def parse(cls, text: str) -> "Engine":
        """`text` as an engine, or `InvalidRequest` naming those there are."""
        try:
            return cls(text)
        except ValueError:
            raise InvalidRequest(
                f"database type {shown(text)} is not known",
                hint=f"use one of: {', '.join(cls)}",
                code="invalid_database_type",
            ) from None

    @property
    def label(self) -> str:
        """Its name for people."""
        return "PostgreSQL" if self is Engine.POSTGRES else "Redis"

    @property
    def port(self) -> int:
        """What it listens on in its container; the shared server does so on the host too."""
        return 5432 if self is Engine.POSTGRES else 6379

    @property
    def port_kind(self) -> PortKind:
        """Which ports a dedicated one is given on the host."""
        return PortKind.DB if self is Engine.POSTGRES else PortKind.REDIS

    @property
    def variable(self) -> VariableName:
        """The environment's variable that holds the connection URL."""
        return VariableName("DATABASE_URL" if self is Engine.POSTGRES else "REDIS_URL")

    @property
    def scheme(self) -> str:
        """The scheme of its connection URL."""
        return "postgresql" if self is Engine.POSTGRES else "redis"

    @property
    def admin(self) -> str:
        """The user that may do everything in it."""
        return "postgres" if self is Engine.POSTGRES else "default"

    @property
    def data_path(self) -> str:
        """Where its data is in its container."""
        return "/var/lib/postgresql/data" if self is Engine.POSTGRES else "/data"

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that can be chosen; the last is the default."""
        return ("15", "16", "17") if self is Engine.POSTGRES else ("7", "8")


class Mode(StrEnum):
    """Whether a database has a server of its own."""

    SHARED = "shared"
    DEDICATED = "dedicated"


class Version(str):
    """A major version of an engine, such as `17`."""

    __slots__ = ()

    @classmethod
    def of(cls, engine: Engine, text: str | None) -> "Version":
        """`text`, or the default when None. InvalidRequest naming those there are."""
        version = engine.versions[-1] if text is None else text
        if version not in engine.versions:
            raise InvalidRequest(
                f"{engine.label} {shown(version)} is not available",
                hint=f"use one of: {', '.join(engine.versions)}",
                code="unknown_version",
            )
        return cls(version)


@dataclass(frozen=True, slots=True)
class DatabaseId:
    """Which database: an environment has at most one of each engine."""

    key: EnvironmentKey
    engine: Engine

    def __str__(self) -> str:
        return f"{self.engine} of {self.key}"

    @property
    def name(self) -> str:
        """Of the database and its role, or of the ACL user: `shop_staging`.

        Unique, because slugs are and hold no underscore; at most 51 characters.
        """
        return self.key.slug.replace("-", "_")

    @property
    def key_prefix(self) -> str:
        """What the keys of a shared Redis begin with: `shop_staging:`."""
        return f"{self.name}:"


@dataclass(frozen=True, slots=True)
class Server:
    """One running PostgreSQL or Redis: a database's own, or (`owner` None) the shared one."""

    engine: Engine
    owner: EnvironmentKey | None = None

    @property
    def name(self) -> str:
        """The name of its container, its unit, its volume and its secret.

        It can be no slot's, volume's or job's: those end otherwise, and volumes have no hyphen.
        """
        if self.owner is None:
            return f"codeb-shared-{self.engine}"
        return f"codeb-{self.owner.slug}-db-{self.engine}"

    @property
    def host(self) -> str:
        """What the containers of a project that it is connected to call it."""
        return f"{self.engine}-{self.owner.environment if self.owner else 'shared'}"

    def __str__(self) -> str:
        if self.owner is None:
            return f"the shared {self.engine.label}"
        return f"the {self.engine.label} of {self.owner}"


@dataclass(frozen=True, slots=True)
class Database:
    """One database as the registry knows it. `port` is on 127.0.0.1; `memory` in bytes.

    `image` is what its server was made from, pinned: `name@sha256:…`, or an image id for one
    that came from no registry. Version, memory and image are the server's, so a shared one's are
    those of the shared server.
    """

    id: DatabaseId
    mode: Mode
    version: Version
    port: int
    image: str
    memory: int | None
    created_at: datetime

    @property
    def server(self) -> Server:
        """Where it is."""
        return Server(self.id.engine, self.id.key if self.mode is Mode.DEDICATED else None)

    @property
    def key_pattern(self) -> str:
        """Which keys of a Redis are its own."""
        return "*" if self.mode is Mode.DEDICATED else f"{self.id.key_prefix}*"

    def __str__(self) -> str:
        return f"{self.id.engine.label} {self.version} of {self.id.key} ({self.mode})"


@dataclass(frozen=True, slots=True)
class Access:
    """How to sign in at a server. `database` is a PostgreSQL's; a Redis has none."""

    engine: Engine
    host: str
    port: int
    user: str
    password: Secret
    database: str = ""

    @property
    def url(self) -> Secret:
        """As one URL. Names and passwords are made by codeb of characters that need no escape."""
        path = f"/{self.database}" if self.engine is Engine.POSTGRES else "/0"
        login = f"{self.user}:{self.password.reveal()}"
        return Secret(f"{self.engine.scheme}://{login}@{self.host}:{self.port}{path}")


def admin_access(database: Database, password: Secret) -> Access:
    """How codeb itself signs in, on this host, at the database's server, as administrator."""
    engine = database.id.engine
    name = database.id.name if engine is Engine.POSTGRES else ""
    return Access(engine, LOOPBACK, database.port, engine.admin, password, name)


def application_access(database: Database, password: Secret) -> Access:
    """How the environment's containers sign in."""
    engine = database.id.engine
    name = database.id.name if engine is Engine.POSTGRES else ""
    return Access(engine, database.server.host, engine.port, database.id.name, password, name)


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A server that is to run, published on loopback only, in the networks of `projects`."""

    server: Server
    version: Version
    image: str
    image_id: str
    port: int
    memory: int | None
    projects: tuple[ProjectName, ...]
    log_path: str = ""
    home: str = ""


@dataclass(frozen=True, slots=True)
class PreviewTemplate:
    """A database that each preview of a project gets with its first deploy."""

    project: ProjectName
    engine: Engine
    mode: Mode
    version: Version
    memory: int | None
