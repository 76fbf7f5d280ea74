"""What Networks and Volumes do. Inherit the contracts and give a `surroundings` fixture."""

from dataclasses import dataclass
from typing import Protocol

from codeb_mcp.domain.confinement import Confinement, Volume
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import Refused, SystemFailed
from codeb_mcp.services.systems import Networks, Volumes
from tests.contracts.container_host import ContainerHost, spec_for
from tests.outcomes import fails_with

# names that nothing else on a shared host has: rootful Podman keeps all networks in one place
ISLE = EnvironmentKey(ProjectName("contract-isle"), EnvironmentName("staging"))
ISLE_PREVIEW = EnvironmentKey(ISLE.project, EnvironmentName("pr-1"))
SHORE = EnvironmentKey(ProjectName("contract-shore"), EnvironmentName("staging"))
DATA = Volume.parse("data:/data")


class Strangers(Protocol):
    """Makes what is not codeb's."""

    async def network(self, name: str) -> None:
        """A network of that name."""

    async def volume(self, name: str) -> None:
        """A volume of that name."""


@dataclass(frozen=True)
class Surroundings:
    """The systems under test, and the host that they are of."""

    host: ContainerHost
    networks: Networks
    volumes: Volumes
    strangers: Strangers


class NetworksContract:
    """One network per project."""

    async def test_a_network_is_made_once_and_found_by_every_environment_of_the_project(
        self, surroundings: Surroundings
    ) -> None:
        networks = surroundings.networks
        assert not await networks.exists(ISLE)
        await networks.create(ISLE)
        await networks.create(ISLE_PREVIEW)
        assert await networks.exists(ISLE)
        assert await networks.exists(ISLE_PREVIEW)
        assert not await networks.exists(SHORE)

    async def test_a_removed_network_is_gone_and_removing_it_again_is_fine(
        self, surroundings: Surroundings
    ) -> None:
        await surroundings.networks.create(ISLE)
        await surroundings.networks.remove(ISLE)
        assert not await surroundings.networks.exists(ISLE)
        await surroundings.networks.remove(ISLE)

    async def test_a_network_that_a_release_is_connected_to_is_left_alone(
        self, surroundings: Surroundings
    ) -> None:
        await surroundings.networks.create(ISLE)
        spec = await spec_for(surroundings.host, ISLE, network=ISLE.network)
        await surroundings.host.runtime.start(spec)
        await surroundings.networks.remove(ISLE)
        assert await surroundings.networks.exists(ISLE)

    async def test_a_network_that_is_not_ours_is_neither_used_nor_removed(
        self, surroundings: Surroundings
    ) -> None:
        await surroundings.strangers.network(ISLE.network)
        for work in (
            surroundings.networks.exists(ISLE),
            surroundings.networks.create(ISLE),
            surroundings.networks.remove(ISLE),
        ):
            async with fails_with(Refused, "foreign_network", ISLE.network):
                await work


class VolumesContract:
    """Volumes of an environment's own."""

    async def test_a_volume_is_its_environments_alone(self, surroundings: Surroundings) -> None:
        volumes = surroundings.volumes
        await volumes.create(ISLE, DATA)
        await volumes.create(ISLE, DATA)
        await volumes.create(ISLE, Volume.parse("uploads:/srv/uploads"))
        assert await volumes.of(ISLE) == {"data", "uploads"}
        assert await volumes.of(ISLE_PREVIEW) == frozenset()
        assert await volumes.of(SHORE) == frozenset()

    async def test_a_removed_volume_is_gone_and_removing_it_again_is_fine(
        self, surroundings: Surroundings
    ) -> None:
        await surroundings.volumes.create(ISLE, DATA)
        await surroundings.volumes.create(ISLE_PREVIEW, DATA)
        await surroundings.volumes.remove(ISLE, "data")
        await surroundings.volumes.remove(ISLE, "data")
        assert await surroundings.volumes.of(ISLE) == frozenset()
        assert await surroundings.volumes.of(ISLE_PREVIEW) == {"data"}

    async def test_a_volume_in_use_is_not_removed(self, surroundings: Surroundings) -> None:
        await surroundings.volumes.create(ISLE, DATA)
        confinement = Confinement(volumes=(DATA,))
        spec = await spec_for(surroundings.host, ISLE, confinement=confinement)
        await surroundings.host.runtime.start(spec)
        async with fails_with(SystemFailed, "volume_in_use", "contract-isle-staging-data"):
            await surroundings.volumes.remove(ISLE, "data")
        assert await surroundings.volumes.of(ISLE) == {"data"}

    async def test_a_volume_that_is_not_ours_is_neither_used_nor_removed(
        self, surroundings: Surroundings
    ) -> None:
        await surroundings.strangers.volume(ISLE.volume("data"))
        assert await surroundings.volumes.of(ISLE) == frozenset()
        for work in (
            surroundings.volumes.create(ISLE, DATA),
            surroundings.volumes.remove(ISLE, "data"),
        ):
            async with fails_with(Refused, "foreign_volume", ISLE.volume("data")):
                await work
