"""Networks, volumes, jobs and a terminal in memory."""

from dataclasses import dataclass, field

from codeb_mcp.domain.confinement import Volume
from codeb_mcp.domain.job import JobName, JobState, Schedule, invalid_schedule
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.task import JobSpec, Task
from codeb_mcp.errors import HostNotReady, Refused, SystemFailed
from tests.fakes.containers import FakeImages, FakeRuntime


@dataclass
class FakeNetworks:
    """Networks by name. `foreign` are those that are not codeb's."""

    runtime: FakeRuntime
    names: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)

    async def exists(self, key: EnvironmentKey) -> bool:
        _require_up(self.runtime.images)
        if key.network in self.foreign:
            raise Refused(f"network {key.network} is not codeb's", code="foreign_network")
        return key.network in self.names

    async def create(self, key: EnvironmentKey) -> None:
        if not await self.exists(key):
            self.names.add(key.network)

    async def remove(self, key: EnvironmentKey) -> None:
        connected = any(spec.network == key.network for spec in self.runtime.specs.values())
        if await self.exists(key) and not connected:
            self.names.remove(key.network)


@dataclass
class FakeVolumes:
    """Volumes by Podman's name, each with its owner."""

    runtime: FakeRuntime
    owners: dict[str, EnvironmentKey] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)

    async def of(self, key: EnvironmentKey) -> frozenset[str]:
        _require_up(self.runtime.images)
        mine = [name for name, owner in self.owners.items() if owner == key]
        return frozenset(name.removeprefix(key.volume("")) for name in mine)

    async def create(self, key: EnvironmentKey, volume: Volume) -> None:
        _require_up(self.runtime.images)
        self._require_ours(key.volume(volume.name))
        self.owners.setdefault(key.volume(volume.name), key)

    async def remove(self, key: EnvironmentKey, name: str) -> None:
        _require_up(self.runtime.images)
        self._require_ours(key.volume(name))
        for spec in self.runtime.specs.values():
            if spec.key == key and any(name == each.name for each in spec.confinement.volumes):
                raise SystemFailed(f"{key.volume(name)} is in use", code="volume_in_use")
        self.owners.pop(key.volume(name), None)

    def _require_ours(self, name: str) -> None:
        if name in self.foreign:
            raise Refused(f"volume {name} is not codeb's", code="foreign_volume")


@dataclass
class FakeJobs:
    """Jobs by the name of their unit. `bad` are schedules that systemd would refuse."""

    specs: dict[str, JobSpec] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)
    supported: bool = True

    async def installed(self, key: EnvironmentKey) -> dict[str, str]:
        return {spec.name: spec.digest for spec in self.specs.values() if spec.task.key == key}

    async def check(self, schedule: Schedule) -> str:
        if schedule in self.bad:
            raise invalid_schedule(schedule, "it is not one")
        return "Thu 2026-01-01 03:00:00 UTC"

    async def install(self, spec: JobSpec) -> None:
        self.specs[spec.task.key.job(spec.name)] = spec

    async def remove(self, key: EnvironmentKey, name: JobName) -> None:
        self.specs.pop(key.job(name), None)

    async def state(self, key: EnvironmentKey, name: JobName) -> JobState:
        ran = key.job(name) in self.ran
        return JobState("soon", "now" if ran else "", "success" if ran else "", 0 if ran else None)

    async def run(self, key: EnvironmentKey, name: JobName) -> JobState:
        self.ran.append(key.job(name))
        return await self.state(key, name)


@dataclass
class FakeTerminal:
    """Writes down what it was to run; every command ends with `code`."""

    code: int = 0
    ran: list[tuple[Task, str]] = field(default_factory=list)

    async def run(self, task: Task, name: str) -> int:
        self.ran.append((task, name))
        return self.code


def _require_up(images: FakeImages) -> None:
    if images.down:
        raise HostNotReady("Podman does not answer", hint="start it", code="podman_down")
