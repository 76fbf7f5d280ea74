"""Steps of a plan about what surrounds a release: its network, its volumes, its jobs."""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from codeb_mcp.domain.confinement import Volume
from codeb_mcp.domain.databases import DatabaseId
from codeb_mcp.domain.job import JobName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.task import JobSpec


@dataclass(frozen=True, slots=True)
class CreateNetwork:
    """Make the network of the environment's project."""

    key: EnvironmentKey


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    """Remove the project's network, unless something is connected to it after all."""

    key: EnvironmentKey


@dataclass(frozen=True, slots=True)
class CreateVolume:
    """Make a volume of the environment's."""

    key: EnvironmentKey
    volume: Volume


@dataclass(frozen=True, slots=True)
class RemoveVolume:
    """Remove a volume of the environment's, with the data in it."""

    key: EnvironmentKey
    name: str


@dataclass(frozen=True, slots=True)
class InstallJob:
    """Have a job run by its schedule, as the live release does."""

    spec: JobSpec


@dataclass(frozen=True, slots=True)
class RemoveJob:
    """Run a job no more."""

    key: EnvironmentKey
    name: JobName


@dataclass(frozen=True, slots=True)
class RemoveDatabase:
    """Remove a database of the environment's, with the data in it, after a last backup."""

    database: DatabaseId


Surrounding: TypeAlias = (
    CreateNetwork
    | RemoveNetwork
    | CreateVolume
    | RemoveVolume
    | InstallJob
    | RemoveJob
    | RemoveDatabase
)


def surrounding_sentence(step: Surrounding) -> str:
    """The step as a person would say it."""
    match step:
        case CreateNetwork(key):
            return f"make the network {key.network}, which only {key.project} is connected to"
        case RemoveNetwork(key):
            return f"remove the network {key.network}"
        case CreateVolume(key, volume):
            return f"make the volume {key.volume(volume.name)} for {volume.path} of {key}"
        case RemoveVolume(key, name):
            return f"remove the volume {key.volume(name)} with all the data in it"
        case RemoveDatabase(database):
            return f"remove the {database.engine.label} of {database.key} with all the data in it"
        case InstallJob(spec):
            return f"run the job {spec.name} of {spec.task.key} at {spec.schedule}"
        case RemoveJob(key, name):
            return f"run the job {name} of {key} no more"
        case _:
            assert_never(step)
