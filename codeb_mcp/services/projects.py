"""Projects: registering them, listing them, and how each of their environments stands."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeb_mcp.domain.host import ObservedContainer
from codeb_mcp.domain.names import (
    EnvironmentName,
    HealthPath,
    ProjectName,
    VariableName,
)
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import (
    Environment,
    EnvironmentKey,
    Project,
    ProjectConfig,
    ProjectType,
    Slot,
    command_words,
)
from codeb_mcp.errors import HostNotReady, InvalidRequest
from codeb_mcp.planning.companions import Companion
from codeb_mcp.planning.document import (
    parse_document,
    project_document,
    registry_document,
    status_word,
)
from codeb_mcp.planning.stacks import Commands
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.drifting import drift
from codeb_mcp.services.preparing import Prepared, prepared
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import (
    DriftView,
    EnvironmentView,
    HistoryView,
    InitView,
    ProjectsView,
    ProjectView,
    ReleaseView,
    StatusView,
)


@dataclass(frozen=True, slots=True)
class NewProject:
    """What `init_project` is told. `type` None: the one that its source is of."""

    name: ProjectName
    type: ProjectType | None = None
    repository: str = ""
    build_command: str | None = None
    start_command: str | None = None
    health_check: HealthPath | None = None
    env_vars: tuple[VariableName, ...] = ()
    port: int | None = None
    companions: tuple[Companion, ...] = ()

    def __post_init__(self) -> None:
        if self.port is not None and not 1 <= self.port <= 65535:
            raise InvalidRequest(
                f"{self.port} is not a TCP port", hint="use 1 to 65535", code="invalid_port"
            )
        for what in (self.repository, self.build_command, self.start_command):
            if what is not None and (len(what) > 1000 or not what.isprintable()):
                raise InvalidRequest(
                    "a repository or command holds control characters or is over 1000 characters",
                    hint="use one printable line",
                    code="invalid_text",
                )
        command_words(self.start_command or "")


class Projects:
    """The projects of this host. `new_id` gives random hex digits."""

    def __init__(self, systems: Systems, new_id: Callable[[], str]) -> None:
        self._systems = systems
        self._new_id = new_id

    async def init(
        self, new: NewProject, actor: str, source: Path | None = None, *, named: bool = True
    ) -> InitView:
        """Register a project, and write what is missing into its source folder.

        `named` says that somebody asked for this folder: then one of which nothing can be told is
        an error. The same again changes nothing; other settings for a name that is taken are
        refused.
        """
        async with audited(
            self._systems,
            actor,
            "init_project",
            project=new.name,
            type=new.type,
            repository=new.repository,
            source=source,
        ):
            commands = Commands(new.build_command, new.start_command)
            found = prepared(
                self._systems.folders,
                source,
                new.type,
                commands,
                named=named,
                project=new.name,
                companions=new.companions,
            )
            told = new.type is not None or bool(found.reasons)
            project = await self._registered(self._made(new, found), type_told=told)
            files = self._systems.folders.write_missing(source, found.files) if source else []
        what = f"source={source}" if source and found.reasons else "an image or a source folder"
        return InitView(
            project=new.name,
            type=project.type,
            reasons=list(found.reasons),
            files=[str(path) for path in files],
            note=found.note,
            next=f"deploy project={new.name} environment=staging with {what}",
        )

    def _made(self, new: NewProject, found: Prepared) -> Project:
        now = self._systems.clock.now()
        config = ProjectConfig(
            build_command=new.build_command,
            # codeb's own Containerfile has it, with a shell where it needs one
            start_command=None if found.starts else new.start_command,
            health_check=new.health_check or HealthPath("/"),
            env_vars=new.env_vars,
            port=new.port,
        )
        return Project(
            id=f"proj_{self._new_id()}",
            name=new.name,
            type=found.type,
            repository=new.repository,
            config=config,
            created_at=now,
            updated_at=now,
        )

    async def _registered(self, project: Project, *, type_told: bool) -> Project:
        """The project, new, or as it was already registered with the same settings."""
        registry = self._systems.registry
        try:
            await registry.add_project(project)
        except InvalidRequest as error:
            if error.code != "project_exists":
                raise
            there = await registry.project(project.name)
            same_type = there.type == project.type or not type_told
            same = (there.repository, there.config) == (project.repository, project.config)
            if not (same and same_type):
                raise
            return there
        return project

    async def list(self) -> ProjectsView:
        """All projects in short."""
        projects = await self._systems.registry.projects()
        return ProjectsView(projects=[self._short(project) for project in projects])

    def _short(self, project: Project) -> ProjectView:
        return ProjectView(
            name=project.name,
            type=project.type,
            repository=project.repository,
            environments={each.key.environment: status_word(each) for each in project.environments},
            urls={
                each.key.environment: self._systems.proxy.url(each.domain)
                for each in project.environments
            },
        )

    async def status(self, name: ProjectName, only: EnvironmentName | None = None) -> StatusView:
        """How a project's environments stand, seen on the running systems."""
        project = await self._systems.registry.project(name)
        chosen = [each for each in project.environments if only in (None, each.key.environment)]
        if only is not None and not chosen:
            raise InvalidRequest(
                f"{name} has no environment {only}",
                hint=f"deploy project={name} environment={only}",
                code="unknown_environment",
            )
        if chosen:
            await self._systems.ready()
        secrets = self._systems.secrets
        return StatusView(
            project=name,
            type=project.type,
            repository=project.repository,
            health_check=project.config.health_check,
            required_variables=list(project.config.env_vars),
            env_files={each.key.environment: secrets.path(each.key) for each in chosen},
            environments=[await self._environment(project, each) for each in chosen],
        )

    async def _environment(self, project: Project, environment: Environment) -> EnvironmentView:
        systems, key = self._systems, environment.key
        marker = await systems.markers.slot(key)
        seen = (await systems.runtime.observe(key)).get(marker)
        port = environment.ports.get(PortKind.APP)
        answer = None
        if seen is not None and seen.running and port is not None:
            path = project.config.health_check
            answer = await systems.probe.get(marker.port(port), path, systems.host.health.timeout)
        busy = await systems.locks.holder(key)
        routed = await systems.proxy.route(f"codeb-{key.slug}") is not None
        return EnvironmentView(
            environment=key.environment,
            status=_status(environment, seen, routed=routed),
            domain=environment.domain,
            url=systems.proxy.url(environment.domain),
            ports={str(kind): number for kind, number in environment.ports.items()},
            live=ReleaseView.of(environment.live) if environment.live else None,
            latest=_newer(environment),
            slot=marker if seen else None,
            container=EnvironmentView.container_of(seen),
            healthy=answer.healthy if answer else None,
            health=str(answer) if answer else "",
            restarts=seen.restarts if seen else 0,
            expires_at=environment.expires_at,
            busy=busy,
            # half-way through a change it differs in any case
            drift=[] if busy else DriftView.of(await drift(systems, environment)),
        )

    async def history(self, key: EnvironmentKey, limit: int = 20) -> HistoryView:
        """An environment's releases, and which of them can be gone back to."""
        systems = self._systems
        await systems.registry.project(key.project)
        releases = await systems.registry.releases(key, limit)
        if not releases:
            raise InvalidRequest(
                f"{key} has no release yet",
                hint=f"deploy project={key.project} environment={key.environment}",
                code="unknown_environment",
            )
        await systems.ready()
        return HistoryView(
            project=key.project,
            environment=key.environment,
            releases=[ReleaseView.of(release) for release in releases],
            kept=sorted(await systems.images.release_tags(key)),
        )

    async def document(self, name: ProjectName | None = None) -> dict[str, Any]:
        """The registry's JSON, or one project's part of it."""
        if name is not None:
            return project_document(await self._systems.registry.project(name))
        return registry_document(await self._systems.registry.projects())

    async def import_document(self, document: object, actor: str, *, replace: bool) -> int:
        """Make the registry hold what `document` says; how many projects that is.

        A registry that holds projects is only replaced with `replace`, and while none of its
        environments is being changed. What serves goes on serving: the next deploy of an
        environment records what it finds.
        """
        projects = parse_document(document)
        async with (
            audited(self._systems, actor, "registry_import", projects=len(projects)),
            AsyncExitStack() as locks,
        ):
            held = await self._systems.registry.projects()
            if held and not replace:
                raise InvalidRequest(
                    f"the registry holds {len(held)} projects already",
                    hint="export it first, then import with --replace",
                    code="registry_not_empty",
                )
            changed = {each.key for project in (*held, *projects) for each in project.environments}
            for key in sorted(changed, key=str):
                lock = self._systems.locks.hold(key, actor, "import the registry")
                await locks.enter_async_context(lock)
            await self._systems.registry.replace_all(projects)
            for environment in (each for project in projects for each in project.environments):
                if environment.live is not None:
                    await self._point_to(environment.key, Slot(environment.live.slot))
        return len(projects)

    async def _point_to(self, key: EnvironmentKey, slot: Slot) -> None:
        """Send the traffic to `slot` where that is what runs, as after the markers were lost."""
        try:
            running = {
                place
                for place, seen in (await self._systems.runtime.observe(key)).items()
                if seen.running
            }
        except HostNotReady:
            return
        if slot in running and await self._systems.markers.slot(key) not in running:
            await self._systems.markers.point_to(key, slot)


def _newer(environment: Environment) -> ReleaseView | None:
    """The newest release where it is not the live one: it failed, or a deploy goes on."""
    latest = environment.latest
    return ReleaseView.of(latest) if latest and latest != environment.live else None


def _status(environment: Environment, seen: ObservedContainer | None, *, routed: bool) -> str:
    word = status_word(environment)
    if environment.live is None:
        return word
    if seen is None or not seen.running:
        return "stopped"
    return "running" if routed else "unrouted"
