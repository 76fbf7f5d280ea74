"""Taking an environment down, with everything that was made for it."""

from dataclasses import dataclass
from pathlib import Path

from codeb_mcp.domain.names import EnvironmentKind
from codeb_mcp.domain.plan import Plan, Step, sentence
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.surroundings import RemoveVolume
from codeb_mcp.errors import InvalidRequest, StalePlan
from codeb_mcp.planning.records import records_for
from codeb_mcp.planning.removal import plan_removal
from codeb_mcp.services.apply import apply
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.deployments import OnProgress, Progress, ignore_progress
from codeb_mcp.services.observation import domain_of, environment_of, names_of, observe
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import PlanView, RemovalView


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
            return await self._view(key, await self._plan(request), removed=False)
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
            plan = await self._plan(request)
            if plan.digest != request.plan_digest:
                raise StalePlan(
                    f"{key} is not as it was when the plan was made",
                    hint=f"look at the plan again; its digest is {plan.digest} now",
                )

            async def on_step(step: Step) -> None:
                done = plan.steps.index(step)
                await on_progress(Progress(done, len(plan.steps), sentence(step)))

            await apply(systems, plan, key, 0, on_step)
        return await self._view(key, plan, removed=True)

    async def _plan(self, request: RemovalRequest) -> Plan:
        systems, key = self._systems, request.key
        preview = key.environment.kind is EnvironmentKind.PREVIEW
        project = await systems.registry.project(key.project)
        domain = domain_of(project, key, systems.host.base_domain)
        found = await observe(systems, key, domain)
        environment = environment_of(project, key)
        plan = plan_removal(
            domain,
            found,
            tuple(
                record
                for name in names_of(environment, domain)
                for record in records_for(name, systems.host.addresses, systems.host.dns_ttl)
            ),
            registered=environment is not None,
            drain_timeout=systems.host.drain_timeout,
            with_volumes=preview if request.volumes is None else request.volumes,
            last=all(each.key == key for each in project.environments),
        )
        if not plan:
            raise InvalidRequest(
                f"{key} does not exist, and nothing of it is left",
                hint=f"get_status project={key.project} shows what there is",
                code="unknown_environment",
            )
        return plan

    async def _view(self, key: EnvironmentKey, plan: Plan, *, removed: bool) -> RemovalView:
        env_file = self._systems.secrets.path(key)
        going = {step.name for step in plan.steps if isinstance(step, RemoveVolume)}
        volumes = await self._systems.volumes.of(key) - going
        return RemovalView(
            project=key.project,
            environment=key.environment,
            removed=removed,
            plan=PlanView.of(plan),
            kept=[
                *_if_there(env_file),
                *(f"volume {key.volume(name)}" for name in sorted(volumes)),
            ],
        )


def _if_there(path: str) -> list[str]:
    return [path] if Path(path).exists() else []
