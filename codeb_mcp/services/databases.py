"""Databases of environments: made, looked at, and how their containers sign in."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import anyio

from codeb_mcp.domain.databases import (
    LOOPBACK,
    Access,
    Database,
    DatabaseId,
    Engine,
    Mode,
    PreviewTemplate,
    Server,
    ServerSpec,
    Version,
    admin_access,
    application_access,
)
from codeb_mcp.domain.host import ResolvedImage
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import ImageReference, ProjectName
from codeb_mcp.domain.ports import candidates
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import HostNotReady, InvalidRequest, Refused, SystemFailed
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.database_parts import (
    alone_at,
    from_here,
    password_in,
    server_spec,
    shared_with,
    variables_of,
)
from codeb_mcp.services.database_views import DatabasesView, DatabaseView, TemplateView
from codeb_mcp.services.lifetimes import end_of, preview_limit
from codeb_mcp.services.observation import domain_of
from codeb_mcp.services.progress import OnProgress, Progress, ignore_progress
from codeb_mcp.services.systems import Systems

T = TypeVar("T")

START_SECONDS = 120.0
"""How long a server may take to answer: the first start of a PostgreSQL makes its files."""
DOWN_SECONDS = 10.0
"""How long it may be down meanwhile, between a crash and its next start."""
_POLL_SECONDS = 0.25
STEPS = 5
DEFAULT_MEMORY = {Engine.POSTGRES: 512 * 1024**2, Engine.REDIS: 256 * 1024**2}
"""Bytes, of a server whose memory nobody chose, where the host can limit it at all."""


@dataclass(frozen=True, slots=True)
class DatabaseRequest:
    """Which database an environment is to have. What is None stays as it is, or is the default.

    `memory` is in bytes, and is a dedicated server's.
    """

    id: DatabaseId
    actor: str
    mode: Mode | None = None
    version: str | None = None
    memory: int | None = None


class DatabaseCare:
    """The databases of this host."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def create(
        self, request: DatabaseRequest, on_progress: OnProgress = ignore_progress
    ) -> DatabaseView:
        """Give the environment a database, and its URL to the environment's variables.

        One that is there as asked for is left alone, apart from what an interrupted call left
        undone. Raises Refused when there is another one, or when the variable is taken.
        """
        systems, key = self._systems, request.id.key
        async with (
            audited(
                systems,
                request.actor,
                "create_db",
                project=key.project,
                environment=key.environment,
                type=request.id.engine,
                mode=request.mode,
                version=request.version,
            ),
        ):
            await systems.registry.project(key.project)
            async with systems.locks.hold(key, request.actor, f"make its {request.id.engine}"):
                return await self._create(request, on_progress)

    async def provide(self, request: DatabaseRequest, on_progress: OnProgress) -> None:
        """As `create`, for who holds the environment's lock already."""
        await self._create(request, on_progress)

    async def put_template(self, template: PreviewTemplate, actor: str) -> DatabasesView:
        """Give each preview of the project such a database, with its next deploy."""
        self._require_possible(template.mode)
        systems = self._systems
        async with audited(
            systems,
            actor,
            "put_preview_database",
            project=template.project,
            type=template.engine,
            mode=template.mode,
            version=template.version,
        ):
            await systems.registry.project(template.project)
            await systems.databases.rows.put_template(template)
        return await self.list(template.project)

    async def remove_template(
        self, project: ProjectName, engine: Engine, actor: str
    ) -> DatabasesView:
        """Give the previews to come none any more; those that have one keep it."""
        systems = self._systems
        async with audited(systems, actor, "remove_preview_database", project=project, type=engine):
            await systems.registry.project(project)
            await systems.databases.rows.remove_templates(project, engine)
        return await self.list(project)

    async def list(self, project: ProjectName | None = None) -> DatabasesView:
        """A project's databases, or all of them, without asking them how they are."""
        if project is not None:
            await self._systems.registry.project(project)
        found = await self._systems.databases.rows.list(project)
        return DatabasesView(
            databases=[DatabaseView.of(each) for each in found],
            previews=await self._templates(project),
        )

    async def status(self, project: ProjectName | None = None) -> DatabasesView:
        """As `list`, each asked over its own protocol how it is."""
        systems = self._systems
        if project is not None:
            await systems.registry.project(project)
        found = await systems.databases.rows.list(project)
        if found:
            await systems.ready()
        return DatabasesView(
            databases=[await self._view(each) for each in found],
            previews=await self._templates(project),
        )

    async def _templates(self, project: ProjectName | None) -> Sequence[TemplateView]:
        registry, rows = self._systems.registry, self._systems.databases.rows
        names = [project] if project else [each.name for each in await registry.projects()]
        return [TemplateView.of(each) for name in names for each in await rows.templates(name)]

    async def url(self, database: DatabaseId) -> Secret:
        """The URL in the environment's variables."""
        found = await self.require(database)
        url = variables_of(self._systems, database.key).get(database.engine.variable)
        if url is None:
            raise InvalidRequest(
                f"{database.engine.variable} of {database.key} is not set",
                hint=f"make it anew: codeb db create {database.key.project} --env "
                f"{database.key.environment} --type {database.engine}",
                code="variable_missing",
            )
        if password_in(url, found) is None:
            raise Refused(
                f"{database.engine.variable} of {database.key} is not the database's URL",
                hint=f"take it out (codeb env unset {database.key.project} "
                f"{database.engine.variable}), then codeb db create makes a new one",
                code="variable_taken",
            )
        return url

    async def shell(self, database: DatabaseId, actor: str) -> int:
        """Run its own command line on this terminal, as the application's user."""
        systems, key = self._systems, database.key
        found, url = await self.require(database), await self.url(database)
        password = password_in(url, found)
        async with audited(
            systems,
            actor,
            "db_shell",
            project=key.project,
            environment=key.environment,
            type=database.engine,
        ):
            await systems.ready()
            if password is None or not await systems.databases.servers.running(found.server):
                raise HostNotReady(
                    f"{found.server} does not run",
                    hint=f"start it: codeb db create {key.project} --env {key.environment} "
                    f"--type {database.engine}",
                    code="database_down",
                )
            return await systems.databases.shell.run(found, password)

    async def require(self, database: DatabaseId) -> Database:
        """The database; InvalidRequest when there is none."""
        await self._systems.registry.project(database.key.project)
        found = await self._systems.databases.rows.find(database)
        if found is None:
            raise InvalidRequest(
                f"{database.key} has no {database.engine.label}",
                hint=f"make one: codeb db create {database.key.project} --env "
                f"{database.key.environment} --type {database.engine}",
                code="unknown_database",
            )
        return found

    async def _create(self, request: DatabaseRequest, on_progress: OnProgress) -> DatabaseView:
        systems, engine = self._systems, request.id.engine
        Version.of(engine, request.version)
        before = await systems.databases.rows.find(request.id)
        if before is not None:
            _require_same(request, before)
        mode = before.mode if before else request.mode or Mode.DEDICATED
        if mode is Mode.SHARED and request.memory is not None:
            raise InvalidRequest(
                f"a shared {engine.label} has one memory limit for all",
                hint="leave --memory out, or ask for a dedicated one",
                code="invalid_limit",
            )
        self._require_possible(mode)
        password = self._password_in_force(request.id, before)
        await systems.ready()
        async with alone_at(systems, engine, mode):
            return await self._make(request, before, mode, password, on_progress)

    def _require_possible(self, mode: Mode) -> None:
        if mode is Mode.SHARED and not self._systems.host.shares_databases:
            raise Refused(
                "shared databases need a server that codeb set up, with units under systemd",
                hint="ask for a dedicated one (--dedicated)",
                code="shared_unavailable",
            )

    async def _make(
        self,
        request: DatabaseRequest,
        before: Database | None,
        mode: Mode,
        password: Secret | None,
        on_progress: OnProgress,
    ) -> DatabaseView:
        systems, key, engine = self._systems, request.id.key, request.id.engine
        step = _Steps(systems, key, on_progress)
        like = before or (await shared_with(systems, engine) if mode is Mode.SHARED else None)
        if before is None and like is not None:
            _require_same(replace(request, mode=None), like)
        image = await step.take(
            f"look for the image of {engine.label}", lambda: self._image(like, request)
        )
        if before is None:
            database = await step.take(
                f"write down the {engine.label} of {key}",
                lambda: self._write_down(request, mode, like, image),
            )
        else:
            database = before
        changed = await self._bring_up(database, image, password, step)
        view = await self._view(database)
        told = f"deploy project={key.project} environment={key.environment} gives the application "
        updates = {"changed": changed, "next": f"{told}{engine.variable}" if changed else ""}
        return view.model_copy(update=updates)

    async def _bring_up(
        self, database: Database, image: ResolvedImage, password: Secret | None, step: "_Steps"
    ) -> bool:
        """Have it run, and its URL in force; False when both was so before."""
        systems, key = self._systems, database.id.key
        await step.take(f"make the network {key.network}", lambda: systems.networks.create(key))
        admin = await step.take(f"start {database.server}", lambda: self._start(database, image))
        if password is not None:
            there = from_here(database, password)
            if not await systems.databases.admin.answers(there):
                return False
        await step.take(
            f"make {database.id.name} in {database.server}",
            lambda: self._hand_over(database, admin),
        )
        return True

    async def _hand_over(self, database: Database, admin: Access) -> None:
        """Make the database, and write its URL into the environment's variables."""
        password = self._systems.databases.new_password()
        await self._systems.databases.admin.provide(admin, database, password)
        url = application_access(database, password).url
        self._systems.secrets.update(database.id.key, {database.id.engine.variable: url})

    async def _write_down(
        self, request: DatabaseRequest, mode: Mode, like: Database | None, image: ResolvedImage
    ) -> Database:
        systems, key, engine = self._systems, request.id.key, request.id.engine
        project = await systems.registry.project(key.project)
        await systems.registry.ensure_environment(
            key,
            domain_of(project, key, systems.host.base_domain),
            expires_at=end_of(systems, project, key),
            preview_limit=preview_limit(systems, key),
        )
        database = Database(
            request.id,
            mode,
            like.version if like else Version.of(engine, request.version),
            await self._port(key, engine, mode),
            like.image if like else _pinned(image),
            like.memory if like else request.memory or await self._usual_memory(engine),
            systems.clock.now(),
        )
        await systems.databases.rows.put(database)
        return database

    async def _usual_memory(self, engine: Engine) -> int | None:
        can = await self._systems.databases.servers.can_limit_memory()
        return DEFAULT_MEMORY[engine] if can else None

    async def _port(self, key: EnvironmentKey, engine: Engine, mode: Mode) -> int:
        if mode is Mode.SHARED:
            return engine.port
        allocation = await self._systems.registry.allocate_port(
            key,
            engine.port_kind,
            candidates(engine.port_kind, key.environment.kind),
            self._systems.probe.port_is_free,
        )
        return allocation.port

    async def _image(self, like: Database | None, request: DatabaseRequest) -> ResolvedImage:
        """The image that its server was made from, else the newest of the version."""
        systems, engine = self._systems, request.id.engine
        if like is not None:
            kept = await systems.images.find(like.image)
            return kept or await systems.images.pull(ImageReference(like.image))
        version = Version.of(engine, request.version)
        reference = f"{systems.databases.images}/{engine}:{version}"
        return await systems.images.pull(ImageReference(reference))

    async def _start(self, database: Database, image: ResolvedImage) -> Access:
        """Have its server run and answer; gives how codeb signs in there as administrator."""
        systems, server = self._systems, database.server
        password = systems.databases.passwords.read(server)
        if password is None:
            password = self._systems.databases.new_password()
            systems.databases.passwords.keep(server, password)
        spec = await server_spec(systems, database, image.id)
        await systems.databases.servers.start(spec, password)
        admin = replace(admin_access(database, password), database="")
        await self._until_it_answers(server, admin, spec)
        return admin

    async def _until_it_answers(self, server: Server, admin: Access, spec: ServerSpec) -> None:
        systems = self._systems
        now = systems.clock.monotonic
        deadline, alive = now() + START_SECONDS, now()
        while why := await systems.databases.admin.answers(admin):
            if await systems.databases.servers.running(server):
                alive = now()
            if now() >= min(deadline, alive + DOWN_SECONDS):
                raise SystemFailed(
                    f"{server} does not answer on {LOOPBACK}:{admin.port}: {why}",
                    hint=f"see its log ({spec.log_path}), then call again",
                    code="database_not_answering",
                )
            await systems.clock.sleep(_POLL_SECONDS)

    def _password_in_force(self, database: DatabaseId, before: Database | None) -> Secret | None:
        """The password in the environment's URL. Refused when the URL is not one of codeb's."""
        name = database.engine.variable
        url = variables_of(self._systems, database.key).get(name)
        if url is None:
            return None
        password = password_in(url, before) if before else None
        if password is None:
            raise Refused(
                f"{name} of {database.key} is set to something else already",
                hint=f"take it out first: codeb env unset {database.key.project} {name} --env "
                f"{database.key.environment}",
                code="variable_taken",
            )
        return password

    async def _view(self, database: Database) -> DatabaseView:
        systems = self._systems
        if not await systems.databases.servers.running(database.server):
            return DatabaseView.of(database, "stopped")
        password = systems.databases.passwords.read(database.server)
        why = "codeb has no password for it"
        if password is not None:
            why = await systems.databases.admin.answers(admin_access(database, password))
        return DatabaseView.of(database, "unreachable" if why else "running", why)


class _Steps:
    """Journals each step, and tells who watches."""

    def __init__(self, systems: Systems, key: EnvironmentKey, on_progress: OnProgress) -> None:
        self._systems, self._key, self._on_progress = systems, key, on_progress
        self._done = 0

    async def take(self, what: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work`, which is harmless to do again."""
        registry = self._systems.registry
        await self._on_progress(Progress(self._done, STEPS, what))
        self._done += 1
        await registry.journal(self._key, 0, what, "started")
        try:
            result = await work()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await registry.journal(self._key, 0, what, "failed")
            raise
        await registry.journal(self._key, 0, what, "done")
        return result


def _pinned(image: ResolvedImage) -> str:
    name = image.reference.partition("@")[0]
    local = name.startswith("localhost/") or not image.digest.startswith("sha256:")
    tagless = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return image.id if local else f"{tagless}@{image.digest}"


def _require_same(request: DatabaseRequest, before: Database) -> None:
    asked: dict[str, tuple[object, object]] = {
        "mode": (request.mode, before.mode),
        "version": (request.version, before.version),
        "memory": (request.memory, before.memory),
    }
    other = [f"{name} {had}" for name, (want, had) in asked.items() if want not in (None, had)]
    if other:
        raise Refused(
            f"the {before.id.engine.label} of {before.id.key} is there with {', '.join(other)}",
            hint="leave that as it is, or take a backup and remove the database first: codeb db "
            f"remove {before.id.key.project} --env {before.id.key.environment} --type "
            f"{before.id.engine}",
            code="database_differs",
        )
