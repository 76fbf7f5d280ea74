"""Backups: of what, what each is called, what is known of it, and how long it is kept."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from codeb_mcp.domain.confinement import VolumeName
from codeb_mcp.domain.databases import DatabaseId, Engine
from codeb_mcp.domain.names import shown
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import InvalidRequest

FRESH, TRIAL, OLD = "__new", "__trial", "__old"
"""How databases end that stand beside one: a restored one, one for a trial, a replaced one."""
_STAMP = "%Y%m%dT%H%M%S%fZ"
_NAME = re.compile(r"([a-z0-9-]+)\.([a-z]+)(?:-([a-z0-9_]+))?\.([0-9]{8}T[0-9]{12}Z)\.age")
_RECIPIENT = re.compile(r"age1[0-9a-z]{50,4000}|ssh-(?:ed25519|rsa) [A-Za-z0-9+/=]{60,2000}")
_SERVER = "server"


class BackupKind(StrEnum):
    """What is in a backup, as a standard tool calls it once it is decrypted."""

    POSTGRES = "postgres"
    """`pg_dump -Fc`, which `pg_restore` reads."""
    REDIS = "redis"
    """An RDB file."""
    VOLUME = "volume"
    """A tar of a volume's files."""
    STATE = "state"
    """A tar of codeb's own folder: the registry, the environments' secrets, the settings."""

    @property
    def engine(self) -> Engine | None:
        """The kind of database it is a backup of, if it is."""
        match self:
            case BackupKind.POSTGRES:
                return Engine.POSTGRES
            case BackupKind.REDIS:
                return Engine.REDIS
            case BackupKind.VOLUME | BackupKind.STATE:
                return None

    @classmethod
    def of_content(cls, beginning: bytes) -> "BackupKind | None":
        """What content that begins so is; a tar is taken for a volume's. None: unknown."""
        if beginning.startswith(b"PGDMP"):
            return cls.POSTGRES
        if beginning.startswith(b"REDIS"):
            return cls.REDIS
        return cls.VOLUME if beginning[257:262] == b"ustar" else None


class Recipient(str):
    """The public half of an age key, `age1…`, or an SSH public key: it can only encrypt."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        words = " ".join(text.split()[:2])  # an SSH key's comment is none of its business
        if not _RECIPIENT.fullmatch(words):
            raise InvalidRequest(
                f"backup recipient {shown(text)} is not an age recipient",
                hint="make a key with age-keygen, on another machine, and name its public half: "
                "age1…",
                code="invalid_recipient",
            )
        return super().__new__(cls, words)


@dataclass(frozen=True, slots=True)
class Subject:
    """Of what a backup is. `key` is None for codeb's own state; `name` is a volume's."""

    kind: BackupKind
    key: EnvironmentKey | None = None
    name: str = ""

    @property
    def slug(self) -> str:
        """`shop-production.volume-data`: how the names of its backups begin."""
        place = self.key.slug if self.key else _SERVER
        return f"{place}.{self.kind}-{self.name}" if self.name else f"{place}.{self.kind}"

    def __str__(self) -> str:
        place = str(self.key) if self.key else "this server"
        return f"{self.kind} {self.name} of {place}" if self.name else f"{self.kind} of {place}"


STATE = Subject(BackupKind.STATE)


def database_of(database: DatabaseId) -> Subject:
    """A database, as something to back up."""
    return Subject(BackupKind(database.engine.value), database.key)


def volume_of(key: EnvironmentKey, name: VolumeName) -> Subject:
    """An environment's volume, as something to back up."""
    return Subject(BackupKind.VOLUME, key, str(name))


@dataclass(frozen=True, slots=True)
class BackupName:
    """The name of one backup, which is that of its file: of what, and when (UTC)."""

    subject: Subject
    taken: datetime

    def __str__(self) -> str:
        return f"{self.subject.slug}.{self.taken.astimezone(UTC).strftime(_STAMP)}.age"

    @classmethod
    def parse(cls, text: str) -> "BackupName":
        """A name as `__str__` gives it, or InvalidRequest."""
        found = _NAME.fullmatch(text)
        key = EnvironmentKey.of_slug(found[1]) if found else None
        try:
            if found is None or (key is None) is not (found[1] == _SERVER):
                raise ValueError(text)
            taken = datetime.strptime(found[4], _STAMP).replace(tzinfo=UTC)
            name = cls(Subject(BackupKind(found[2]), key, found[3] or ""), taken)
        except ValueError:
            raise InvalidRequest(
                f"{shown(text, 120)} is not the name of a backup",
                hint="see those there are: codeb backup list",
                code="invalid_backup_name",
            ) from None
        return name


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What one table holds: its rows, and a sum of their hashes in which order plays no part."""

    table: str
    rows: int
    digest: str


Facts = tuple[TableFacts, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """When a backup was restored for a trial, and whether all was found again."""

    at: datetime
    ok: bool
    message: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of a backup without its key. It holds no secret.

    `size` (bytes) and `sha256` are the encrypted file's; `engine` is the version that wrote it.
    `offsite` is where a copy is wanted, `copied` whether it is there.
    """

    name: BackupName
    size: int
    sha256: str
    engine: str = ""
    facts: Facts = ()
    offsite: str = ""
    copied: bool = False
    problem: str = ""
    verified: Verification | None = None

    @property
    def good(self) -> bool:
        """Whether it can be relied on: whole here, and off this server where that is wanted."""
        return not self.problem and (self.copied or not self.offsite)


@dataclass(frozen=True, slots=True)
class Retention:
    """How many good backups of a subject are kept: the newest of as many days, weeks, months."""

    daily: int = 7
    weekly: int = 5
    monthly: int = 12


@dataclass(frozen=True, slots=True)
class BackupPolicy:
    """What the settings say about backups. No recipients: backups are not set up."""

    recipients: tuple[Recipient, ...] = ()
    retention: Retention = field(default_factory=Retention)
    offsite: str = ""
    free_disk: int = 0
