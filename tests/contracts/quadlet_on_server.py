"""The runtime's contract under systemd. Run on a server by `tests/system/test_quadlet_runtime.py`.

Not named `test_*`: on the machine of the tests there is most often no systemd of the user's.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codeb_mcp.adapters.podman import PodmanImages
from codeb_mcp.adapters.process import run
from codeb_mcp.adapters.quadlet import QuadletRuntime
from codeb_mcp.adapters.quadlet_units import check_unit
from codeb_mcp.domain.confinement import Confinement
from codeb_mcp.domain.host import ContainerState, ResolvedImage
from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.errors import HostNotReady, InvalidRequest, Refused, SystemFailed
from codeb_mcp.planning.quadlet import container_unit
from tests.contracts.container_host import RealHost, spec_for
from tests.contracts.images import ImagesContract, RealBuildContract
from tests.contracts.real_runtime import AWKWARD, RealRuntimeContract
from tests.contracts.real_surroundings import (
    RealSurroundingsContract,
    real_surroundings,
    started,
)
from tests.contracts.runtime import PREVIEW, SHOP, RuntimeContract, answers, seen_when
from tests.contracts.surroundings import (
    DATA,
    ISLE,
    NetworksContract,
    Surroundings,
    VolumesContract,
)
from tests.fakes.containers import Application
from tests.injection.unit_syntax import directives, words
from tests.outcomes import fails_with

SOCKET = Path(f"/run/user/{os.getuid()}/podman/podman.sock")
REGISTRY = os.environ["CODEB_TEST_REGISTRY"]
UNITS = Path.home() / ".config" / "containers" / "systemd"
OTHERS = [EnvironmentKey(ProjectName(f"shop{n}"), EnvironmentName("staging")) for n in range(4)]


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[RealHost]:
    """The server, as the account that runs the tests; nothing of ours runs on it."""
    runtime = QuadletRuntime(SOCKET)
    host = RealHost(SOCKET, tmp_path, runtime, PodmanImages(SOCKET))
    yield host
    for key in (SHOP, PREVIEW, *OTHERS):
        for slot in Slot:
            remove_foreign(unit_file(key, slot))
            await runtime.stop(key, slot)
    host.clean()


def unit_file(key: EnvironmentKey, slot: Slot) -> Path:
    """The slot's unit file."""
    return UNITS / f"{key.container(slot)}.container"


def remove_foreign(path: Path) -> None:
    """Take away a unit that a test wrote by hand."""
    if path.exists() and "by hand" in path.read_text():
        path.unlink()


def write_unit(path: Path, text: str) -> None:
    """Write a unit as a person would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def units() -> list[str]:
    """The names of all unit files."""
    return sorted(path.name for path in UNITS.glob("*")) if UNITS.exists() else []


@pytest.fixture
async def surroundings(host: RealHost) -> AsyncIterator[Surroundings]:
    """Networks and volumes of the same account."""
    async with real_surroundings(host) as found:
        yield found


class TestQuadletSurroundings(NetworksContract, VolumesContract, RealSurroundingsContract):
    """`PodmanNetworks`, `PodmanVolumes`, and how units confine."""

    async def test_a_release_runs_the_image_of_its_id_whatever_the_tag_says_later(
        self, surroundings: Surroundings
    ) -> None:
        host = surroundings.host
        assert isinstance(host, RealHost)
        spec = await started(host, ISLE)
        before = (await host.runtime.observe(ISLE))[Slot.BLUE]
        other = await host.images.pull(await host.image(Application.MUTE))
        await host.images.tag(other.id, spec.image)
        await run(["systemctl", "--user", "restart", f"{spec.name}.service"])
        after = (await host.runtime.observe(ISLE))[Slot.BLUE]
        assert after.pid != before.pid
        assert after.image_id == spec.image_id != other.id

    async def test_quadlet_hands_every_value_on_as_it_is_and_adds_nothing(
        self, surroundings: Surroundings
    ) -> None:
        host = surroundings.host
        limits = Confinement(memory=64 * 1024**2, cpus=0.5, pids=50, volumes=(DATA,))
        spec = await spec_for(
            host,
            ISLE,
            env=(("A", AWKWARD),),
            command=("serve", AWKWARD),
            confinement=limits,
            network=ISLE.network,
            home=AWKWARD,
        )
        generated = await check_unit(f"{spec.name}.container", container_unit(spec))
        service = [each for each in directives(generated) if each.section == "Service"]
        started_by = [each.value for each in service if each.key.startswith("ExecStart")]
        assert len(started_by) == 1
        # the one specifier that is meant: Quadlet's own
        argv = words(started_by[0].replace("--cidfile=%t/%N.cid", ""))
        assert argv[-3:] == [spec.image_id, "serve", AWKWARD]
        assert f"A={AWKWARD}" in argv
        assert f"dev.codeb.home={AWKWARD}" in argv
        assert {"--memory=67108864", "--cpus=0.5"} <= set(argv)
        assert argv[argv.index("--cap-drop") + 1] == "all"
        assert argv[argv.index("--pids-limit") + 1] == "50"
        assert argv[argv.index("--network") + 1] == ISLE.network
        assert "--privileged" not in argv


class TestQuadletRuntime(RuntimeContract, RealRuntimeContract):
    """`QuadletRuntime`."""

    async def test_a_stopped_release_leaves_no_unit(self, host: RealHost) -> None:
        await host.runtime.start(await spec_for(host, SHOP))
        assert units() == ["codeb-shop-staging-blue.container"]
        await host.runtime.stop(SHOP, Slot.BLUE)
        assert units() == []
        service = "codeb-shop-staging-blue.service"
        shown = await run(["systemctl", "--user", "show", "--property=LoadState", service])
        assert shown.stdout == "LoadState=not-found\n"

    async def test_a_unit_that_was_deleted_by_hand_is_still_stopped(self, host: RealHost) -> None:
        spec = await spec_for(host, SHOP)
        await host.runtime.start(spec)
        await answers(host, spec.host_port)
        unit_file(SHOP, Slot.BLUE).unlink()
        await host.runtime.stop(SHOP, Slot.BLUE)
        assert await host.status(spec.host_port) is None

    async def test_a_unit_that_codeb_did_not_write_is_left_alone(self, host: RealHost) -> None:
        path = unit_file(SHOP, Slot.BLUE)
        write_unit(path, "# by hand\n[Container]\nImage=localhost/x\n")
        for work in (
            host.runtime.observe(SHOP),
            host.runtime.start(await spec_for(host, SHOP)),
            host.runtime.stop(SHOP, Slot.BLUE),
        ):
            async with fails_with(Refused, "foreign_unit", path.name):
                await work
        assert units() == [path.name]

    async def test_deploys_at_the_same_time_do_not_disturb_each_other(self, host: RealHost) -> None:
        specs = [await spec_for(host, key, slot) for key in OTHERS for slot in Slot]
        await asyncio.gather(*(host.runtime.start(spec) for spec in specs))
        for spec in specs:
            await answers(host, spec.host_port)
        stops = (QuadletRuntime(SOCKET).stop(spec.key, spec.slot) for spec in specs)
        await asyncio.gather(*stops)
        assert units() == []

    async def test_a_release_that_keeps_dying_is_given_up_and_can_be_replaced(
        self, host: RealHost
    ) -> None:
        dead = await spec_for(host, SHOP, application=Application.EXITS)
        await host.runtime.start(dead)
        deadline = time.monotonic() + 40
        while (await host.runtime.observe(SHOP))[Slot.BLUE].restarts < 5:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.5)  # until systemd has tried as often as it does
        seen = (await host.runtime.observe(SHOP))[Slot.BLUE]
        assert seen.state is ContainerState.EXITED or seen.restarts >= 5
        good = await spec_for(host, SHOP, release=2)
        await host.runtime.start(good)
        await answers(host, good.host_port)

    @pytest.mark.usefixtures("host")
    async def test_a_unit_that_quadlet_would_not_take_is_not_installed(self) -> None:
        bad = "[Container]\nImage=localhost/x\nNoSuchKey=1\n"
        async with fails_with(SystemFailed, "unit_rejected", "NoSuchKey"):
            await check_unit("codeb-bad.container", bad)
        assert units() == []

    async def test_a_value_that_no_unit_can_hold_is_refused_before_anything_is_done(
        self, host: RealHost
    ) -> None:
        spec = await spec_for(host, SHOP, env=(("BAD", "a\nExecStartPre=/bin/touch /tmp/x"),))
        async with fails_with(InvalidRequest, "invalid_unit_value", "env file"):
            await host.runtime.start(spec)
        assert units() == []

    async def test_a_shell_without_a_session_reaches_systemd(
        self, host: RealHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
        spec = await spec_for(host, SHOP)
        await QuadletRuntime(SOCKET).start(spec)
        await seen_when(host, Slot.BLUE, "up")

    async def test_an_account_without_a_systemd_of_its_own_is_told_how_to_get_one(
        self, host: RealHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await host.runtime.start(await spec_for(host, SHOP))
        monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        async with fails_with(HostNotReady, "systemd_user_down", "loginctl enable-linger"):
            await QuadletRuntime(SOCKET).observe(SHOP)

    async def test_units_are_readable_and_start_at_boot(self, host: RealHost) -> None:
        await host.runtime.start(await spec_for(host, SHOP))
        path = unit_file(SHOP, Slot.BLUE)
        assert path.stat().st_mode & 0o777 == 0o644
        asked = await run(["systemctl", "--user", "list-dependencies", "--plain", "default.target"])
        assert "codeb-shop-staging-blue.service" in asked.stdout


class TestPullingFromARegistry:
    """`PodmanImages.pull`, from the server's own registry."""

    async def test_the_newest_image_of_a_name_is_fetched(self, host: RealHost) -> None:
        name = ImageReference(f"{REGISTRY}/newest:1")
        first = await self._pushed(host, Application.HEALTHY, name)
        assert (await host.images.pull(name)).id == first.id
        second = await self._pushed(host, Application.EXITS, name)
        pulled = await host.images.pull(name)
        assert pulled.id == second.id != first.id
        assert pulled.digest.startswith("sha256:")
        pinned = ImageReference(f"{REGISTRY}/newest@{pulled.digest}")
        assert (await host.images.pull(pinned)).digest == pulled.digest

    @pytest.mark.parametrize("name", ["newest:no-such-tag", "no-such-name:1"])
    async def test_what_was_never_pushed_is_said_to_be_missing(
        self, host: RealHost, name: str
    ) -> None:
        await self._pushed(host, Application.HEALTHY, ImageReference(f"{REGISTRY}/newest:1"))
        async with fails_with(InvalidRequest, "image_not_found", name, "pushed"):
            await host.images.pull(ImageReference(f"{REGISTRY}/{name}"))

    async def _pushed(
        self, host: RealHost, application: Application, name: ImageReference
    ) -> ResolvedImage:
        """Push an image under the name and forget that it was ever here."""
        image = await host.image(application)
        await run(["podman", "push", "--quiet", image, name])
        await run(["podman", "rmi", "--ignore", name])
        return await host.images.pull(image)


class TestRootlessPodmanImages(ImagesContract, RealBuildContract):
    """`PodmanImages`, on the Podman and the account of a real server."""
