"""The contracts on this host's own Podman, and what happens when Podman is not there."""

import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codeb_mcp.adapters.podman import PodmanImages, PodmanRuntime
from codeb_mcp.domain.confinement import Confinement
from codeb_mcp.domain.names import ImageReference
from codeb_mcp.domain.project import Slot
from codeb_mcp.errors import InvalidRequest, Refused, SystemFailed
from tests.contracts.container_host import RealHost, spec_for
from tests.contracts.images import ImagesContract, RealBuildContract
from tests.contracts.real_runtime import RealRuntimeContract
from tests.contracts.real_surroundings import (
    RealSurroundingsContract,
    real_surroundings,
    started,
)
from tests.contracts.runtime import SHOP, RuntimeContract, seen_when
from tests.contracts.surroundings import (
    ISLE,
    NetworksContract,
    Surroundings,
    VolumesContract,
)
from tests.outcomes import fails_with
from tests.system.podman_service import missing_podman, podman_service


@pytest.fixture(scope="module")
def podman_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHost]:
    """This host's Podman with a storage of its own, for all tests of this file."""
    missing = missing_podman()
    if missing is not None:
        if os.environ.get("CI") or os.environ.get("CODEB_REQUIRE_SYSTEM"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("podman")
    with podman_service(folder) as (socket_path, environment):
        images = PodmanImages(socket_path, environment, pull_seconds=20)
        yield RealHost(socket_path, folder, PodmanRuntime(socket_path), images)


@pytest.fixture
def host(podman_host: RealHost, tmp_path: Path) -> Iterator[RealHost]:
    """The same, without containers, tags of releases and logs of the test before."""
    podman_host.folder = tmp_path
    yield podman_host
    podman_host.clean()


@pytest.fixture
async def surroundings(host: RealHost) -> AsyncIterator[Surroundings]:
    """Networks and volumes of the same Podman."""
    async with real_surroundings(host) as found:
        yield found


class TestPodmanSurroundings(NetworksContract, VolumesContract, RealSurroundingsContract):
    """`PodmanNetworks`, `PodmanVolumes`, and how this host's Podman confines."""

    async def test_limits_are_those_asked_for_and_enforced(
        self, surroundings: Surroundings
    ) -> None:
        host = surroundings.host
        assert isinstance(host, RealHost)
        limits = Confinement(memory=64 * 1024**2, cpus=0.5, pids=50)
        spec = await started(host, ISLE, confinement=limits)
        with host.client() as client:
            asked = client.containers.get(spec.name).attrs["HostConfig"]
        assert (asked["Memory"], asked["CpuQuota"], asked["PidsLimit"]) == (67108864, 50000, 50)
        pid = (await host.runtime.observe(ISLE))[Slot.BLUE].pid
        assert limit_of(pid, "pids", "pids.max", "pids.max") == "50"
        assert limit_of(pid, "memory", "memory.limit_in_bytes", "memory.max") == "67108864"


def limit_of(pid: int | None, controller: str, v1: str, v2: str) -> str:
    """What the kernel holds a process to; `v1` and `v2` name its file in either layout."""
    groups = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    for _, controllers, path in groups:
        if controller in controllers.split(","):
            return Path(f"/sys/fs/cgroup/{controller}{path}/{v1}").read_text().strip()
    return Path(f"/sys/fs/cgroup{groups[0][2]}/{v2}").read_text().strip()


class TestPodmanRuntime(RuntimeContract, RealRuntimeContract):
    """`PodmanRuntime`."""

    async def test_a_container_that_systemd_runs_is_left_to_it(self, host: RealHost) -> None:
        spec = await spec_for(host, SHOP)
        labels = {**spec.labels, "PODMAN_SYSTEMD_UNIT": f"{spec.name}.service"}
        with host.client() as client:
            client.containers.create(spec.image, name=spec.name, labels=labels)
        async with fails_with(Refused, "other_runtime", f"{spec.name}.service"):
            await host.runtime.start(spec)

    async def test_a_container_of_another_codeb_folder_is_a_stranger_s(
        self, host: RealHost
    ) -> None:
        spec = await spec_for(host, SHOP)
        await host.runtime.start(replace(spec, home="/of/another/codeb"))
        assert await host.runtime.observe(spec.key) == {}
        async with fails_with(Refused, "foreign_container", "/of/another/codeb"):
            await host.runtime.start(spec)
        async with fails_with(Refused, "foreign_container", "/of/another/codeb"):
            await host.runtime.stop(spec.key, spec.slot)

    async def test_podman_restarts_what_runs_and_has_no_health_check_of_its_own(
        self, host: RealHost
    ) -> None:
        spec = await spec_for(host, SHOP)
        await host.runtime.start(spec)
        with host.client() as client:
            seen = client.containers.get(spec.name).attrs
        assert seen["HostConfig"]["RestartPolicy"]["Name"] == "always"
        assert seen["HostConfig"]["LogConfig"]["Size"] == "10MB"
        assert seen["Config"]["StopTimeout"] == 2
        assert seen["Config"].get("Healthcheck", {}).get("Test") in (None, ["NONE"])

    async def test_an_env_file_that_is_gone_is_named(self, host: RealHost, tmp_path: Path) -> None:
        spec = await spec_for(host, SHOP, env_file=str(tmp_path / "gone.env"))
        async with fails_with(InvalidRequest, "invalid_env_file", "gone.env"):
            await host.runtime.start(spec)
        assert await host.runtime.observe(SHOP) == {}

    async def test_a_release_whose_image_is_gone_is_told_so(self, host: RealHost) -> None:
        spec = replace(await spec_for(host, SHOP, release=9), image_id="f" * 64)
        await host.images.untag(spec.image)
        async with fails_with(InvalidRequest, "image_not_found", spec.image):
            await host.runtime.start(spec)

    async def test_stopping_waits_no_longer_than_the_stop_timeout(self, host: RealHost) -> None:
        await host.runtime.start(await spec_for(host, SHOP, stop_timeout=1))
        await seen_when(host, Slot.BLUE, "up")
        began = time.monotonic()
        await host.runtime.stop(SHOP, Slot.BLUE)
        assert time.monotonic() - began < 8


class TestPodmanImages(ImagesContract, RealBuildContract):
    """`PodmanImages`."""

    async def test_a_registry_that_nobody_runs_is_told_from_a_missing_image(
        self, host: RealHost
    ) -> None:
        reference = f"127.0.0.1:{host.free_port()}/shop:1"
        async with fails_with(SystemFailed, "registry_unreachable", "connection refused"):
            await host.images.pull(ImageReference(reference))

    async def test_a_registry_that_never_answers_is_not_waited_for_without_end(
        self, host: RealHost
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as registry:
            impatient = PodmanImages(host.socket_path, pull_seconds=2)
            began = time.monotonic()
            async with fails_with(SystemFailed, "pull_timeout"):
                port = registry.getsockname()[1]
                await impatient.pull(ImageReference(f"127.0.0.1:{port}/shop:1"))
            assert time.monotonic() - began < 10

    async def test_a_name_without_a_registry_says_how_to_name_one(self, host: RealHost) -> None:
        async with fails_with(InvalidRequest, "image_not_found", "docker.io/library/no-such-name"):
            await host.images.pull(ImageReference("no-such-name"))
