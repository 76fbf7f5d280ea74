"""What surrounds a release, decided as data: its project's network, its volumes, its jobs."""

from collections.abc import Iterator, Mapping, Sequence

from codeb_mcp.domain.host import ContainerSpec, Observed, Wanted
from codeb_mcp.domain.job import Job, JobName
from codeb_mcp.domain.plan import Step
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.surroundings import (
    CreateNetwork,
    CreateVolume,
    InstallJob,
    RemoveDatabase,
    RemoveJob,
    RemoveNetwork,
    RemoveVolume,
)
from codeb_mcp.domain.task import JobSpec, Task


def surroundings(wanted: Wanted, found: Observed) -> Iterator[Step]:
    """What has to be there before a release starts. A volume is never taken away by a deploy."""
    if not found.network:
        yield CreateNetwork(wanted.key)
    for volume in wanted.confinement.volumes:
        if volume.name not in found.volumes:
            yield CreateVolume(wanted.key, volume)


def job_specs(release: ContainerSpec, jobs: Sequence[Job], log_folder: str) -> list[JobSpec]:
    """The jobs as they run beside `release`."""
    return [
        JobSpec(
            task=Task.beside(release, job.command),
            name=job.name,
            schedule=job.schedule,
            log_path=f"{log_folder}/job-{job.name}.log",
        )
        for job in jobs
    ]


def job_steps(
    key: EnvironmentKey, specs: Sequence[JobSpec], installed: Mapping[str, str]
) -> Iterator[Step]:
    """From the jobs that are installed, each with its digest, to those of `specs`."""
    for spec in specs:
        if installed.get(spec.name) != spec.digest:
            yield InstallJob(spec)
    for name in sorted(installed.keys() - {spec.name for spec in specs}):
        yield RemoveJob(key, JobName(name))


def jobs_end(found: Observed) -> Iterator[Step]:
    """The end of an environment's jobs."""
    return (RemoveJob(found.key, JobName(name)) for name in sorted(found.jobs))


def surroundings_end(
    found: Observed, *, with_volumes: bool, with_databases: bool, last: bool
) -> Iterator[Step]:
    """The end of the rest; the network's with the `last` environment of the project."""
    if with_databases:
        yield from (RemoveDatabase(each) for each in found.databases)
    if with_volumes:
        yield from (RemoveVolume(found.key, name) for name in sorted(found.volumes))
    if last and found.network:
        yield RemoveNetwork(found.key)
