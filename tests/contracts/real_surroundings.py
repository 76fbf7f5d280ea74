"""How real containers are confined and kept apart. Inherit beside the contracts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeb_mcp.adapters.podman_client import Podman
from codeb_mcp.adapters.podman_networks import PodmanNetworks
from codeb_mcp.adapters.podman_volumes import PodmanVolumes
from codeb_mcp.domain.confinement import Confinement, parse_capabilities
from codeb_mcp.domain.host import ContainerSpec
from codeb_mcp.domain.project import EnvironmentKey, Slot
from tests.contracts.applications import until
from tests.contracts.container_host import BUSYBOX, RealHost, spec_for
from tests.contracts.surroundings import DATA, ISLE, ISLE_PREVIEW, SHORE, Surroundings

CHOWN, SETGID, SETUID = 0, 6, 7


@dataclass
class RealStrangers:
    """Makes networks and volumes as a person would."""

    host: RealHost

    async def network(self, name: str) -> None:
        await asyncio.to_thread(self._network, name)

    async def volume(self, name: str) -> None:
        await asyncio.to_thread(self._volume, name)

    def _network(self, name: str) -> None:
        with self.host.client() as client:
            client.networks.create(name)

    def _volume(self, name: str) -> None:
        with self.host.client() as client:
            client.volumes.create(name)


@asynccontextmanager
async def real_surroundings(host: RealHost) -> AsyncIterator[Surroundings]:
    """Those of a Podman, without anything of the contract's before and after."""
    podman = Podman(host.socket_path)
    _clean(host)
    try:
        yield Surroundings(
            host, PodmanNetworks(podman, None), PodmanVolumes(podman, None), RealStrangers(host)
        )
    finally:
        for key in (ISLE, ISLE_PREVIEW, SHORE):
            for slot in Slot:
                await host.runtime.stop(key, slot)
        _clean(host)


def _clean(host: RealHost) -> None:
    with host.client() as client:
        for network in client.networks.list():
            if network.name.startswith("codeb-contract-"):
                network.remove(force=True)
        for volume in client.volumes.list():
            if volume.name.startswith("codeb-contract-"):
                volume.remove(force=True)


def _attributes(host: RealHost, spec: ContainerSpec) -> dict[str, Any]:
    with host.client() as client:
        found: dict[str, Any] = client.containers.get(spec.name).attrs
        return found


def _address(host: RealHost, spec: ContainerSpec) -> str:
    networks = _attributes(host, spec)["NetworkSettings"]["Networks"]
    return str(networks[spec.network]["IPAddress"])


def _inside(host: RealHost, spec: ContainerSpec, *words: str) -> tuple[int, str]:
    """Run busybox in the release's container: its exit code and output."""
    with host.client() as client:
        ran = client.containers.get(spec.name).exec_run([BUSYBOX, *words], demux=True)
        code, output = ran
        assert isinstance(output, tuple)
        return int(code or 0), b"".join(part or b"" for part in output).decode(errors="replace")


async def started(host: RealHost, key: EnvironmentKey, **more: Any) -> ContainerSpec:
    """A release that runs."""
    spec = await spec_for(host, key, **more)
    await host.runtime.start(spec)

    async def runs() -> bool:
        seen = (await host.runtime.observe(key)).get(spec.slot)
        return seen is not None and seen.running

    await until(runs, 20)
    return spec


async def capabilities(host: RealHost, spec: ContainerSpec) -> dict[str, int]:
    """The kernel's sets of capabilities of the release's first process."""
    seen = (await host.runtime.observe(spec.key))[spec.slot]
    lines = Path(f"/proc/{seen.pid}/status").read_text().splitlines()
    return {line[3:6]: int(line[7:], 16) for line in lines if line.startswith("Cap")}


class RealSurroundingsContract:
    """Confinement and isolation, as the kernel and Podman see them."""

    async def test_a_release_has_no_capability(self, surroundings: Surroundings) -> None:
        host = surroundings.host
        assert isinstance(host, RealHost)
        sets = await capabilities(host, await started(host, ISLE))
        assert set(sets.values()) == {0}, sets

    async def test_a_release_has_the_capabilities_asked_for_and_no_other(
        self, surroundings: Surroundings
    ) -> None:
        host = surroundings.host
        assert isinstance(host, RealHost)
        asked = Confinement(capabilities=parse_capabilities(["SETUID", "SETGID", "CHOWN"]))
        sets = await capabilities(host, await started(host, ISLE, confinement=asked))
        wanted = 1 << CHOWN | 1 << SETGID | 1 << SETUID
        assert (sets["Bnd"], sets["Eff"]) == (wanted, wanted)

    async def test_a_read_only_release_writes_to_tmp_alone(
        self, surroundings: Surroundings
    ) -> None:
        host = surroundings.host
        assert isinstance(host, RealHost)
        spec = await started(host, ISLE, confinement=Confinement(read_only=True))
        assert _inside(host, spec, "touch", "/tmp/fine") == (0, "")
        code, said = _inside(host, spec, "touch", "/www/no")
        assert code != 0
        assert "Read-only file system" in said

    async def test_a_volume_keeps_what_a_release_wrote_for_the_next_in_the_other_slot(
        self, surroundings: Surroundings
    ) -> None:
        host = surroundings.host
        assert isinstance(host, RealHost)
        await surroundings.volumes.create(ISLE, DATA)
        confinement = Confinement(volumes=(DATA,))
        first = await started(host, ISLE, confinement=confinement)
        assert _inside(host, first, "touch", "/data/written")[0] == 0
        second = await started(host, ISLE, slot=Slot.GREEN, release=2, confinement=confinement)
        assert _inside(host, second, "ls", "/data") == (0, "written\n")
        await host.runtime.stop(ISLE, Slot.BLUE)
        await host.runtime.stop(ISLE, Slot.GREEN)
        assert await surroundings.volumes.of(ISLE) == {"data"}
        third = await started(host, ISLE, release=3, confinement=confinement)
        assert _inside(host, third, "ls", "/data") == (0, "written\n")

    async def test_a_project_s_containers_reach_each_other_and_nobody_else_does(
        self, surroundings: Surroundings
    ) -> None:
        host = surroundings.host
        assert isinstance(host, RealHost)
        for key in (ISLE, SHORE):
            await surroundings.networks.create(key)
        staging = await started(host, ISLE, network=ISLE.network)
        preview = await started(host, ISLE_PREVIEW, network=ISLE.network)
        other = await started(host, SHORE, network=SHORE.network)
        address = _address(host, staging)

        def reaches(spec: ContainerSpec, place: str, port: int) -> bool:
            # busybox's wget, linked statically, crashes where there is no C library
            return _inside(host, spec, "nc", "-w", "3", place, str(port))[0] == 0

        async def answers() -> bool:
            return await asyncio.to_thread(reaches, preview, address, 8080)

        await until(answers, 20)
        assert not reaches(preview, address, 8081)
        assert _inside(host, preview, "nslookup", staging.name)[0] == 0
        assert not reaches(other, address, 8080)
        assert not reaches(other, "127.0.0.1", staging.host_port)
        # the other does serve: it is not its own network that is out of order
        assert await host.status(other.host_port) == 200
        assert _inside(host, other, "nslookup", staging.name)[0] != 0

    async def test_a_release_on_its_project_s_network_is_published_on_loopback_only(
        self, surroundings: Surroundings
    ) -> None:
        host = surroundings.host
        assert isinstance(host, RealHost)
        await surroundings.networks.create(ISLE)
        spec = await started(host, ISLE, network=ISLE.network)
        ports = _attributes(host, spec)["NetworkSettings"]["Ports"]
        bound = [binding for bindings in ports.values() for binding in bindings or ()]
        assert bound == [{"HostIp": "127.0.0.1", "HostPort": str(spec.host_port)}]
