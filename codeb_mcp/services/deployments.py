"""The way of a deploy: observe, plan, apply, verify, record."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import anyio

from codeb_mcp.domain.host import (
    EnvFile,
    Observed,
    ResolvedImage,
    Wanted,
    fingerprint,
)
from codeb_mcp.domain.job import Job
from codeb_mcp.domain.lifetime import IdempotencyKey, Lifetime
from codeb_mcp.domain.masking import mask, mask_lines
from codeb_mcp.domain.names import VersionTag
from codeb_mcp.domain.plan import Plan, RecordRelease, StartContainer, Step, sentence
from codeb_mcp.domain.project import EnvironmentKey, Project, command_words
from codeb_mcp.domain.release import NewRelease, Release
from codeb_mcp.errors import DeployFailed, InvalidRequest, StalePlan
from codeb_mcp.planning.deploy import plan_deploy
from codeb_mcp.planning.records import records_for
from codeb_mcp.services.apply import apply
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.closing import unless_closed
from codeb_mcp.services.failing import record_failure
from codeb_mcp.services.idempotency import once
from codeb_mcp.services.lifetimes import end_of, preview_limit
from codeb_mcp.services.observation import domain_of, environment_of, observe
from codeb_mcp.services.pointing import served_domains
from codeb_mcp.services.preview_databases import give_databases
from codeb_mcp.services.progress import OnProgress, Progress, ignore_progress
from codeb_mcp.services.sources import (
    Earlier,
    Source,
    described,
    reference_of,
    resolve,
    rollback_target,
    standing_by,
    version_of,
)
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import DeployView, PlanView

__all__ = [
    "DeployRequest",
    "Deployments",
    "OnProgress",
    "Progress",
    "RollbackRequest",
    "ignore_progress",
]

# First deploys of many environments at once all want the lowest free port, and one gets it.
REPLANS = 20
RECALL_SECONDS = 3.0
PREPARATIONS = 2


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What to put where: an image, a folder with a Containerfile, or an earlier release.

    With `plan_digest` only the plan of that digest is carried out, else StalePlan. `ttl` is how
    long a preview lives from now, `wait` for how many seconds another change is waited for.
    """

    key: EnvironmentKey
    source: Source | Earlier
    actor: str
    version: VersionTag | None = None
    dry_run: bool = False
    plan_digest: str | None = None
    ttl: Lifetime | None = None
    wait: float = 0.0
    idempotency_key: IdempotencyKey | None = None

    @property
    def fingerprint(self) -> str:
        """Stands for what is asked for: equal for two calls that ask for the same."""
        source = self.source if isinstance(self.source, Earlier) else str(self.source)
        kind = type(self.source).__name__
        ttl = str(self.ttl.length) if self.ttl else None
        asked = [str(self.key), kind, str(source), self.version, self.plan_digest, ttl]
        return fingerprint(asked)


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """Where to go back, and to what: a release's number, its version, or None, the one before."""

    key: EnvironmentKey
    actor: str
    to: str | None = None
    dry_run: bool = False
    plan_digest: str | None = None
    wait: float = 0.0
    idempotency_key: IdempotencyKey | None = None


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
        return await once(
            self._systems,
            request.idempotency_key,
            request.fingerprint,
            DeployView,
            lambda: self._deploy_alone(request, on_progress),
        )

    async def _deploy_alone(self, request: DeployRequest, on_progress: OnProgress) -> DeployView:
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
            return await unless_closed(
                self._systems, key, lambda: self._deploy(request, on_progress)
            )

    @contextlib.asynccontextmanager
    async def _locked(self, request: DeployRequest) -> AsyncIterator[None]:
        """The environment's lock. A name that is no project's gets no lock file."""
        systems, key = self._systems, request.key
        await systems.registry.project(key.project)
        purpose = f"deploy {described(request.source)}"
        async with contextlib.AsyncExitStack() as held:
            if await standing_by(systems, key, request.source):
                async with systems.locks.recall(key):
                    wait = max(request.wait, RECALL_SECONDS)
                    await held.enter_async_context(
                        systems.locks.hold(key, request.actor, purpose, wait)
                    )
            else:
                await held.enter_async_context(
                    systems.locks.hold(key, request.actor, purpose, request.wait)
                )
            yield

    async def rollback(
        self,
        request: RollbackRequest,
        on_progress: OnProgress = ignore_progress,
    ) -> DeployView:
        """Put an earlier release back: at once where its slot still runs, else from its image.

        From the image it becomes a new release, in the way of any deploy. Raises InvalidRequest
        when there is no such release, Refused when its image is gone.
        """
        deploy = DeployRequest(
            key=request.key,
            source=Earlier(request.to),
            actor=request.actor,
            dry_run=request.dry_run,
            plan_digest=request.plan_digest,
            wait=request.wait,
            idempotency_key=request.idempotency_key,
        )
        return await self.deploy(deploy, on_progress)

    async def _deploy(self, request: DeployRequest, on_progress: OnProgress) -> DeployView:
        begin = self._systems.clock.monotonic()
        project = await self._systems.registry.project(request.key.project)
        expires_at = end_of(self._systems, project, request.key, request.ttl)
        await self._systems.ready()
        if not request.dry_run:
            await give_databases(self._systems, request.key, request.actor, on_progress)
        env_file = self.env_file(project, request.key)
        source = request.source
        if isinstance(source, Earlier):
            source = await rollback_target(self._systems, request.key, source.to)
        image = await self._resolve(request.key, source, env_file, on_progress)
        wanted = await self.wanted(project, request, source, image, env_file)
        await on_progress(Progress(1, PREPARATIONS, f"look at {request.key} as it is"))
        for replans_left in reversed(range(REPLANS)):
            found = await observe(self._systems, request.key, wanted.domain)
            plan = plan_deploy(wanted, found, self._systems.markers.folder())
            if request.plan_digest not in (None, plan.digest):
                raise _stale(request.key, plan)
            if request.dry_run:
                break
            try:
                await self._systems.registry.ensure_environment(
                    request.key,
                    wanted.domain,
                    expires_at=expires_at,
                    preview_limit=preview_limit(self._systems, request.key),
                )
                if plan:
                    await self._carry_out(
                        request.actor, source, wanted, found, plan, env_file, on_progress
                    )
                break
            except StalePlan:
                if request.plan_digest is not None or not replans_left:
                    raise
        seconds = self._systems.clock.monotonic() - begin
        return await self._result(request, source, wanted, plan, seconds)

    async def _resolve(
        self,
        key: EnvironmentKey,
        source: Source,
        env_file: EnvFile | None,
        on_progress: OnProgress,
    ) -> ResolvedImage:
        """The image; what a build says of secrets is masked."""
        values = env_file.values if env_file else frozenset()
        fetching = Progress(0, PREPARATIONS, f"fetch or build {described(source)}")

        async def told(detail: str) -> None:
            await on_progress(replace(fetching, detail=mask(detail, values)))

        await on_progress(fetching)
        try:
            return await resolve(self._systems, key, source, told)
        except DeployFailed as error:
            error.message = mask(error.message, values)
            error.log_tail = mask_lines(error.log_tail, values)
            raise

    def env_file(self, project: Project, key: EnvironmentKey) -> EnvFile | None:
        """The environment's variables. InvalidRequest when one that is required has no value."""
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

    async def wanted(
        self,
        project: Project,
        request: DeployRequest,
        source: Source,
        image: ResolvedImage,
        env_file: EnvFile | None,
    ) -> Wanted:
        """What the request asks for, with everything in it resolved."""
        host, config = self._systems.host, project.config
        domain = domain_of(project, request.key, host.base_domain)
        return Wanted(
            key=request.key,
            domain=domain,
            image=image,
            version=request.version or version_of(source, image),
            back_to=source.number if isinstance(source, Release) else None,
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
            aliases=await served_domains(self._systems, environment_of(project, request.key)),
        )

    def _jobs(self, project: Project, key: EnvironmentKey) -> tuple[Job, ...]:
        environment = environment_of(project, key)
        return environment.jobs if environment and self._systems.jobs.supported else ()

    async def _carry_out(
        self,
        actor: str,
        source: Source,
        wanted: Wanted,
        found: Observed,
        plan: Plan,
        env_file: EnvFile | None,
        on_progress: OnProgress,
    ) -> None:
        systems, key = self._systems, wanted.key
        if (await observe(systems, key, wanted.domain)).digest != plan.observed:
            raise _stale(key, plan)
        start = next((step for step in plan.steps if isinstance(step, StartContainer)), None)
        made_live = (step.release for step in plan.steps if isinstance(step, RecordRelease))
        number = next(made_live, found.last_number)
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
                    reference_of(source),
                    wanted.image.digest,
                    wanted.version,
                    step.spec.slot,
                    actor,
                )
                await systems.registry.begin_release(key, begun)

        try:
            await apply(systems, plan, key, number, on_step)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await record_failure(
                    systems, error, key, number, found, env_file, started=start is not None
                )
            raise
        await on_progress(Progress(total, total, f"{key} is up to date"))

    async def _result(
        self,
        request: DeployRequest,
        source: Source,
        wanted: Wanted,
        plan: Plan,
        seconds: float,
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
            image=reference_of(source),
            digest=wanted.image.digest,
            slot=live.slot if live else None,
            plan=PlanView.of(plan),
            seconds=round(seconds, 3),
            expires_at=environment.expires_at if environment else None,
        )


def _stale(key: EnvironmentKey, plan: Plan) -> StalePlan:
    return StalePlan(
        f"{key} is not as it was when the plan was made",
        hint=f"look at the plan again (dry_run) and pass its digest; now it is {plan.digest}",
    )
