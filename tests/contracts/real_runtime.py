"""What only real containers can show. Inherit beside `RuntimeContract`."""

import os
import signal
from pathlib import Path

from codeb_mcp.adapters.logs import LogFiles
from codeb_mcp.domain.project import Slot
from codeb_mcp.errors import DeployFailed
from tests.contracts.applications import until
from tests.contracts.container_host import BUSYBOX, RealHost, spec_for
from tests.contracts.runtime import SHOP, answers, seen_when
from tests.fakes.containers import Application
from tests.outcomes import fails_with

AWKWARD = "two words \"quoted\" 'single' $HOME ${HOME} %n %% back\\slash \\n #hash; `id` ümlaut"


def shell(script: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a script, then waits: one that ended would be run again."""
    return (BUSYBOX, "sh", "-c", f"{script}; exec {BUSYBOX} sleep 1000", "sh", *arguments)


async def lines_of(host: RealHost, release: int, enough: int) -> list[str]:
    """What the release wrote, without the times, once there are that many lines."""
    logs = LogFiles(host.log_folder())
    found: list[str] = []

    async def are_there() -> bool:
        found[:] = [line[21:] for line in await logs.tail(SHOP, release, 100)]
        return len(found) >= enough

    await until(are_there, 20)
    return found


def status_of(pid: int | None) -> str:
    """What the kernel says about a process."""
    return Path(f"/proc/{pid}/status").read_text()


def log_path(host: RealHost, release: int) -> str:
    """Where `Logs` looks for the release's log."""
    return f"{LogFiles(host.log_folder()).folder(SHOP)}/r{release}.log"


class RealRuntimeContract:
    """Values, logs, ports and crashes, as the kernel, Podman and systemd treat them."""

    async def test_values_reach_the_application_as_they_are(self, host: RealHost) -> None:
        spec = await spec_for(
            host,
            SHOP,
            application=Application.MUTE,
            env=(("AWKWARD", AWKWARD), ("EMPTY", "")),
            command=shell('echo "$AWKWARD"; echo "[$EMPTY]"; echo "$1"', AWKWARD),
            log_path=log_path(host, 1),
        )
        await host.runtime.start(spec)
        assert (await lines_of(host, 1, 3))[:3] == [AWKWARD, "[]", AWKWARD]

    async def test_the_env_file_is_read_and_the_environment_wins(
        self, host: RealHost, tmp_path: Path
    ) -> None:
        env_file = tmp_path / "shop.env"
        env_file.write_text(f"# secrets\n\nSECRET={AWKWARD}\nPORT=1\nURL=a=b=c\n")
        spec = await spec_for(
            host,
            SHOP,
            env=(("PORT", "8080"),),
            env_file=str(env_file),
            command=shell('echo "$SECRET"; echo "$PORT $URL"'),
            log_path=log_path(host, 1),
        )
        await host.runtime.start(spec)
        assert (await lines_of(host, 1, 2))[:2] == [AWKWARD, "8080 a=b=c"]

    async def test_the_log_outlives_the_container(self, host: RealHost) -> None:
        spec = await spec_for(host, SHOP, application=Application.EXITS, log_path=log_path(host, 1))
        await host.runtime.start(spec)
        assert (await lines_of(host, 1, 1))[0] == "cannot start"
        await host.runtime.stop(SHOP, Slot.BLUE)
        assert (await lines_of(host, 1, 1))[0] == "cannot start"

    async def test_a_release_is_published_on_loopback_only(self, host: RealHost) -> None:
        spec = await spec_for(host, SHOP)
        await host.runtime.start(spec)
        await answers(host, spec.host_port)
        with host.client() as client:
            ports = client.containers.get(spec.name).attrs["NetworkSettings"]["Ports"]
        bound = [binding for bindings in ports.values() for binding in bindings or ()]
        assert bound == [{"HostIp": "127.0.0.1", "HostPort": str(spec.host_port)}]

    async def test_a_release_cannot_gain_privileges(self, host: RealHost) -> None:
        await host.runtime.start(await spec_for(host, SHOP))
        seen = await seen_when(host, Slot.BLUE, "up")
        assert "NoNewPrivs:\t1\n" in status_of(seen.pid)

    async def test_a_crashed_release_comes_back_and_is_counted(self, host: RealHost) -> None:
        spec = await spec_for(host, SHOP)
        await host.runtime.start(spec)
        before = await seen_when(host, Slot.BLUE, "up")
        assert before.pid
        os.kill(before.pid, signal.SIGKILL)

        async def is_back() -> bool:
            seen = (await host.runtime.observe(SHOP)).get(Slot.BLUE)
            return seen is not None and seen.running and seen.restarts == 1

        await until(is_back, 30)
        await answers(host, spec.host_port)

    async def test_a_command_that_is_not_there_is_said_to_be_missing(self, host: RealHost) -> None:
        spec = await spec_for(host, SHOP, command=("/nowhere/run",))
        async with fails_with(DeployFailed, "command_not_found", "/nowhere/run"):
            await host.runtime.start(spec)
        assert await host.runtime.observe(SHOP) == {}
