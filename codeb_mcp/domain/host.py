"""What was observed, and what is wanted, on a host. Plain data between adapters and planning."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from codeb_mcp.domain.confinement import Confinement
from codeb_mcp.domain.databases import DatabaseId
from codeb_mcp.domain.job import Job
from codeb_mcp.domain.names import DomainName, HealthPath, shown
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.domain.release import Release
from codeb_mcp.errors import InvalidRequest

Json = Mapping[str, Any]

LABEL = "dev.codeb"
DEFAULT_CONTAINER_PORT = 8080


def fingerprint(value: object) -> str:
    """SHA-256 over the canonical JSON of plain data; equal data gives an equal fingerprint."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image that is present in local storage.

    `reference` is what was asked for; `id` is the local image id, 64 hex digits, by which two
    images are compared; `digest` (`sha256:…`) is the registry's where it came from one.
    `exposed_ports` are those that the image declares.
    """

    reference: str
    id: str
    digest: str
    exposed_ports: tuple[int, ...] = ()

    @property
    def port(self) -> int:
        """The port that its application is told to listen on: the only one declared, or 8080."""
        return self.exposed_ports[0] if len(self.exposed_ports) == 1 else DEFAULT_CONTAINER_PORT


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container that is to run one release in one slot, published on loopback only.

    `home` is the codeb folder that it belongs to, which may not be the only one on the host.
    """

    key: EnvironmentKey
    slot: Slot
    release: int
    image: str
    image_id: str
    host_port: int
    container_port: int
    env: tuple[tuple[str, str], ...] = ()
    env_file: str | None = None
    env_digest: str = ""
    command: tuple[str, ...] = ()
    log_path: str = ""
    stop_timeout: int = 10
    home: str = ""
    confinement: Confinement = field(default_factory=Confinement)
    network: str = ""

    @property
    def name(self) -> str:
        """The name of the container and of its unit."""
        return self.key.container(self.slot)

    @property
    def digest(self) -> str:
        """What makes two releases the same: not their number, slot or host port."""
        return fingerprint(
            [
                self.image_id,
                self.container_port,
                self.env,
                self.env_digest,
                self.command,
                self.confinement.document(),
                self.network,
            ]
        )

    @property
    def labels(self) -> dict[str, str]:
        """How codeb knows its own containers again; nothing without them is ever touched."""
        return {
            f"{LABEL}.managed": "true",
            f"{LABEL}.home": self.home,
            f"{LABEL}.project": self.key.project,
            f"{LABEL}.environment": self.key.environment,
            f"{LABEL}.slot": self.slot,
            f"{LABEL}.release": str(self.release),
            f"{LABEL}.spec": self.digest,
        }


class ContainerState(StrEnum):
    """The states of a container that matter to a deploy."""

    RUNNING = "running"
    STARTING = "starting"
    EXITED = "exited"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """A container (or unit) of ours as found. `restarts` counts since it was started."""

    name: str
    slot: Slot
    release: int
    image_id: str
    spec_digest: str
    state: ContainerState
    exit_code: int | None = None
    restarts: int = 0
    pid: int | None = None

    @property
    def running(self) -> bool:
        """Whether it can serve."""
        return self.state is ContainerState.RUNNING


class RecordType(StrEnum):
    """The types of DNS record that codeb writes."""

    A = "A"
    AAAA = "AAAA"
    CNAME = "CNAME"

    @classmethod
    def parse(cls, text: str) -> "RecordType":
        """`text` as a type, or `InvalidRequest` naming those there are."""
        try:
            return cls(text.upper())
        except ValueError:
            raise InvalidRequest(
                f"record type {shown(text)} is not supported",
                hint=f"use one of: {', '.join(cls)}",
                code="invalid_record_type",
            ) from None


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """One record set with a single value. `ttl` is in seconds."""

    name: DomainName
    type: RecordType
    content: str
    ttl: int

    def __str__(self) -> str:
        return f"{self.name} {self.type} {self.content} (TTL {self.ttl} s)"


@dataclass(frozen=True, slots=True)
class Route:
    """Traffic for `domain`, and for its `aliases`, goes to one of an environment's two slots.

    Which of them, its marker says.
    """

    key: EnvironmentKey
    domain: DomainName
    blue_port: int
    aliases: tuple[DomainName, ...] = ()

    @property
    def id(self) -> str:
        """The route's `@id` in Caddy, by which codeb finds its own."""
        return f"codeb-{self.key.slug}"

    @property
    def hosts(self) -> tuple[DomainName, ...]:
        """Every host that it answers for."""
        return (self.domain, *self.aliases)

    def port(self, slot: Slot) -> int:
        """The host port of `slot`."""
        return slot.port(self.blue_port)


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a health probe saw: a status, or why there was none (`connection refused`)."""

    status: int | None
    reason: str = ""

    @property
    def healthy(self) -> bool:
        """A 2xx or 3xx answer."""
        return self.status is not None and 200 <= self.status < 400

    def __str__(self) -> str:
        return f"HTTP {self.status}" if self.status is not None else self.reason


@dataclass(frozen=True, slots=True)
class EnvFile:
    """An environment's secrets: the file's path, its variable names and values, and a digest."""

    path: str
    names: frozenset[str]
    values: frozenset[str]
    digest: str


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """When a release counts as healthy. Times are in seconds.

    A release has `start_period` and `retries` times `interval` to become healthy. It is asked at
    least every `interval`, and more often at first.
    """

    path: HealthPath
    interval: float = 1.0
    retries: int = 30
    timeout: float = 5.0
    start_period: float = 0.0

    @property
    def patience(self) -> float:
        """How long a release may take to become healthy."""
        return self.start_period + self.retries * self.interval

    def at(self, path: HealthPath) -> "HealthPolicy":
        """The same policy for another path."""
        return replace(self, path=path)


@dataclass(frozen=True, slots=True)
class Observed:
    """One environment as it was found, on every system that a deploy touches.

    `port` is the allocated one; `free_port` the one it would get. `route` and `records` are
    None where there is none. `network` says whether the project's is there; `volumes` are names
    without Podman's prefix; `jobs` are the installed ones, each with its digest. `releases` are
    those of the registry, newest first; `images` the numbers of those whose image is here;
    `databases` those of the registry.
    """

    key: EnvironmentKey
    port: int | None
    free_port: int | None
    marker: Slot
    containers: Mapping[Slot, ObservedContainer] = field(default_factory=dict)
    route: Json | None = None
    records: tuple[DnsRecord, ...] = ()
    live_release: Release | None = None
    last_number: int = 0
    network: bool = False
    volumes: frozenset[str] = frozenset()
    jobs: Mapping[str, str] = field(default_factory=dict)
    releases: tuple[Release, ...] = ()
    images: frozenset[int] = frozenset()
    databases: tuple[DatabaseId, ...] = ()

    @property
    def digest(self) -> str:
        """Changes with anything a plan depends on; restarts and process ids do not count."""
        containers = {
            slot: [seen.release, seen.spec_digest, seen.state]
            for slot, seen in self.containers.items()
        }
        live = self.live_release.number if self.live_release else None
        return fingerprint(
            [
                str(self.key),
                self.port,
                self.free_port,
                self.marker,
                containers,
                self.route,
                [asdict(record) for record in self.records],
                live,
                self.last_number,
                self.network,
                sorted(self.volumes),
                dict(self.jobs),
                [[each.number, each.status] for each in self.releases],
                sorted(self.images),
                [str(each) for each in self.databases],
            ]
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a deploy asks for, with everything in it resolved.

    `records` is empty where codeb keeps no DNS. `keep_images` counts releases, the live one too.
    `aliases` are the custom domains that are served beside `domain`.
    `back_to` is the release that a rollback goes to, whose slot may still run.
    """

    key: EnvironmentKey
    domain: DomainName
    image: ResolvedImage
    version: str
    health: HealthPolicy
    container_port: int
    command: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    env_file: str | None = None
    env_digest: str = ""
    records: tuple[DnsRecord, ...] = ()
    log_folder: str = ""
    home: str = ""
    keep_images: int = 5
    drain_timeout: float = 30.0
    stop_timeout: int = 10
    confinement: Confinement = field(default_factory=Confinement)
    jobs: tuple[Job, ...] = ()
    aliases: tuple[DomainName, ...] = ()
    back_to: int | None = None
