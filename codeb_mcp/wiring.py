"""The only place where the use cases meet the adapters."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property

from codeb_mcp.adapters.caddy import CaddyProxy
from codeb_mcp.adapters.clock import SystemClock
from codeb_mcp.adapters.embedded import Endpoints, endpoints_of, ensure_running, podman_environment
from codeb_mcp.adapters.env_files import EnvFiles
from codeb_mcp.adapters.locks import FileLocks
from codeb_mcp.adapters.logs import LogFiles
from codeb_mcp.adapters.markers import MarkerFiles
from codeb_mcp.adapters.podman import PodmanImages, PodmanRuntime
from codeb_mcp.adapters.powerdns import NoDns, PowerDns
from codeb_mcp.adapters.probe import HttpProbe
from codeb_mcp.adapters.quadlet import QuadletRuntime
from codeb_mcp.adapters.registry import SqlReceipts, SqlRegistry, SqlUpkeep
from codeb_mcp.domain.host import HealthPolicy
from codeb_mcp.domain.lifetime import Lifetime
from codeb_mcp.domain.names import DomainName, HealthPath
from codeb_mcp.services.deployments import Deployments
from codeb_mcp.services.domains import Domains
from codeb_mcp.services.garbage import Collection
from codeb_mcp.services.logs import LogReading
from codeb_mcp.services.ports import Ports
from codeb_mcp.services.previews import Previews
from codeb_mcp.services.projects import Projects
from codeb_mcp.services.reconciling import Reconciliation
from codeb_mcp.services.removals import Removals
from codeb_mcp.services.systems import Dns, Host, Runtime, Systems
from codeb_mcp.services.variables import Variables
from codeb_mcp.settings import Settings, load_settings


@dataclass(frozen=True)
class Application:
    """Every use case, over one set of systems. Tools, resources and commands start here."""

    systems: Systems

    @cached_property
    def projects(self) -> Projects:
        """Projects and how they stand."""
        return Projects(self.systems, lambda: secrets.token_hex(6))

    @cached_property
    def deployments(self) -> Deployments:
        """Deploys."""
        return Deployments(self.systems)

    @cached_property
    def removals(self) -> Removals:
        """Removals."""
        return Removals(self.systems)

    @cached_property
    def previews(self) -> Previews:
        """Previews."""
        return Previews(self.systems)

    @cached_property
    def collection(self) -> Collection:
        """What is left over."""
        return Collection(self.systems)

    @cached_property
    def reconciliation(self) -> Reconciliation:
        """Mending what differs from the registry."""
        return Reconciliation(self.systems)

    @cached_property
    def variables(self) -> Variables:
        """Variables and secrets."""
        return Variables(self.systems)

    @cached_property
    def ports(self) -> Ports:
        """Ports."""
        return Ports(self.systems)

    @cached_property
    def domains(self) -> Domains:
        """DNS records."""
        return Domains(self.systems)

    @cached_property
    def logs(self) -> LogReading:
        """Logs."""
        return LogReading(self.systems)


def open_application(settings: Settings | None = None) -> Application:
    """The application on this host's real systems. Nothing is contacted before it is used."""
    return Application(_systems(settings or load_settings()))


def _systems(settings: Settings) -> Systems:
    clock = SystemClock()
    endpoints = endpoints_of(settings)
    proxy = _proxy(settings, endpoints)
    images = PodmanImages(
        endpoints.podman_socket,
        podman_environment(settings),
        embedded=settings.podman_socket is None,
    )
    return Systems(
        host=_host(settings),
        images=images,
        runtime=_runtime(settings, endpoints),
        proxy=proxy,
        markers=MarkerFiles(settings.live_folder),
        probe=HttpProbe(),
        dns=_dns(settings),
        logs=LogFiles(settings.home / "logs"),
        secrets=EnvFiles(settings.home / "env"),
        registry=SqlRegistry(settings.registry_file, clock.now),
        locks=FileLocks(settings.run_folder / "locks", clock.now),
        receipts=SqlReceipts(settings.registry_file, clock.now),
        upkeep=SqlUpkeep(settings.registry_file, clock.now),
        clock=clock,
        ready=_ready(settings, proxy),
    )


def _host(settings: Settings) -> Host:
    return Host(
        home=str(settings.home),
        base_domain=DomainName(settings.base_domain),
        addresses=settings.addresses,
        dns_ttl=settings.dns_ttl,
        health=HealthPolicy(
            path=HealthPath("/"),
            interval=settings.health_interval,
            retries=settings.health_retries,
            timeout=settings.health_timeout,
        ),
        drain_timeout=settings.drain_timeout,
        stop_timeout=settings.stop_timeout,
        keep_images=settings.keep_images,
        min_free_bytes=settings.min_free_disk * 1024 * 1024,
        preview_ttl=Lifetime.parse(settings.preview_ttl),
        preview_limit=settings.preview_limit,
    )


def _runtime(settings: Settings, endpoints: Endpoints) -> Runtime:
    embedded = settings.podman_socket is None
    match settings.runtime:
        case "podman":
            return PodmanRuntime(
                endpoints.podman_socket, home=str(settings.home), embedded=embedded
            )
        case "quadlet":
            return QuadletRuntime(
                endpoints.podman_socket, home=str(settings.home), embedded=embedded
            )


def _proxy(settings: Settings, endpoints: Endpoints) -> CaddyProxy:
    return CaddyProxy(
        endpoints.caddy_admin,
        http_port=settings.http_port,
        tls=settings.tls,
        live_folder=settings.live_folder,
        embedded=settings.caddy_admin is None,
        binary=settings.caddy_binary,
    )


def _dns(settings: Settings) -> Dns:
    match settings.dns:
        case "none":
            return NoDns()
        case "powerdns":
            return PowerDns(settings)


def _ready(settings: Settings, proxy: CaddyProxy) -> Callable[[], Awaitable[None]]:
    """Start what codeb runs itself; of a Caddy that is the host's, check once that it will do."""
    checked = settings.caddy_admin is None

    async def ready() -> None:
        nonlocal checked
        if settings.embedded:
            await ensure_running(settings)
        if not checked:
            await proxy.check_version()
            checked = True

    return ready
