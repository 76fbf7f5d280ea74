"""The way of a deploy: observe, plan, apply, verify, record."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import anyio

from codeb_mcp.domain.host import (
    EnvFile,
    Observed,
    ResolvedImage,
    Wanted,
)
from codeb_mcp.domain.job import Job
from codeb_mcp.domain.masking import KEY_LINES, mask, mask_lines
from codeb_mcp.domain.names import VersionTag
from codeb_mcp.domain.plan import Plan, StartContainer, Step, sentence
from codeb_mcp.domain.project import EnvironmentKey, Project, command_words
from codeb_mcp.domain.release import NewRelease, ReleaseStatus
from codeb_mcp.errors import CodebError, DeployFailed, InvalidRequest, StalePlan
from codeb_mcp.planning.deploy import plan_deploy
from codeb_mcp.planning.hints import missing_capability
from codeb_mcp.planning.records import records_for
from codeb_mcp.services.apply import Unhealthy, apply
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.observation import domain_of, environment_of, observe
from codeb_mcp.services.pointing import served_domains
from codeb_mcp.services.sources import (
    Source,
    described,
    reference_of,
    resolve,
    rollback_target,
    version_of,
)
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import DeployView, PlanView

LOG_TAIL = 50
# First deploys of many environments at once all want the lowest free port, and one gets it.
REPLANS = 20
PREPARATIONS = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` steps are behind; `message` is what happens now, `detail` how far it is."""

    done: int
    total: int
    message: str
    detail: str = ""


OnProgress: TypeAlias = Callable[[Progress], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What to put where: an image, a folder with a Containerfile, or an earlier release.

    With `plan_digest` only the plan of that digest is carried out, else StalePlan.
    """

    key: EnvironmentKey
    source: Source
    actor: str
    version: VersionTag | None = None
    dry_run: bool = False
    plan_digest: str | None = None


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """Where to go back, and to what: a release's number, its version, or None, the one before."""

    key: EnvironmentKey
    actor: str
    to: str | None = None
    dry_run: bool = False
    plan_digest: str | None = None


async def ignore_progress(_: Progress) -> None:
    """For callers that do not watch."""


class Deployments:
    """Deploys to this host."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def deploy(
        self, request: DeployRequest, on_progress: OnProgress = ignore_progress
    ) -> DeployView:
        """Put the source into the environment; with `dry_run`, say what that would change.

        A dry run pulls or builds the image, to know what it is, and changes nothing else.
        Raises Locked, StalePlan, InvalidRequest, HostNotReady, SystemFailed and, when the
        release is not healthy, DeployFailed with the end of its log.
        """
        if request.dry_run:
            return await self._deploy(request, on_progress)
        key, source = request.key, described(request.source)
        async with (
            audited(
                self._systems,
                request.actor,
                "deploy",
                project=key.project,
                environment=key.environment,
                source=source,
                version=request.version,
            ),
            self._locked(request),
        ):
            return await self._deploy(request, on_progress)

    @contextlib.asynccontextmanager
    async def _locked(self, request: DeployRequest) -> AsyncIterator[None]:
        """The environment's lock. A name that is no project's gets no lock file."""
        systems, key = self._systems, request.key
        await systems.registry.project(key.project)
        async with systems.locks.hold(key, request.actor, f"deploy {described(request.source)}"):
            yield

    async def rollback(
        self,
        request: RollbackRequest,
        on_progress: OnProgress = ignore_progress,
    ) -> DeployView:
        """Put an earlier release's image back as a new release, in the way of any deploy.

        Raises InvalidRequest when there is no such release, Refused when its image is gone.
        """
        target = await rollback_target(self._systems, request.key, request.to)
        deploy = DeployRequest(
            key=request.key,
            source=target,
            actor=request.actor,
            dry_run=request.dry_run,
            plan_digest=request.plan_digest,
        )
        return await self.deploy(deploy, on_progress)

    async def _deploy(self, request: DeployRequest, on_progress: OnProgress) -> DeployView:
        begin = self._systems.clock.monotonic()
        project = await self._systems.registry.project(request.key.project)
        await self._systems.ready()
        env_file = self._env_file(project, request.key)
        image = await self._resolve(request, env_file, on_progress)
        aliases = await served_domains(self._systems, environment_of(project, request.key))
        wanted = replace(self._wanted(project, request, image, env_file), aliases=aliases)
        await on_progress(Progress(1, PREPARATIONS, f"look at {request.key} as it is"))
        for replans_left in reversed(range(REPLANS)):
            found = await observe(self._systems, request.key, wanted.domain)
            plan = plan_deploy(wanted, found, self._systems.markers.folder())
            if request.plan_digest not in (None, plan.digest):
                raise _stale(request.key, plan)
            if request.dry_run or not plan:
                break
            try:
                await self._carry_out(request, wanted, found, plan, env_file, on_progress)
                break
            except StalePlan:
                if request.plan_digest is not None or not replans_left:
                    raise
        seconds = self._systems.clock.monotonic() - begin
        return await self._result(request, wanted, plan, seconds)

    async def _resolve(
        self, request: DeployRequest, env_file: EnvFile | None, on_progress: OnProgress
    ) -> ResolvedImage:
        """The image; what a build says of secrets is masked."""
        values = env_file.values if env_file else frozenset()
        fetching = Progress(0, PREPARATIONS, f"fetch or build {described(request.source)}")

        async def told(detail: str) -> None:
            await on_progress(replace(fetching, detail=mask(detail, values)))

        await on_progress(fetching)
        try:
            return await resolve(self._systems, request.key, request.source, told)
        except DeployFailed as error:
            error.message = mask(error.message, values)
            error.log_tail = mask_lines(error.log_tail, values)
            raise

    def _env_file(self, project: Project, key: EnvironmentKey) -> EnvFile | None:
        found = self._systems.secrets.read(key)
        names = found.names if found else frozenset()
        missing = [name for name in project.config.env_vars if name not in names]
        if missing:
            raise InvalidRequest(
                f"{key} has no value for {', '.join(missing)}, which {project.name} requires",
                hint=f"codeb env set {key.project} {missing[0]} --env {key.environment} asks, "
                f"or add NAME=value lines to {self._systems.secrets.path(key)} (mode 0600)",
                code="variables_missing",
            )
        return found

    def _wanted(
        self,
        project: Project,
        request: DeployRequest,
        image: ResolvedImage,
        env_file: EnvFile | None,
    ) -> Wanted:
        host, config = self._systems.host, project.config
        domain = domain_of(project, request.key, host.base_domain)
        return Wanted(
            key=request.key,
            domain=domain,
            image=image,
            version=request.version or version_of(request.source, image),
            health=host.health.at(config.health_check),
            container_port=config.port or image.port,
            command=command_words(config.start_command or ""),
            env_file=env_file.path if env_file else None,
            env_digest=env_file.digest if env_file else "",
            records=records_for(domain, host.addresses, host.dns_ttl)
            if self._systems.dns.managed
            else (),
            log_folder=self._systems.logs.folder(request.key),
            home=host.home,
            keep_images=host.keep_images,
            drain_timeout=host.drain_timeout,
            stop_timeout=host.stop_timeout,
            confinement=config.confinement,
            jobs=self._jobs(project, request.key),
        )

    def _jobs(self, project: Project, key: EnvironmentKey) -> tuple[Job, ...]:
        environment = environment_of(project, key)
        return environment.jobs if environment and self._systems.jobs.supported else ()

    async def _carry_out(
        self,
        request: DeployRequest,
        wanted: Wanted,
        found: Observed,
        plan: Plan,
        env_file: EnvFile | None,
        on_progress: OnProgress,
    ) -> None:
        systems, key = self._systems, request.key
        if (await observe(systems, key, wanted.domain)).digest != plan.observed:
            raise _stale(key, plan)
        await systems.registry.ensure_environment(key, wanted.domain)
        start = next((step for step in plan.steps if isinstance(step, StartContainer)), None)
        number = start.spec.release if start else found.last_number
        done = PREPARATIONS
        total = PREPARATIONS + len(plan.steps)

        async def on_step(step: Step) -> None:
            nonlocal done
            await on_progress(Progress(done, total, sentence(step)))
            done += 1
            # not sooner: a plan that is stale by its port leaves no failed release behind
            if isinstance(step, StartContainer):
                begun = NewRelease(
                    number,
                    reference_of(request.source),
                    wanted.image.digest,
                    wanted.version,
                    step.spec.slot,
                    request.actor,
                )
                await systems.registry.begin_release(key, begun)

        try:
            await apply(systems, plan, key, number, on_step)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await self._failed(error, key, number, found, env_file, started=start is not None)
            raise
        await on_progress(Progress(total, total, f"{key} is up to date"))

    async def _failed(
        self,
        error: BaseException,
        key: EnvironmentKey,
        number: int,
        found: Observed,
        env_file: EnvFile | None,
        *,
        started: bool,
    ) -> None:
        """Record the end of a release; give the error of an unhealthy one its log and hint."""
        systems = self._systems
        if isinstance(error, DeployFailed):
            values = env_file.values if env_file else frozenset()
            lines = await systems.logs.tail(key, number, LOG_TAIL + KEY_LINES)
            error.log_tail = mask_lines(lines, values)[-LOG_TAIL:]
            before = found.live_release
            stands = (
                f"release {before.number} still serves"
                if before is not None
                else "nothing was left behind"
            )
            subject = f"release {number} of {key} " if isinstance(error, Unhealthy) else ""
            error.message = f"{subject}{error.message}; {stands}"
            read = f"read_logs project={key.project} environment={key.environment} release={number}"
            error.hint = error.hint or missing_capability(key.project, lines) or read
        if started:
            message = mask(str(error.message if isinstance(error, CodebError) else error))
            with contextlib.suppress(CodebError):  # as on a full disk: the first error counts
                await systems.registry.end_release(key, number, ReleaseStatus.FAILED, message)

    async def _result(
        self, request: DeployRequest, wanted: Wanted, plan: Plan, seconds: float
    ) -> DeployView:
        systems, key = self._systems, request.key
        project = await systems.registry.project(key.project)
        environment = environment_of(project, key)
        live = environment.live if environment else None
        return DeployView(
            project=key.project,
            environment=key.environment,
            changed=bool(plan) and not request.dry_run,
            dry_run=request.dry_run,
            url=systems.proxy.url(wanted.domain),
            domain=wanted.domain,
            release=live.number if live else None,
            version=wanted.version if request.dry_run or live is None else live.version,
            image=reference_of(request.source),
            digest=wanted.image.digest,
            slot=live.slot if live else None,
            plan=PlanView.of(plan),
            seconds=round(seconds, 3),
        )


def _stale(key: EnvironmentKey, plan: Plan) -> StalePlan:
    return StalePlan(
        f"{key} is not as it was when the plan was made",
        hint=f"look at the plan again (dry_run) and pass its digest; now it is {plan.digest}",
    )
