"""The images and the runtime in memory keep the contracts that the real ones keep."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from codeb_mcp.domain.names import ImageReference
from tests.contracts.images import ImagesContract
from tests.contracts.runtime import RuntimeContract
from tests.contracts.surroundings import NetworksContract, Surroundings, VolumesContract
from tests.fakes.containers import Application, FakeImages, FakeRuntime
from tests.fakes.surroundings import FakeNetworks, FakeVolumes


@dataclass
class FakeHost:
    """A host in memory."""

    folder: Path
    images: FakeImages = field(default_factory=FakeImages)
    next_port: int = 3100

    def __post_init__(self) -> None:
        self.runtime = FakeRuntime(self.images)

    async def image(self, application: Application) -> ImageReference:
        name = f"localhost/contract-{application}"
        if name not in self.images.known:
            self.images.add(name, application)
        return ImageReference(name)

    async def status(self, port: int) -> int | None:
        return (await self.runtime.probe.get(port, "/", 1)).status

    def free_port(self) -> int:
        self.next_port += 1
        return self.next_port

    def take_port(self, port: int) -> None:
        self.runtime.probe.taken.add(port)

    async def add_stranger(self, name: str) -> None:
        self.runtime.foreign.add(name)

    async def has_stranger(self, name: str) -> bool:
        return name in self.runtime.foreign

    def log_folder(self) -> Path:
        return self.folder


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    """Nothing on it."""
    return FakeHost(tmp_path)


@dataclass
class FakeStrangers:
    """Makes what is not codeb's."""

    networks: FakeNetworks
    volumes: FakeVolumes

    async def network(self, name: str) -> None:
        self.networks.foreign.add(name)

    async def volume(self, name: str) -> None:
        self.volumes.foreign.add(name)


@pytest.fixture
def surroundings(host: FakeHost) -> Surroundings:
    """Networks and volumes in memory."""
    networks, volumes = FakeNetworks(host.runtime), FakeVolumes(host.runtime)
    return Surroundings(host, networks, volumes, FakeStrangers(networks, volumes))


class TestFakeNetworks(NetworksContract):
    """`FakeNetworks`."""


class TestFakeVolumes(VolumesContract):
    """`FakeVolumes`."""


class TestFakeRuntime(RuntimeContract):
    """`FakeRuntime`."""


class TestFakeImages(ImagesContract):
    """`FakeImages`."""
