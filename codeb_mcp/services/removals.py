"""Taking an environment down, with everything that was made for it."""

from dataclasses import dataclass
from pathlib import Path

from codeb_mcp.domain.databases import DatabaseId
from codeb_mcp.domain.names import EnvironmentKind, ProjectName
from codeb_mcp.domain.plan import Plan, Step, sentence
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.surroundings import RemoveVolume
from codeb_mcp.errors import InvalidRequest, Refused, StalePlan
from codeb_mcp.planning.records import records_for
from codeb_mcp.planning.removal import plan_removal
from codeb_mcp.services.apply import apply
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.deployments import OnProgress, Progress, ignore_progress
from codeb_mcp.services.observation import domain_of, environment_of, names_of, observe
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import PlanView, ProjectRemovalView, RemovalView

CLOSE_SECONDS = 180.0
"""How long a deploy that is told to stop may take to undo itself."""


@dataclass(frozen=True, slots=True)
class RemovalRequest:
    """What to take down. Nothing is removed without the digest of the plan that says what.

    `volumes` says whether volumes go, with their data; None: those of a preview do.
    """

    key: EnvironmentKey
    actor: str
    plan_digest: str | None = None
    volumes: bool | None = None


class Removals:
    """Removes environments from this host."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def remove(
        self, request: RemovalRequest, on_progress: OnProgress = ignore_progress
    ) -> RemovalView:
        """Say what would be removed; with the digest of that plan, remove it.

        One that was interrupted is finished by the next. The env file stays: nobody else may
        have its secrets. Raises Locked, StalePlan, and InvalidRequest when nothing is there.
        """
        systems, key = self._systems, request.key
        await systems.registry.project(key.project)
        await systems.ready()
        if request.plan_digest is None:
            plan = _something(key, await self._plan(key, request.volumes))
            return await self._view(key, plan, removed=False)
        async with (
            audited(
                systems,
                request.actor,
                "remove_environment",
                project=key.project,
                environment=key.environment,
            ),
            systems.locks.hold(key, request.actor, "remove the environment"),
        ):
            plan = _something(key, await self._plan(key, request.volumes))
            if plan.digest != request.plan_digest:
                raise StalePlan(
                    f"{key} is not as it was when the plan was made",
                    hint=f"look at the plan again; its digest is {plan.digest} now",
                )
            return await self._carry_out(request, plan, on_progress)

    async def close(
        self,
        key: EnvironmentKey,
        actor: str,
        on_progress: OnProgress = ignore_progress,
        volumes: bool | None = None,
    ) -> RemovalView:
        """Remove it whatever it is like, variables too; a deploy of it is stopped first.

        Nothing to remove is fine. Raises Locked when a deploy does not stop in time.
        """
        systems = self._systems
        await systems.registry.project(key.project)
        await systems.ready()
        async with (
            audited(
                systems,
                actor,
                "close_environment",
                project=key.project,
                environment=key.environment,
            ),
            systems.locks.close(key, actor, CLOSE_SECONDS),
        ):
            plan = await self._plan(key, volumes, variables=True)
            request = RemovalRequest(key, actor, volumes=volumes)
            view = await self._carry_out(request, plan, on_progress)
            await systems.logs.remove(key)  # a deploy that was stopped early left their folder
            return view

    async def expire(self, key: EnvironmentKey, actor: str) -> RemovalView | None:
        """Remove it if its time is over: None when a deploy has given it more. Raises Locked."""
        systems = self._systems
        async with systems.locks.hold(key, actor, "remove it: its time is over"):
            found = environment_of(await systems.registry.project(key.project), key)
            if found is None or not found.expired(systems.clock.now()):
                return None
            async with audited(
                systems,
                actor,
                "expire_environment",
                project=key.project,
                environment=key.environment,
            ):
                plan = await self._plan(key, variables=True)
                request = RemovalRequest(key, actor)
                return await self._carry_out(request, plan, ignore_progress)

    async def plan_project(
        self, name: ProjectName, volumes: bool | None = None
    ) -> ProjectRemovalView:
        """What would be removed with a project: each of its environments."""
        project = await self._systems.registry.project(name)
        if project.environments:
            await self._systems.ready()
        views = [
            await self._view(
                each.key, await self._plan(each.key, volumes, variables=True), removed=False
            )
            for each in project.environments
        ]
        return ProjectRemovalView(project=name, removed=False, environments=views)

    async def close_project(
        self,
        name: ProjectName,
        actor: str,
        volumes: bool | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> ProjectRemovalView:
        """Remove a project with all of its environments and variables.

        One that failed half-way is finished by the next. Raises Refused when somebody makes a
        new environment of it meanwhile.
        """
        systems = self._systems
        project = await systems.registry.project(name)
        async with audited(systems, actor, "remove_project", project=name):
            views = [
                await self.close(each.key, actor, on_progress, volumes)
                for each in project.environments
            ]
            await systems.databases.rows.remove_templates(name)
            await systems.upkeep.remove_project(name)
            if views:
                await systems.images.untag(f"localhost/codeb/{name}/build:latest")
        return ProjectRemovalView(project=name, removed=True, environments=views)

    async def _carry_out(
        self, request: RemovalRequest, plan: Plan, on_progress: OnProgress
    ) -> RemovalView:
        key = request.key

        async def on_step(step: Step) -> None:
            done = plan.steps.index(step)
            await on_progress(Progress(done, len(plan.steps), sentence(step)))

        await apply(self._systems, plan, key, 0, on_step)
        # the network is that of its last environment, and two last ones may go at once
        rest = await self._plan(key, request.volumes)
        await apply(self._systems, rest, key, 0, _no_word)
        done = Plan(plan.steps + rest.steps, plan.observed)
        return await self._view(key, done, removed=True)

    async def _plan(
        self, key: EnvironmentKey, volumes: bool | None = None, *, variables: bool = False
    ) -> Plan:
        systems = self._systems
        project = await systems.registry.project(key.project)
        domain = domain_of(project, key, systems.host.base_domain)
        found = await observe(systems, key, domain)
        environment = environment_of(project, key)
        preview = key.environment.kind is EnvironmentKind.PREVIEW
        with_volumes = preview if volumes is None else volumes
        # with its variables an environment goes for good; else somebody may come back to it
        with_databases = with_volumes or variables
        if found.databases and not with_databases:
            raise _holds_databases(key, found.databases)
        return plan_removal(
            domain,
            found,
            tuple(
                record
                for name in names_of(environment, domain)
                for record in records_for(name, systems.host.addresses, systems.host.dns_ttl)
            ),
            registered=environment is not None,
            drain_timeout=systems.host.drain_timeout,
            with_volumes=with_volumes,
            with_databases=with_databases,
            last=all(each.key == key for each in project.environments),
            variables=variables and bool(self._env_file(key)),
        )

    async def _view(self, key: EnvironmentKey, plan: Plan, *, removed: bool) -> RemovalView:
        goes = any(getattr(step, "variables", False) for step in plan.steps)
        going = {step.name for step in plan.steps if isinstance(step, RemoveVolume)}
        volumes = await self._systems.volumes.of(key) - going
        return RemovalView(
            project=key.project,
            environment=key.environment,
            removed=removed,
            plan=PlanView.of(plan),
            kept=[
                *([] if goes else self._env_file(key)),
                *(f"volume {key.volume(name)}" for name in sorted(volumes)),
            ],
        )

    def _env_file(self, key: EnvironmentKey) -> list[str]:
        path = self._systems.secrets.path(key)
        return [path] if Path(path).exists() else []


async def _no_word(_: Step) -> None:
    """What is left over needs no word."""


def _holds_databases(key: EnvironmentKey, databases: tuple[DatabaseId, ...]) -> Refused:
    engines = ", ".join(each.engine.label for each in databases)
    return Refused(
        f"{key} has data in its own {engines}",
        hint=f"remove what is to go (codeb db remove {key.project} --env {key.environment} --type "
        f"{databases[0].engine}), or have it go as well: codeb remove {key.project} --env "
        f"{key.environment} --volumes",
        code="environment_has_databases",
    )


def _something(key: EnvironmentKey, plan: Plan) -> Plan:
    if not plan:
        raise InvalidRequest(
            f"{key} does not exist, and nothing of it is left",
            hint=f"get_status project={key.project} shows what there is",
            code="unknown_environment",
        )
    return plan
