"""Commands in a container beside the live release: once (`codeb run`), or by a schedule."""

from collections.abc import Callable

from codeb_mcp.domain.host import ContainerSpec
from codeb_mcp.domain.job import Command, Job, JobName
from codeb_mcp.domain.masking import mask
from codeb_mcp.domain.names import ImageReference
from codeb_mcp.domain.plan import Plan
from codeb_mcp.domain.project import Environment, EnvironmentKey, Project, Slot
from codeb_mcp.domain.task import Task
from codeb_mcp.errors import InvalidRequest, Refused
from codeb_mcp.planning.isolation import job_specs, job_steps
from codeb_mcp.services.apply import apply
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.observation import environment_of
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import JobsView, JobView


class Tasks:
    """One-off commands and scheduled jobs of this host's environments.

    `new_id` gives random hex digits.
    """

    def __init__(self, systems: Systems, new_id: Callable[[], str]) -> None:
        self._systems = systems
        self._new_id = new_id

    async def run(self, key: EnvironmentKey, actor: str, command: Command) -> int:
        """Run a command on this terminal, as the live release would; gives its exit code.

        It has the release's image and the environment's present variables, volumes and network.
        Raises InvalidRequest when nothing is live, Refused when the live image is gone.
        """
        systems = self._systems
        project = await systems.registry.project(key.project)
        secrets = systems.secrets.read(key)
        shown = mask(str(command), secrets.values if secrets else frozenset())
        async with audited(
            systems, actor, "run", project=key.project, environment=key.environment, command=shown
        ):
            await systems.ready()
            release = await self._release(project, key)
            await systems.networks.create(key)
            for volume in release.confinement.volumes:
                await systems.volumes.create(key, volume)
            name = f"codeb-{key.slug}-run-{self._new_id()}"
            return await systems.terminal.run(Task.beside(release, command), name)

    async def add_job(self, key: EnvironmentKey, actor: str, job: Job) -> JobsView:
        """Run a command by a schedule, beside whichever release is live, from now on.

        A job of that name is replaced. Raises Refused where nothing keeps time.
        """
        systems = self._systems
        async with (
            audited(
                systems,
                actor,
                "add_job",
                project=key.project,
                environment=key.environment,
                job=job.name,
                schedule=job.schedule,
            ),
        ):
            await self._environment(key)
            await systems.jobs.check(job.schedule)
            async with systems.locks.hold(key, actor, f"add the job {job.name}"):
                await systems.registry.put_job(key, job)
                await self._install(key)
        return await self.jobs(key)

    async def remove_job(self, key: EnvironmentKey, actor: str, name: JobName) -> JobsView:
        """Run a job no more; InvalidRequest when there is none of that name."""
        systems = self._systems
        async with audited(
            systems, actor, "remove_job", project=key.project, environment=key.environment, job=name
        ):
            await self._job(key, name)
            async with systems.locks.hold(key, actor, f"remove the job {name}"):
                await systems.registry.remove_job(key, name)
                await self._install(key)
        return await self.jobs(key)

    async def run_job(self, key: EnvironmentKey, actor: str, name: JobName) -> JobView:
        """Run a job now, in the way that its timer does, and wait until it has ended."""
        systems = self._systems
        async with audited(
            systems, actor, "run_job", project=key.project, environment=key.environment, job=name
        ):
            job = await self._job(key, name)
            if name not in await systems.jobs.installed(key):
                raise _nothing_live(key)
            state = await systems.jobs.run(key, name)
        return JobView.of(job, state)

    async def jobs(self, key: EnvironmentKey) -> JobsView:
        """The environment's jobs, and how each stands."""
        systems = self._systems
        environment = await self._environment(key)
        installed = await systems.jobs.installed(key) if environment.jobs else {}
        return JobsView(
            project=key.project,
            environment=key.environment,
            jobs=[
                JobView.of(
                    job, await systems.jobs.state(key, job.name) if job.name in installed else None
                )
                for job in environment.jobs
            ],
        )

    async def _install(self, key: EnvironmentKey) -> None:
        """Bring the installed jobs to what the registry says; without a live release, none."""
        systems = self._systems
        environment = await self._environment(key)
        installed = await systems.jobs.installed(key)
        specs = []
        if systems.jobs.supported and environment.live is not None and environment.jobs:
            project = await systems.registry.project(key.project)
            release = await self._release(project, key)
            specs = job_specs(release, environment.jobs, systems.logs.folder(key))
        plan = Plan(tuple(job_steps(key, specs, installed)), observed="")
        await apply(systems, plan, key, environment.live.number if environment.live else 0, _quiet)

    async def _release(self, project: Project, key: EnvironmentKey) -> ContainerSpec:
        """The live release, as the next deploy of its image would start it."""
        systems, config = self._systems, project.config
        environment = environment_of(project, key)
        live = environment.live if environment else None
        if live is None:
            raise _nothing_live(key)
        tags = await systems.images.release_tags(key)
        if live.number not in tags:
            raise Refused(
                f"the image of release {live.number}, which is live in {key}, is gone",
                hint=f"deploy {live.image} again",
                code="image_gone",
            )
        image = await systems.images.pull(ImageReference(tags[live.number]))
        secrets = systems.secrets.read(key)
        port = config.port or image.port
        return ContainerSpec(
            key=key,
            slot=Slot(live.slot),
            release=live.number,
            image=tags[live.number],
            image_id=image.id,
            host_port=0,
            container_port=port,
            env=(("PORT", str(port)),),
            env_file=secrets.path if secrets else None,
            home=systems.host.home,
            confinement=config.confinement,
            network=key.network,
        )

    async def _environment(self, key: EnvironmentKey) -> Environment:
        project = await self._systems.registry.project(key.project)
        environment = environment_of(project, key)
        if environment is None:
            raise InvalidRequest(
                f"{key.project} has no environment {key.environment}",
                hint=f"deploy project={key.project} environment={key.environment} first",
                code="unknown_environment",
            )
        return environment

    async def _job(self, key: EnvironmentKey, name: JobName) -> Job:
        jobs = (await self._environment(key)).jobs
        for job in jobs:
            if job.name == name:
                return job
        raise InvalidRequest(
            f"{key} has no job {name}",
            hint=f"its jobs: {', '.join(job.name for job in jobs) or 'none'}",
            code="unknown_job",
        )


async def _quiet(_: object) -> None:
    """The few steps of a job are told by its result."""


def _nothing_live(key: EnvironmentKey) -> InvalidRequest:
    return InvalidRequest(
        f"nothing is live in {key}, so there is no image to run a command in",
        hint=f"deploy project={key.project} environment={key.environment} first",
        code="nothing_live",
    )
