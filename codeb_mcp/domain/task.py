"""A command as it is to run beside a release, once or by a schedule."""

from dataclasses import dataclass, field

from codeb_mcp.domain.confinement import Confinement
from codeb_mcp.domain.host import LABEL, ContainerSpec, fingerprint
from codeb_mcp.domain.job import Command, JobName, Schedule
from codeb_mcp.domain.project import EnvironmentKey


@dataclass(frozen=True, slots=True)
class Task:
    """A command that is to run in a container of its own, otherwise as the release does."""

    key: EnvironmentKey
    image_id: str
    command: Command
    env: tuple[tuple[str, str], ...] = ()
    env_file: str | None = None
    confinement: Confinement = field(default_factory=Confinement)
    network: str = ""
    home: str = ""

    @classmethod
    def beside(cls, release: ContainerSpec, command: Command) -> "Task":
        """The command, with the image, variables, volumes and network of `release`."""
        return cls(
            key=release.key,
            image_id=release.image_id,
            command=command,
            env=release.env,
            env_file=release.env_file,
            confinement=release.confinement,
            network=release.network,
            home=release.home,
        )

    @property
    def labels(self) -> dict[str, str]:
        """Whose container it is. Without a slot: no deploy takes it for a release."""
        return {
            f"{LABEL}.managed": "true",
            f"{LABEL}.home": self.home,
            f"{LABEL}.project": self.key.project,
            f"{LABEL}.environment": self.key.environment,
        }


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job as it is to be installed. `log_path` is where its output is appended."""

    task: Task
    name: JobName
    schedule: Schedule
    log_path: str

    @property
    def digest(self) -> str:
        """Changes with anything that the installed job depends on."""
        task = self.task
        return fingerprint(
            [
                task.image_id,
                task.command.words,
                task.env,
                task.env_file,
                task.confinement.document(),
                task.network,
                self.schedule,
                self.log_path,
            ]
        )

    @property
    def labels(self) -> dict[str, str]:
        """How codeb knows its own job again."""
        return {
            **self.task.labels,
            f"{LABEL}.job": self.name,
            f"{LABEL}.spec": self.digest,
        }
