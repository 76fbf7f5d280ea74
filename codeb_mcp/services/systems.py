"""The systems that the use cases need, as Protocols. `wiring` chooses who stands behind each.

Every method that meets a real system raises HostNotReady when it is down (naming it and how to
start it) and SystemFailed when it answers with a failure or not in time.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from codeb_mcp.domain.certificate import Certificate
from codeb_mcp.domain.confinement import Volume
from codeb_mcp.domain.domains import Resolution
from codeb_mcp.domain.host import (
    ContainerSpec,
    DnsRecord,
    EnvFile,
    HealthPolicy,
    Json,
    ObservedContainer,
    ProbeAnswer,
    RecordType,
    ResolvedImage,
    Route,
)
from codeb_mcp.domain.job import Job, JobName, JobState, Schedule
from codeb_mcp.domain.ledger import AuditEntry, PortAllocation
from codeb_mcp.domain.lifetime import Lifetime
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import (
    DomainName,
    EnvironmentKind,
    ImageReference,
    ProjectName,
    VariableName,
)
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import Environment, EnvironmentKey, Project, ProjectConfig, Slot
from codeb_mcp.domain.registries import Login, RegistryName
from codeb_mcp.domain.release import NewRelease, Release, ReleaseStatus
from codeb_mcp.domain.task import JobSpec, Task
from codeb_mcp.domain.tidiness import OwnedImage
from codeb_mcp.domain.watching import Told, unwatched
from codeb_mcp.planning.stacks import SourceTree
from codeb_mcp.services.backup_systems import BackupSystems
from codeb_mcp.services.calls import Calls
from codeb_mcp.services.database_systems import DatabaseSystems
from codeb_mcp.services.upkeep import Receipts, Upkeep


class Images(Protocol):
    """Local image storage, filled by pulling and building."""

    async def pull(self, reference: ImageReference, told: Told = unwatched) -> ResolvedImage:
        """Fetch the newest image of that name; one under `localhost/` is only looked up.

        `told` hears how far it has come. Raises InvalidRequest when there is no such image or
        access to it is denied, HostNotReady (`disk_full`) when there is no room for it.
        """

    async def build(
        self, folder: Path, tag: ImageReference, told: Told = unwatched
    ) -> ResolvedImage:
        """Build the folder's Containerfile or Dockerfile; `told` hears how it goes.

        Raises InvalidRequest when the folder has neither, DeployFailed with the end of the
        build's output when a build step fails.
        """

    async def tag(self, image_id: str, tag: str) -> None:
        """Give a local image one more name; having it already is fine."""

    async def release_tags(self, key: EnvironmentKey) -> dict[int, str]:
        """The release images kept for an environment: release number to tag."""

    async def untag(self, tag: str) -> None:
        """Take a name away, and the image with it when that was its last; absent is fine."""

    async def find(self, reference: str) -> ResolvedImage | None:
        """The image of that name or `name@digest` in local storage, or None."""

    async def owned(self) -> tuple[OwnedImage, ...]:
        """The release images of every environment."""

    async def drop(self, reference: ImageReference, image_id: str) -> None:
        """Take a name away that still names that image, as `untag` does; else do nothing.

        An image that a container was made from by that name keeps it.
        """


class Runtime(Protocol):
    """Runs containers: under systemd (`quadlet`) or by Podman alone (`podman`)."""

    name: str

    async def observe(self, key: EnvironmentKey) -> dict[Slot, ObservedContainer]:
        """The containers (or units) of ours in an environment's slots; absent ones are left out."""

    async def start(self, spec: ContainerSpec) -> None:
        """Start `spec`, replacing what is in its slot. Does nothing if it already runs there.

        `spec.image` is already in local storage. Returns as soon as the process was started.
        """

    async def stop(self, key: EnvironmentKey, slot: Slot) -> None:
        """Stop the slot gracefully and remove container and unit; absent is fine."""

    async def owned(self) -> tuple[tuple[EnvironmentKey, Slot], ...]:
        """Where containers (or units) of this codeb folder are, whatever the registry says."""

    async def listening_ports(self, container: ObservedContainer) -> tuple[int, ...]:
        """The TCP ports that the container listens on inside; empty when it cannot be told."""


class Networks(Protocol):
    """One network per project, on which its containers reach each other and nobody else does."""

    async def exists(self, key: EnvironmentKey) -> bool:
        """Whether the project's network is there. Refused when one of that name is not ours."""

    async def create(self, key: EnvironmentKey) -> None:
        """Make it; having it already is fine."""

    async def remove(self, key: EnvironmentKey) -> None:
        """Remove it; one that is absent, or that containers are connected to, is left alone."""


class Volumes(Protocol):
    """Named volumes, each an environment's own. They outlive every container."""

    async def of(self, key: EnvironmentKey) -> frozenset[str]:
        """The names of the environment's volumes, without Podman's prefix."""

    async def create(self, key: EnvironmentKey, volume: Volume) -> None:
        """Make a volume; having it already is fine. Refused when one of that name is not ours."""

    async def remove(self, key: EnvironmentKey, name: str) -> None:
        """Remove a volume with its data; absent is fine. SystemFailed while it is in use."""


class Jobs(Protocol):
    """Commands that run by a schedule, under systemd's timers."""

    supported: bool
    """False where nothing keeps time (`podman`); then every method but `installed` is refused."""

    async def installed(self, key: EnvironmentKey) -> dict[str, str]:
        """The environment's jobs that are installed: name to digest."""

    async def check(self, schedule: Schedule) -> str:
        """When the schedule would come next, in words. InvalidRequest when it is none."""

    async def install(self, spec: JobSpec) -> None:
        """Have the job run by its schedule, replacing what was installed under its name."""

    async def remove(self, key: EnvironmentKey, name: JobName) -> None:
        """Stop the job and remove its units; absent is fine."""

    async def state(self, key: EnvironmentKey, name: JobName) -> JobState:
        """How an installed job stands."""

    async def run(self, key: EnvironmentKey, name: JobName) -> JobState:
        """Run an installed job now, and wait until it has ended."""


class Terminal(Protocol):
    """Runs a command in a container, with this process's own input and output."""

    async def run(self, task: Task, name: str) -> int:
        """Run it to its end; gives its exit code. The container is gone afterwards, always.

        When this process is told to end (Ctrl-C), the container ends and 128 + signal is given.
        """


class Proxy(Protocol):
    """Caddy: one route per environment, both slots in it."""

    async def route(self, route_id: str) -> Json | None:
        """The route as it stands, or None."""

    async def put_route(self, route: Route) -> None:
        """Create or replace the route; one that already stands as wanted is left alone."""

    async def require_unrouted(self, domain: DomainName, route_id: str) -> None:
        """Raise Refused when another route than `route_id` answers for `domain`."""

    async def restore_route(self, route_id: str, before: Json | None) -> None:
        """Put a route back as it was; None removes it. Absent is fine."""

    async def owned(self) -> tuple[EnvironmentKey, ...]:
        """The environments that have a route of this codeb folder's."""

    async def requests_in_flight(self, port: int) -> int:
        """How many requests are being answered by 127.0.0.1:`port` right now."""

    async def public_status(self, domain: DomainName, path: str, seconds: float) -> int:
        """The HTTP status that a visitor of `domain` gets for `path`, asked of this Caddy.

        SystemFailed with the code `certificate_missing` while it has no certificate to show.
        """

    def url(self, domain: DomainName) -> str:
        """Where a visitor opens the domain."""


class Certificates(Protocol):
    """The certificates that the proxy keeps by itself."""

    @property
    def kept(self) -> bool:
        """False where it keeps none (`tls = "off"`); then nothing here is to be called."""

    async def served(self, domain: DomainName) -> Certificate | None:
        """What a visitor of `domain` is shown; None while there is nothing to show."""

    def signed(self, domain: DomainName) -> bool:
        """Whether an authority signs for `domain`, and not the proxy itself (`.localhost`)."""

    async def start_renewal(self, shares: Mapping[DomainName, float]) -> float:
        """Have each certificate renewed once less than that share of its life is left.

        The one before is served until the new one is there. Gives the seconds that may pass
        before the proxy begins.
        """

    async def end_renewal(self, domains: Collection[DomainName]) -> None:
        """Renew these when they are due again, as all others."""


class Resolver(Protocol):
    """Asks the world's DNS."""

    async def resolve(self, domain: DomainName) -> Resolution:
        """Where `domain` leads, its alias followed; never raises."""


class Markers(Protocol):
    """The marker files by which the proxy chooses a slot. A change is one rename or unlink."""

    def folder(self) -> str:
        """Where they live, as the proxy sees it."""

    async def slot(self, key: EnvironmentKey) -> Slot:
        """The slot that gets the traffic; blue where nothing was ever said."""

    async def point_to(self, key: EnvironmentKey, slot: Slot) -> None:
        """Send the next request to `slot`; durable when it returns."""

    async def owned(self) -> tuple[EnvironmentKey, ...]:
        """The environments that have one."""

    async def forget(self, key: EnvironmentKey) -> None:
        """Leave nothing of an environment's marker; absent is fine."""


class Probe(Protocol):
    """Asks an application on this host directly."""

    async def get(self, port: int, path: str, seconds: float) -> ProbeAnswer:
        """GET http://127.0.0.1:`port``path`, without following redirects; never raises."""

    def port_is_free(self, port: int) -> bool:
        """Whether a program could listen on this TCP port now."""


class Dns(Protocol):
    """Keeps the records of the zones it is responsible for."""

    managed: bool
    """False where codeb keeps no DNS (`none`); then changes are refused, and nothing is held."""

    async def records(self, name: DomainName) -> tuple[DnsRecord, ...]:
        """The A, AAAA and CNAME records of `name`."""

    async def holds(self, name: DomainName) -> bool:
        """Whether `name` is in a zone that is kept here already."""

    async def put(self, record: DnsRecord) -> None:
        """Create or replace the record set, and its zone when absent."""

    async def remove(self, name: DomainName, kind: RecordType) -> None:
        """Remove the record set; absent is fine."""


class Logs(Protocol):
    """What releases wrote, kept beyond the life of their containers."""

    def folder(self, key: EnvironmentKey) -> str:
        """Where an environment's logs lie; made when absent."""

    async def tail(self, key: EnvironmentKey, release: int, lines: int) -> tuple[str, ...]:
        """The last lines of a release, oldest first, each with its time; none is fine."""

    async def owned(self) -> dict[EnvironmentKey, tuple[int, ...]]:
        """The releases of which there is a log."""

    async def remove(self, key: EnvironmentKey, release: int | None = None) -> None:
        """Remove an environment's logs, or one release's; absent is fine."""

    def follow(self, key: EnvironmentKey, release: int) -> AsyncIterator[str]:
        """Lines as they come, from now on, until the caller stops."""


class Secrets(Protocol):
    """0600 env files, one per environment. Their values are never in the registry."""

    def read(self, key: EnvironmentKey) -> EnvFile | None:
        """The environment's file, or None. InvalidRequest when others may read it or it is bad."""

    def path(self, key: EnvironmentKey) -> str:
        """Where the file is, or would be."""

    def update(self, key: EnvironmentKey, changes: Mapping[VariableName, Secret | None]) -> None:
        """Set variables, and unset those with None; the rest of the file stays as it is.

        InvalidRequest for a value that a line cannot hold.
        """

    def remove(self, key: EnvironmentKey) -> None:
        """Remove the environment's file; absent is fine."""

    def read_file(self, path: Path) -> dict[VariableName, Secret]:
        """The variables of any file in that format; InvalidRequest when it is missing or bad."""


class SourceFolders(Protocol):
    """The folders that projects are built from."""

    def read(self, folder: Path) -> SourceTree:
        """The names and contents that say what it is made of; InvalidRequest when unreadable."""

    def write_missing(self, folder: Path, texts: Mapping[str, str]) -> list[Path]:
        """Write the files that are not there yet; which ones those were."""


class Logins(Protocol):
    """Logins at image registries. Each is used for its own registry only, and never shown."""

    async def check(self, registry: RegistryName, login: Login) -> None:
        """Raise InvalidRequest when the registry refuses it, SystemFailed when it is silent."""

    def registries(self) -> list[str]:
        """Where there is a login."""

    def save(self, registry: RegistryName, login: Login) -> None:
        """Keep a login, in place of one for the same registry."""

    def forget(self, registry: RegistryName) -> bool:
        """Remove a login; False when there was none."""


class Registry(Protocol):
    """What is deployed where. Every method is one transaction."""

    async def projects(self) -> tuple[Project, ...]:
        """All of them, by name."""

    async def project(self, name: ProjectName) -> Project:
        """One of them, or InvalidRequest naming those that come close."""

    async def add_project(self, project: Project) -> None:
        """A new one; InvalidRequest when the name is taken."""

    async def change_config(self, name: ProjectName, config: ProjectConfig) -> None:
        """Replace a project's configuration."""

    async def put_job(self, key: EnvironmentKey, job: Job) -> None:
        """Add a job to an environment, or replace the one of its name."""

    async def remove_job(self, key: EnvironmentKey, name: JobName) -> bool:
        """Remove a job; False when there was none."""

    async def ensure_environment(
        self,
        key: EnvironmentKey,
        domain: DomainName,
        *,
        expires_at: datetime | None = None,
        preview_limit: int | None = None,
    ) -> Environment:
        """The environment, made when absent, from now on until `expires_at` (None: for ever).

        Raises InvalidRequest when its domain is another's, and Refused (`preview_limit`) when
        it would be one preview of its project too many.
        """

    async def remove_environment(self, key: EnvironmentKey) -> None:
        """Remove an environment with its ports, domains and releases; absent is fine."""

    async def add_domain(self, key: EnvironmentKey, domain: DomainName) -> None:
        """A further domain, pending until it is served; InvalidRequest when it is another's."""

    async def serve_domain(self, key: EnvironmentKey, domain: DomainName) -> None:
        """Make one that was added an active one."""

    async def remove_domain(self, key: EnvironmentKey, domain: DomainName) -> None:
        """Forget one that was added; absent is fine."""

    async def ports(self) -> tuple[PortAllocation, ...]:
        """All that are handed out, by number."""

    async def allocate_port(
        self,
        key: EnvironmentKey,
        kind: PortKind,
        candidates: Sequence[int],
        is_free: Callable[[int], bool],
    ) -> PortAllocation:
        """The port `key` has for `kind`, else the first free candidate, reserved for it.

        Raises HostNotReady when none is left.
        """

    async def release_port(self, key: EnvironmentKey, kind: PortKind) -> int | None:
        """Give the port back; None when there was none."""

    async def next_free_port(
        self, kind: PortKind, candidates: Sequence[int], is_free: Callable[[int], bool]
    ) -> int | None:
        """The candidate that `allocate_port` would choose now, or None."""

    async def releases(self, key: EnvironmentKey, limit: int = 20) -> tuple[Release, ...]:
        """Newest first."""

    async def begin_release(self, key: EnvironmentKey, release: NewRelease) -> None:
        """Write down a release as `starting`; older ones still so become `interrupted`."""

    async def mark_live(self, key: EnvironmentKey, number: int, slot: Slot) -> None:
        """Make a release the live one.

        The one before becomes `superseded`, one that is still `starting` becomes `interrupted`.
        """

    async def end_release(
        self, key: EnvironmentKey, number: int, status: ReleaseStatus, message: str
    ) -> None:
        """Write down how a release ended."""

    async def journal(
        self, key: EnvironmentKey, release: int, step: str, state: str, *, after: str = ""
    ) -> None:
        """One line of what a deploy did: `state` is started, done, failed or undone.

        `after` is the step before it, which is written down as done in the same write.
        """

    async def audit_trail(self, limit: int = 50) -> tuple[AuditEntry, ...]:
        """The audit, which nothing can change or delete; newest first."""

    async def replace_all(self, projects: Sequence[Project]) -> None:
        """Make the registry hold exactly these projects, with their environments and ports."""


class Locks(Protocol):
    """One change at a time per environment. A lock ends with the process that holds it."""

    def hold(
        self, key: EnvironmentKey, who: str, purpose: str, wait: float = 0.0
    ) -> AbstractAsyncContextManager[None]:
        """Hold it, waiting for it at most `wait` seconds.

        Raises Locked saying who has it, for what and since when, and Refused
        (`environment_closing`) while the environment is being closed.
        """

    def close(
        self, key: EnvironmentKey, who: str, wait: float
    ) -> AbstractAsyncContextManager[None]:
        """Hold it to take the environment down.

        Who holds it is told so by `closed`, and waited for at most `wait` seconds.
        """

    async def holder(self, key: EnvironmentKey) -> str:
        """Who holds it now, for what and since when, in words; empty when nobody does."""

    async def closed(self, key: EnvironmentKey) -> str:
        """Wait, for ever if need be, until someone closes the environment; who that is."""

    def recall(self, key: EnvironmentKey) -> AbstractAsyncContextManager[None]:
        """Ask who holds it to leave the old slot as it is, if draining is all that is left."""

    async def recalled(self, key: EnvironmentKey) -> bool:
        """Whether someone asks for that, or closes the environment."""

    def alone(self, name: str, wait: float) -> AbstractAsyncContextManager[None]:
        """Be the only one at work under `name`; raise Locked after `wait` seconds."""


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> datetime:
        """The present moment, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    def monotonic(self) -> float:
        """Seconds from some fixed moment."""


@dataclass(frozen=True, slots=True)
class Host:
    """What the settings say about this host, as far as the use cases need it."""

    home: str
    base_domain: DomainName
    addresses: tuple[str, ...]
    dns_ttl: int
    health: HealthPolicy
    drain_timeout: float
    stop_timeout: int
    keep_images: int
    preview_ttl: Lifetime
    preview_limit: int
    agent_may_deploy: frozenset[EnvironmentKind]
    shares_databases: bool


@dataclass(frozen=True, slots=True)
class Systems:
    """Everything that the use cases work with."""

    host: Host
    images: Images
    runtime: Runtime
    networks: Networks
    volumes: Volumes
    jobs: Jobs
    terminal: Terminal
    proxy: Proxy
    markers: Markers
    probe: Probe
    dns: Dns
    logs: Logs
    secrets: Secrets
    folders: SourceFolders
    logins: Logins
    registry: Registry
    locks: Locks
    receipts: Receipts
    upkeep: Upkeep
    calls: Calls
    backups: BackupSystems
    databases: DatabaseSystems
    clock: Clock
    certificates: Certificates
    resolver: Resolver
    ready: Callable[[], Awaitable[None]]
    """Starts what codeb runs itself on this host and is not running; else does nothing."""
