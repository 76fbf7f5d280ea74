"""A whole host in memory: real registry, locks, logs and env files in a folder; the rest fakes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio.lowlevel

from codeb_mcp.adapters.env_files import EnvFiles
from codeb_mcp.adapters.locks import FileLocks
from codeb_mcp.adapters.logins import RegistryLoginFile
from codeb_mcp.adapters.logs import LogFiles
from codeb_mcp.adapters.registry import SqlCalls, SqlReceipts, SqlRegistry, SqlUpkeep
from codeb_mcp.adapters.source_folder import SourceFolders
from codeb_mcp.domain.host import HealthPolicy
from codeb_mcp.domain.lifetime import Lifetime
from codeb_mcp.domain.names import DomainName, EnvironmentKind, HealthPath
from codeb_mcp.domain.project import Project
from codeb_mcp.services.systems import Host, Systems
from tests.fakes.backups import FakeBackups
from tests.fakes.containers import Application, FakeImages, FakeRuntime
from tests.fakes.databases import FakeDatabases
from tests.fakes.network import (
    FakeCertificates,
    FakeDns,
    FakeMarkers,
    FakeProbe,
    FakeProxy,
    FakeResolver,
)
from tests.fakes.surroundings import FakeJobs, FakeNetworks, FakeTerminal, FakeVolumes


@dataclass
class FakeClock:
    """Time that passes only when someone sleeps, or asks what time it is."""

    seconds: float = 0.0

    def now(self) -> datetime:
        self.seconds += 0.001
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await anyio.lowlevel.checkpoint()

    def monotonic(self) -> float:
        return self.seconds


async def _always_ready() -> None:
    """Nothing needs to be started in memory."""


@dataclass
class InMemoryHost:
    """A host whose parts a test can look into and break."""

    folder: Path
    addresses: tuple[str, ...] = ()
    preview_limit: int = 10
    agent_may_deploy: frozenset[EnvironmentKind] = frozenset(EnvironmentKind)
    shares_databases: bool = True
    clock: FakeClock = field(default_factory=FakeClock)
    probe: FakeProbe = field(default_factory=FakeProbe)
    markers: FakeMarkers = field(default_factory=FakeMarkers)
    images: FakeImages = field(default_factory=FakeImages)
    dns: FakeDns = field(default_factory=lambda: FakeDns(DomainName("localhost")))

    def __post_init__(self) -> None:
        self.proxy = FakeProxy(markers=self.markers, probe=self.probe)
        self.runtime = FakeRuntime(images=self.images, probe=self.probe)
        self.networks = FakeNetworks(self.runtime)
        self.volumes = FakeVolumes(self.runtime)
        self.jobs = FakeJobs()
        self.terminal = FakeTerminal()
        self.backups = FakeBackups(self.folder)
        self.databases = FakeDatabases(self.folder, self.images)
        self.resolver = FakeResolver(self.dns)
        self.certificates = FakeCertificates(self.proxy, self.clock.now)
        self.registry = SqlRegistry(self.folder / "registry.db", self.clock.now)

    def systems(self) -> Systems:
        """All of it, as the use cases take it."""
        return Systems(
            host=Host(
                home=str(self.folder),
                base_domain=DomainName("localhost"),
                addresses=self.addresses,
                dns_ttl=300,
                health=HealthPolicy(HealthPath("/"), interval=1.0, retries=5, timeout=1.0),
                drain_timeout=10.0,
                stop_timeout=5,
                keep_images=3,
                preview_ttl=Lifetime(timedelta(days=7)),
                preview_limit=self.preview_limit,
                agent_may_deploy=self.agent_may_deploy,
                shares_databases=self.shares_databases,
            ),
            images=self.images,
            runtime=self.runtime,
            networks=self.networks,
            volumes=self.volumes,
            jobs=self.jobs,
            terminal=self.terminal,
            proxy=self.proxy,
            markers=self.markers,
            probe=self.probe,
            dns=self.dns,
            logs=LogFiles(self.folder / "logs"),
            secrets=EnvFiles(self.folder / "env"),
            folders=SourceFolders(),
            logins=RegistryLoginFile(self.folder / "auth.json"),
            registry=self.registry,
            locks=FileLocks(self.folder / "locks", self.clock.now),
            receipts=SqlReceipts(self.folder / "registry.db", self.clock.now),
            upkeep=SqlUpkeep(self.folder / "registry.db", self.clock.now),
            calls=SqlCalls(self.folder / "registry.db", self.folder / "calls", self.clock.now),
            backups=self.backups.systems(),
            databases=self.databases.systems(),
            clock=self.clock,
            certificates=self.certificates,
            resolver=self.resolver,
            ready=_always_ready,
        )

    def good_image(self, tag: str = "v1") -> str:
        """A new image of an application that answers; its reference."""
        return self.images.add(f"localhost/app:{tag}").reference

    def bad_image(self, application: Application, tag: str = "bad") -> str:
        """A new image of an application that does not; its reference."""
        return self.images.add(f"localhost/app:{tag}", application).reference

    def break_registry(self, error: Exception) -> None:
        """Make the registry fail with `error`, as a bug would."""

        async def projects() -> tuple[Project, ...]:
            raise error

        self.registry.projects = projects  # type: ignore[method-assign]  # the point of it

    async def left_behind(self) -> dict[str, object]:
        """Everything that a deploy may leave on a host."""
        return {
            "containers": sorted(self.runtime.specs),
            "routes": sorted(self.proxy.routes),
            "records": sorted(str(record) for record in self.dns.kept.values()),
            "ports": [each.port for each in await self.registry.ports()],
            "tags": sorted(tag for tag in self.images.local if ":r" in tag),
            "networks": sorted(self.networks.names),
            "volumes": sorted(self.volumes.owners),
            "jobs": sorted(self.jobs.specs),
            "markers": {str(key): slot for key, slot in self.markers.slots.items()},
        }
