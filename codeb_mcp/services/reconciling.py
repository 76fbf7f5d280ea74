"""Putting an environment back to what the registry says, without a new release."""

from dataclasses import dataclass

from codeb_mcp.domain.host import EnvFile, Observed, ResolvedImage
from codeb_mcp.domain.masking import KEY_LINES, mask_lines
from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.plan import Plan, Step, sentence
from codeb_mcp.domain.project import Environment, EnvironmentKey, Project
from codeb_mcp.domain.release import Release
from codeb_mcp.errors import CodebError, DeployFailed, InvalidRequest, Refused, StalePlan
from codeb_mcp.planning.drift import is_release
from codeb_mcp.planning.reconcile import plan_leftovers, plan_reconcile
from codeb_mcp.services.apply import apply
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.closing import unless_closed
from codeb_mcp.services.deployments import (
    Deployments,
    DeployRequest,
    OnProgress,
    Progress,
    ignore_progress,
)
from codeb_mcp.services.drifting import drift
from codeb_mcp.services.failing import LOG_TAIL
from codeb_mcp.services.observation import domain_of, environment_of, observe
from codeb_mcp.services.sources import kept_image
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import DriftView, PlanView, ReconciledView, ReconcileView

REPLANS = 3


@dataclass(frozen=True, slots=True)
class ReconcileRequest:
    """A project, or only one of its environments. `wait` as for a deploy."""

    project: ProjectName
    actor: str
    environment: EnvironmentName | None = None
    dry_run: bool = False
    wait: float = 0.0


class Reconciliation:
    """Mends what differs from the registry."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems
        self._deployments = Deployments(systems)

    async def reconcile(
        self, request: ReconcileRequest, on_progress: OnProgress = ignore_progress
    ) -> ReconcileView:
        """Mend each environment; with `dry_run`, say how. One that fails does not keep others."""
        project = await self._systems.registry.project(request.project)
        chosen = [
            each
            for each in project.environments
            if request.environment in (None, each.key.environment)
        ]
        if request.environment is not None and not chosen:
            raise InvalidRequest(
                f"{request.project} has no environment {request.environment}",
                hint=f"deploy project={request.project} environment={request.environment}",
                code="unknown_environment",
            )
        if chosen:
            await self._systems.ready()
        views = [await self._one(request, each, on_progress) for each in chosen]
        return ReconcileView(project=request.project, dry_run=request.dry_run, environments=views)

    async def _one(
        self, request: ReconcileRequest, environment: Environment, on_progress: OnProgress
    ) -> ReconciledView:
        systems, key = self._systems, environment.key
        differs = await drift(systems, environment)
        plan, error = Plan((), ""), None
        try:
            if request.dry_run:
                plan, _ = await self._plan(key, request.actor)
            else:
                async with (
                    audited(
                        systems,
                        request.actor,
                        "reconcile",
                        project=key.project,
                        environment=key.environment,
                    ),
                    systems.locks.hold(key, request.actor, "reconcile", request.wait),
                ):
                    plan = await unless_closed(
                        systems, key, lambda: self._mend(key, request.actor, on_progress)
                    )
        except CodebError as caught:
            error = caught
        return ReconciledView(
            environment=key.environment,
            differed=DriftView.of(differs),
            changed=bool(plan) and not request.dry_run and error is None,
            plan=PlanView.of(plan),
            error=str(error) if error else "",
            error_code=error.code if error else "",
            exit_code=error.exit_code if error else 0,
        )

    async def _mend(self, key: EnvironmentKey, actor: str, on_progress: OnProgress) -> Plan:
        for left in reversed(range(REPLANS)):
            plan, env_file = await self._plan(key, actor)
            try:
                await self._carry_out(key, plan, env_file, on_progress)
            except StalePlan:  # the port that it would have was taken meanwhile
                if not left:
                    raise
            else:
                break
        return plan

    async def _carry_out(
        self, key: EnvironmentKey, plan: Plan, env_file: EnvFile | None, on_progress: OnProgress
    ) -> None:
        systems = self._systems
        project = await systems.registry.project(key.project)
        found = environment_of(project, key)
        number = found.live.number if found and found.live else 0

        async def on_step(step: Step) -> None:
            done = plan.steps.index(step)
            await on_progress(Progress(done, len(plan.steps), sentence(step)))

        try:
            await apply(systems, plan, key, number, on_step)
        except DeployFailed as error:
            values = env_file.values if env_file else frozenset()
            lines = await systems.logs.tail(key, number, LOG_TAIL + KEY_LINES)
            error.log_tail = mask_lines(lines, values)[-LOG_TAIL:]
            error.message = f"release {number} of {key} {error.message}"
            raise

    async def _plan(self, key: EnvironmentKey, actor: str) -> tuple[Plan, EnvFile | None]:
        systems = self._systems
        project = await systems.registry.project(key.project)
        domain = domain_of(project, key, systems.host.base_domain)
        found = await observe(systems, key, domain)
        live = found.live_release
        if live is None:
            return plan_leftovers(found, domain, systems.host.keep_images), None
        return await self._plan_of(project, live, found, actor)

    async def _plan_of(
        self, project: Project, live: Release, found: Observed, actor: str
    ) -> tuple[Plan, EnvFile | None]:
        key, deployments = found.key, self._deployments
        env_file = deployments.env_file(project, key)
        image = await self._image(live, found)
        request = DeployRequest(key=key, source=live, actor=actor)
        wanted = await deployments.wanted(project, request, live, image, env_file)
        folder = self._systems.markers.folder()
        return plan_reconcile(wanted, live, found, folder), env_file

    async def _image(self, live: Release, found: Observed) -> ResolvedImage:
        """The live release's image: as it is kept, or as its container has it, or pulled again."""
        images = self._systems.images
        try:
            return await kept_image(self._systems, found.key, live)
        except Refused:
            for seen in found.containers.values():
                image = await images.find(seen.image_id) if is_release(seen, live, None) else None
                if image is not None:
                    return image
            if live.image.startswith(("/", "localhost/")) or not live.digest:
                raise
        name = live.image.partition("@")[0]
        folder, slash, last = name.rpartition("/")
        bare = f"{folder}{slash}{last.partition(':')[0]}"
        return await images.pull(ImageReference(f"{bare}@{live.digest}"))
