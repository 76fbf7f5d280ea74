"""The tables, and the numbered migrations that make them.

A migration is never edited once released: a new one is added.
"""

from sqlalchemy import (
    JSON,
    Column,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

projects = Table(
    "projects",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("type", String, nullable=False),
    Column("repository", Text, nullable=False),
    Column("build_command", Text),
    Column("start_command", Text),
    Column("health_check", Text, nullable=False),
    Column("env_vars", JSON, nullable=False),
    Column("port", Integer),
    Column("created_at", String, nullable=False),
    Column("updated_at", String, nullable=False),
    Column("confinement", JSON, nullable=False),
)
environments = Table(
    "environments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", String, nullable=False),
    Column("name", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("expires_at", String),
)
domains = Table(
    "domains",
    metadata,
    Column("name", String, primary_key=True),
    Column("environment_id", Integer, nullable=False),
    Column("is_primary", Integer, nullable=False),
    Column("is_active", Integer, nullable=False),
)
releases = Table(
    "releases",
    metadata,
    Column("environment_id", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("image", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("version", String, nullable=False),
    Column("slot", String, nullable=False),
    Column("status", String, nullable=False),
    Column("requested_by", String, nullable=False),
    Column("started_at", String, nullable=False),
    Column("finished_at", String),
    Column("message", Text, nullable=False),
)
ports = Table(
    "ports",
    metadata,
    Column("port", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("project", String, nullable=False),
    Column("environment", String, nullable=False),
    Column("allocated_at", String, nullable=False),
)
jobs = Table(
    "jobs",
    metadata,
    Column("environment_id", Integer, primary_key=True),
    Column("name", String, primary_key=True),
    Column("schedule", Text, nullable=False),
    Column("command", JSON, nullable=False),
)
journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", String, nullable=False),
    Column("project", String, nullable=False),
    Column("environment", String, nullable=False),
    Column("release", Integer, nullable=False),
    Column("step", Text, nullable=False),
    Column("state", String, nullable=False),
)
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("outcome", String, nullable=False),
    Column("message", Text, nullable=False),
)
receipts = Table(
    "receipts",
    metadata,
    Column("key", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("started_at", String, nullable=False),
    Column("outcome", JSON(none_as_null=True)),
)
calls = Table(
    "calls",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("arguments", JSON, nullable=False),
)
pulled_images = Table(
    "pulled_images",
    metadata,
    Column("reference", String, primary_key=True),
    Column("image_id", String, nullable=False),
    Column("pulled_at", String, nullable=False),
)
heals = Table(
    "heals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", String, nullable=False),
    Column("repository", String, nullable=False),
    Column("project", String),
    Column("branch", String),
    Column("base", String, nullable=False),
    Column("tree", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("fixer", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("message", Text, nullable=False),
    Column("commit", String),
    Column("usd", Float, nullable=False),
    Column("seconds", Float, nullable=False),
)
databases = Table(
    "databases",
    metadata,
    Column("project", String, primary_key=True),
    Column("environment", String, primary_key=True),
    Column("engine", String, primary_key=True),
    Column("mode", String, nullable=False),
    Column("version", String, nullable=False),
    Column("port", Integer, nullable=False),
    Column("image", Text, nullable=False),
    Column("memory", Integer),
    Column("created_at", String, nullable=False),
)
preview_databases = Table(
    "preview_databases",
    metadata,
    Column("project", String, primary_key=True),
    Column("engine", String, primary_key=True),
    Column("mode", String, nullable=False),
    Column("version", String, nullable=False),
    Column("memory", Integer),
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE projects (
            id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
            repository TEXT NOT NULL, build_command TEXT, start_command TEXT,
            health_check TEXT NOT NULL, env_vars JSON NOT NULL, port INTEGER,
            created_at TEXT NOT NULL, updated_at TEXT NOT NULL)""",
        """CREATE TABLE environments (
            id INTEGER PRIMARY KEY, project TEXT NOT NULL REFERENCES projects (name),
            name TEXT NOT NULL, created_at TEXT NOT NULL, UNIQUE (project, name))""",
        """CREATE TABLE domains (
            name TEXT PRIMARY KEY, is_primary INTEGER NOT NULL,
            environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE)""",
        """CREATE TABLE releases (
            environment_id INTEGER NOT NULL REFERENCES environments (id),
            number INTEGER NOT NULL, image TEXT NOT NULL, digest TEXT NOT NULL,
            version TEXT NOT NULL, slot TEXT NOT NULL, status TEXT NOT NULL,
            requested_by TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT,
            message TEXT NOT NULL, PRIMARY KEY (environment_id, number))""",
        """CREATE UNIQUE INDEX one_live_release ON releases (environment_id)
            WHERE status = 'live'""",
        # A port belongs to an environment by name, so that one can be reserved before its deploy.
        """CREATE TABLE ports (
            port INTEGER PRIMARY KEY, kind TEXT NOT NULL,
            project TEXT NOT NULL REFERENCES projects (name), environment TEXT NOT NULL,
            allocated_at TEXT NOT NULL, UNIQUE (project, environment, kind))""",
        """CREATE TABLE journal (
            id INTEGER PRIMARY KEY, at TEXT NOT NULL, project TEXT NOT NULL,
            environment TEXT NOT NULL, release INTEGER NOT NULL, step TEXT NOT NULL,
            state TEXT NOT NULL)""",
        "CREATE INDEX journal_of ON journal (project, environment, id)",
        """CREATE TABLE audit (
            id INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL,
            action TEXT NOT NULL, arguments JSON NOT NULL, outcome TEXT NOT NULL,
            message TEXT NOT NULL)""",
        """CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
            BEGIN SELECT RAISE (ABORT, 'the audit is append-only'); END""",
        """CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
            BEGIN SELECT RAISE (ABORT, 'the audit is append-only'); END""",
    ),
    (
        "ALTER TABLE projects ADD COLUMN confinement JSON NOT NULL DEFAULT '{}'",
        """CREATE TABLE jobs (
            environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
            name TEXT NOT NULL, schedule TEXT NOT NULL, command JSON NOT NULL,
            PRIMARY KEY (environment_id, name))""",
    ),
    # A domain that was added, but did not lead here yet, is not active.
    ("ALTER TABLE domains ADD COLUMN is_active INTEGER NOT NULL DEFAULT 1",),
    (
        "ALTER TABLE environments ADD COLUMN expires_at TEXT",
        """CREATE TABLE receipts (
            key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, started_at TEXT NOT NULL,
            outcome JSON)""",
        # A name that codeb itself brought to this host may be taken away again; others may not.
        """CREATE TABLE pulled_images (
            reference TEXT PRIMARY KEY, image_id TEXT NOT NULL, pulled_at TEXT NOT NULL)""",
    ),
    # A call under way. Its number is never used again: a lock is named after it.
    (
        """CREATE TABLE calls (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, actor TEXT NOT NULL,
            action TEXT NOT NULL, arguments JSON NOT NULL)""",
    ),
    (
        """CREATE TABLE heals (
            id INTEGER PRIMARY KEY, at TEXT NOT NULL, repository TEXT NOT NULL, project TEXT,
            branch TEXT, base TEXT NOT NULL, tree TEXT NOT NULL, fingerprint TEXT NOT NULL,
            outcome TEXT NOT NULL, fixer TEXT NOT NULL, attempts INTEGER NOT NULL,
            message TEXT NOT NULL, "commit" TEXT, usd REAL NOT NULL, seconds REAL NOT NULL)""",
        "CREATE INDEX heals_of ON heals (repository, fingerprint, id)",
    ),
    (
        # By name, as ports: an import replaces the projects, but no database goes with it.
        """CREATE TABLE databases (
            project TEXT NOT NULL, environment TEXT NOT NULL, engine TEXT NOT NULL,
            mode TEXT NOT NULL, version TEXT NOT NULL, port INTEGER NOT NULL,
            image TEXT NOT NULL, memory INTEGER, created_at TEXT NOT NULL,
            PRIMARY KEY (project, environment, engine))""",
        """CREATE TABLE preview_databases (
            project TEXT NOT NULL, engine TEXT NOT NULL, mode TEXT NOT NULL,
            version TEXT NOT NULL, memory INTEGER, PRIMARY KEY (project, engine))""",
    ),
)
