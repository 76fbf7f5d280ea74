"""The only place where the use cases meet the adapters."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import anyio

from codeb_mcp.adapters.anthropic_fixer import AnthropicFixer, ApiSettings
from codeb_mcp.adapters.backup_sources import CodebState, PodmanVolumeData
from codeb_mcp.adapters.backup_store import BackupFolder
from codeb_mcp.adapters.backup_timer import BackupTimer, NoTimer
from codeb_mcp.adapters.caddy import CaddyProxy, authority_of
from codeb_mcp.adapters.checks import SandboxedChecks
from codeb_mcp.adapters.claude_fixer import ClaudeFixer, ClaudeSettings
from codeb_mcp.adapters.clock import SystemClock
from codeb_mcp.adapters.database_admin import (
    DatabaseConnections,
    ServerPasswordFiles,
)
from codeb_mcp.adapters.database_shell import PodmanShell
from codeb_mcp.adapters.embedded import Endpoints, endpoints_of, ensure_running, podman_environment
from codeb_mcp.adapters.env_files import EnvFiles
from codeb_mcp.adapters.failure_logs import FailureLogFiles
from codeb_mcp.adapters.git import GitRepository
from codeb_mcp.adapters.git_hooks import GitHooks
from codeb_mcp.adapters.github import GitHub
from codeb_mcp.adapters.github_api import GitHubApi
from codeb_mcp.adapters.host_setup import LocalHost
from codeb_mcp.adapters.identity import read_identity
from codeb_mcp.adapters.locks import FileLocks
from codeb_mcp.adapters.logins import RegistryLoginFile
from codeb_mcp.adapters.logs import LogFiles
from codeb_mcp.adapters.markers import MarkerFiles
from codeb_mcp.adapters.podman import PodmanImages, PodmanRuntime
from codeb_mcp.adapters.podman_client import Podman
from codeb_mcp.adapters.podman_networks import PodmanNetworks
from codeb_mcp.adapters.podman_servers import PodmanServers
from codeb_mcp.adapters.podman_volumes import PodmanVolumes
from codeb_mcp.adapters.postgres_copies import PostgresCopies
from codeb_mcp.adapters.powerdns import NoDns, PowerDns
from codeb_mcp.adapters.probe import HttpProbe
from codeb_mcp.adapters.quadlet import QuadletRuntime
from codeb_mcp.adapters.quadlet_servers import QuadletServers
from codeb_mcp.adapters.rclone import RcloneRemote
from codeb_mcp.adapters.registry import (
    SqlCalls,
    SqlDatabases,
    SqlHealRecords,
    SqlReceipts,
    SqlRegistry,
    SqlUpkeep,
)
from codeb_mcp.adapters.resolver import DnsResolver
from codeb_mcp.adapters.rule_files import bypass_rules
from codeb_mcp.adapters.sandbox import Sandbox
from codeb_mcp.adapters.source_folder import SourceFolders
from codeb_mcp.adapters.systemd_jobs import NoJobs, SystemdJobs
from codeb_mcp.adapters.terminal import PodmanTerminal
from codeb_mcp.adapters.work_places import GitWorkPlaces
from codeb_mcp.domain.backups import BackupPolicy, Recipient, Retention
from codeb_mcp.domain.databases import Database, Engine
from codeb_mcp.domain.host import HealthPolicy
from codeb_mcp.domain.lifetime import Lifetime
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import DomainName, HealthPath, shown
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.healing import Policy
from codeb_mcp.services.backup_systems import BackupSystems, DatabaseCopies
from codeb_mcp.services.backups import Backups, BackupsBeforeRemoval
from codeb_mcp.services.certificates import CertificateCare
from codeb_mcp.services.commit_hook import Hooks
from codeb_mcp.services.configuration import Configuration
from codeb_mcp.services.custom_domains import CustomDomains
from codeb_mcp.services.database_removal import DatabaseRemovals
from codeb_mcp.services.database_systems import DatabaseServers, DatabaseSystems
from codeb_mcp.services.databases import DatabaseCare
from codeb_mcp.services.deployments import Deployments
from codeb_mcp.services.diagnosing import Diagnosing
from codeb_mcp.services.domains import Domains
from codeb_mcp.services.forge import Forge
from codeb_mcp.services.garbage import Collection
from codeb_mcp.services.heal_people import ForgePeople
from codeb_mcp.services.healing import Healing
from codeb_mcp.services.healing_systems import Fixer
from codeb_mcp.services.logs import LogReading
from codeb_mcp.services.ports import Ports
from codeb_mcp.services.previews import Previews
from codeb_mcp.services.project_healing import ProjectHealing
from codeb_mcp.services.projects import Projects
from codeb_mcp.services.reconciling import Reconciliation
from codeb_mcp.services.registry_logins import RegistryLogins
from codeb_mcp.services.removals import Removals
from codeb_mcp.services.restores import Restores
from codeb_mcp.services.server_setup import ServerSetup
from codeb_mcp.services.systems import Dns, Host, Jobs, Runtime, Systems
from codeb_mcp.services.tasks import Tasks
from codeb_mcp.services.variables import Variables
from codeb_mcp.services.vetting import Vetting
from codeb_mcp.settings import Settings, load_settings


@dataclass(frozen=True)
class Application:
    """Every use case, over one set of systems. Tools, resources and commands start here."""

    systems: Systems
    settings: Settings | None = None

    @cached_property
    def backups(self) -> Backups:
        """Backups."""
        return Backups(self.systems)

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
    def configuration(self) -> Configuration:
        """Settings of projects."""
        return Configuration(self.systems)

    @cached_property
    def tasks(self) -> Tasks:
        """One-off commands and scheduled jobs."""
        return Tasks(self.systems, lambda: secrets.token_hex(6))

    @cached_property
    def databases(self) -> DatabaseCare:
        """Databases."""
        return DatabaseCare(self.systems)

    @cached_property
    def database_removals(self) -> DatabaseRemovals:
        """Removals of databases."""
        return DatabaseRemovals(self.systems)

    @cached_property
    def restores(self) -> Restores:
        """Restores of databases."""
        return Restores(self.systems)

    @cached_property
    def registry_logins(self) -> RegistryLogins:
        """Logins at image registries."""
        return RegistryLogins(self.systems)

    @cached_property
    def ports(self) -> Ports:
        """Ports."""
        return Ports(self.systems)

    @cached_property
    def domains(self) -> Domains:
        """DNS records."""
        return Domains(self.systems)

    @cached_property
    def custom_domains(self) -> CustomDomains:
        """Domains that environments have beside their own."""
        return CustomDomains(self.systems)

    @cached_property
    def certificates(self) -> CertificateCare:
        """Certificates."""
        return CertificateCare(self.systems)

    @cached_property
    def logs(self) -> LogReading:
        """Logs."""
        return LogReading(self.systems)

    @cached_property
    def diagnosing(self) -> Diagnosing:
        """What failure logs say."""
        return Diagnosing(FailureLogFiles())

    @cached_property
    def healing(self) -> Healing:
        """From a red build to a green one."""
        return open_healing(self.settings or load_settings())

    @cached_property
    def project_healing(self) -> ProjectHealing:
        """The same for a project that is deployed here."""
        return ProjectHealing(self.systems, self.healing, self.diagnosing)

    @cached_property
    def vetting(self) -> Vetting:
        """The guard."""
        return open_vetting()


@cache
def open_vetting() -> Vetting:
    """The guard, which needs no settings and no systems."""
    return Vetting(bypass_rules, GitRepository(), lambda: SystemClock().now().date())


def open_hooks() -> Hooks:
    """The hooks of git repositories."""
    return GitHooks()


def open_application(settings: Settings | None = None) -> Application:
    """The application on this host's real systems. Nothing is contacted before it is used."""
    settings = settings or load_settings()
    return Application(_systems(settings), settings)


def open_healing(settings: Settings) -> Healing:
    """Healing, by the settings."""
    sandbox = Sandbox(settings.heal_tools)
    clock = SystemClock()
    return Healing(
        GitWorkPlaces(settings.home / "heal"),
        SandboxedChecks(sandbox),
        SqlHealRecords(settings.registry_file),
        open_vetting(),
        clock,
        fixer=lambda name: _fixer(name or settings.heal_fixer, settings, sandbox),
        mark=lambda: secrets.token_hex(12),
        policy=Policy(settings.heal_protected, settings.heal_lines),
        people=ForgePeople(lambda: open_forge(settings)) if settings.github_token else None,
    )


def _fixer(name: str, settings: Settings, sandbox: Sandbox) -> Fixer:
    key = settings.heal_api_key
    secret = Secret(key.get_secret_value()) if key else None
    match name:
        case "claude":
            return ClaudeFixer(
                ClaudeSettings(
                    settings.heal_claude, settings.heal_model, settings.heal_api_url, secret
                ),
                sandbox,
            )
        case "anthropic":
            return AnthropicFixer(ApiSettings(settings.heal_model, settings.heal_api_url, secret))
        case _:
            raise InvalidRequest(
                f"there is no fixer {shown(name)}",
                hint="use claude, anthropic or copilot",
                code="unknown_fixer",
            )


def open_server_setup() -> ServerSetup:
    """The set-up of this machine, which needs none of the application's settings."""
    return ServerSetup(LocalHost(SystemClock().now), lambda: Secret(secrets.token_urlsafe(32)))


def open_forge(settings: Settings | None = None) -> Forge:
    """GitHub, by the settings in force."""
    settings = settings or load_settings()
    token = settings.github_token
    return GitHub(
        GitHubApi(
            settings.github_url,
            Secret(token.get_secret_value()) if token else None,
            anyio.sleep,
            lambda: SystemClock().now().timestamp(),
        )
    )


def _systems(settings: Settings) -> Systems:
    clock = SystemClock()
    endpoints = endpoints_of(settings)
    proxy = _proxy(settings, endpoints)
    logins = RegistryLoginFile(settings.auth_file)
    images = PodmanImages(
        endpoints.podman_socket,
        podman_environment(settings),
        embedded=settings.podman_socket is None,
        logins=logins,
        base_images=settings.base_images,
        free_disk=settings.free_disk_mb * 1_000_000,
        pull_patience=settings.pull_timeout,
    )
    podman = Podman(endpoints.podman_socket, embedded=settings.podman_socket is None)
    # a container that systemd starts is known by its unit, whichever folder it was made from
    home = str(settings.home) if settings.runtime == "podman" else None
    systems = Systems(
        host=_host(settings),
        images=images,
        runtime=_runtime(settings, endpoints),
        networks=PodmanNetworks(podman, home),
        volumes=PodmanVolumes(podman, home),
        jobs=_jobs(settings),
        terminal=PodmanTerminal(podman, podman_environment(settings)),
        proxy=proxy,
        markers=MarkerFiles(settings.live_folder),
        probe=HttpProbe(),
        dns=_dns(settings),
        logs=LogFiles(settings.home / "logs"),
        secrets=EnvFiles(settings.home / "env"),
        folders=SourceFolders(),
        logins=logins,
        registry=SqlRegistry(settings.registry_file, clock.now),
        locks=FileLocks(settings.run_folder / "locks", clock.now),
        receipts=SqlReceipts(settings.registry_file, clock.now),
        upkeep=SqlUpkeep(settings.registry_file, clock.now),
        calls=SqlCalls(settings.registry_file, settings.run_folder / "calls", clock.now),
        backups=_backup_systems(settings),
        databases=DatabaseSystems(
            rows=SqlDatabases(settings.registry_file),
            servers=_database_servers(settings, podman),
            admin=DatabaseConnections(),
            passwords=ServerPasswordFiles(settings.home / "databases"),
            last_backups=BackupsBeforeRemoval(lambda: Backups(systems), _backup_policy(settings)),
            shell=PodmanShell(podman, podman_environment(settings)),
            images=settings.database_images,
            new_password=lambda: Secret(secrets.token_urlsafe(32)),
        ),
        clock=clock,
        certificates=proxy.certificates,
        resolver=DnsResolver(settings.resolvers),
        ready=_ready(settings, proxy),
    )
    return systems


def _backup_systems(settings: Settings) -> BackupSystems:
    url = f"unix://{endpoints_of(settings).podman_socket}"
    return BackupSystems(
        store=BackupFolder(settings.backup_folder),
        state=CodebState(settings.home),
        volumes=PodmanVolumeData(url, podman_environment(settings)),
        copies=_copies(url, podman_environment(settings)),
        timetable=BackupTimer(settings.home) if settings.runtime == "quadlet" else NoTimer(),
        identity=read_identity,
        offsite=RcloneRemote,
        policy=_backup_policy(settings),
    )


def _copies(url: str, environment: Mapping[str, str]) -> dict[Engine, DatabaseCopies]:
    def inside(database: Database) -> tuple[str, ...]:
        return ("podman", f"--url={url}", "exec", "--interactive", database.server.name)

    return {Engine.POSTGRES: PostgresCopies(inside, environment)}


def _backup_policy(settings: Settings) -> BackupPolicy:
    return BackupPolicy(
        recipients=tuple(Recipient(text) for text in settings.backup_recipients),
        retention=Retention(settings.backup_daily, settings.backup_weekly, settings.backup_monthly),
        offsite=settings.backup_offsite or "",
        free_disk=settings.free_disk_mb * 1_000_000,
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
        preview_ttl=Lifetime.parse(settings.preview_ttl),
        preview_limit=settings.preview_limit,
        agent_may_deploy=frozenset(settings.agent_may_deploy),
        # with Podman 4 as root, a port that is published leads nowhere once a second network is
        # joined, and a shared server joins one for each project
        shares_databases=settings.runtime == "quadlet",
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


def _database_servers(settings: Settings, podman: Podman) -> DatabaseServers:
    match settings.runtime:
        case "podman":
            return PodmanServers(podman, str(settings.home))
        case "quadlet":
            return QuadletServers(podman)


def _jobs(settings: Settings) -> Jobs:
    match settings.runtime:
        case "podman":
            return NoJobs()
        case "quadlet":
            return SystemdJobs()


def _proxy(settings: Settings, endpoints: Endpoints) -> CaddyProxy:
    return CaddyProxy(
        endpoints.caddy_admin,
        http_port=settings.http_port,
        tls=settings.tls,
        live_folder=settings.live_folder,
        embedded=settings.caddy_admin is None,
        binary=settings.caddy_binary,
        authority=authority_of(settings),
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
