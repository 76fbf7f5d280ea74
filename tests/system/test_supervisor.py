"""Podman's service and Caddy run by codeb itself, on this host: killed, raced, moved, stopped."""

import asyncio
import io
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from codeb_mcp.adapters import embedded
from codeb_mcp.adapters.caddy import CaddyProxy
from codeb_mcp.adapters.process_id import ProcessId
from codeb_mcp.adapters.run_state import RunState
from codeb_mcp.domain.host import Route
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import HostNotReady
from codeb_mcp.settings import Settings
from tests.contracts.applications import until
from tests.system.podman_service import missing_podman

SHOP = Route(
    EnvironmentKey(ProjectName("shop"), EnvironmentName("production")),
    DomainName("shop.localhost"),
    33001,
)
IMAGE = "localhost/sleeper"


@pytest.fixture(scope="module", autouse=True)
def podman_host() -> None:
    """A host on which Podman can be run. Skips elsewhere, but fails where it is required."""
    missing = missing_podman()
    if missing is None:
        return
    if os.environ.get("CI") or os.environ.get("CODEB_REQUIRE_SYSTEM"):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder, for the sockets in it."""
    with tempfile.TemporaryDirectory(prefix="codeb-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
async def settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Settings]:
    """Settings of a codeb folder and a Podman storage of the test's own; all ends with it."""
    storage = folder / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/images"\nrunroot = "{folder}/run"\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(storage))
    found = at_home(folder / "home", monkeypatch)
    yield found
    await embedded.remove_containers(found)
    await embedded.stop(found)
    assert processes_of(found) == []


def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings as a command would load them from the environment, on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setenv("CODEB_HOME", str(home))
    monkeypatch.setenv("CODEB_HTTP_PORT", str(port))
    return Settings(home=home, http_port=port)


def processes_of(settings: Settings) -> list[str]:
    """The command lines of all processes that name the codeb folder or run a supervisor in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environ = (process / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        supervises = f"CODEB_HOME={settings.home}\0" in environ and "local run" in command
        if str(settings.home) in command or supervises:
            found.append(command)
    return found


def proxy_of(settings: Settings) -> CaddyProxy:
    return CaddyProxy(
        embedded.endpoints_of(settings).caddy_admin,
        http_port=settings.http_port,
        live_folder=settings.live_folder,
        embedded=True,
    )


async def answering(settings: Settings) -> bool:
    return not await embedded.silent(RunState(settings))


async def test_what_runs_already_is_found_within_milliseconds(settings: Settings) -> None:
    await embedded.ensure_running(settings)
    before = RunState(settings).children
    began = time.monotonic()
    await embedded.ensure_running(settings)
    assert time.monotonic() - began < 0.1  # takes 3 ms where nothing else runs
    assert RunState(settings).children == before


async def test_two_who_start_at_once_get_one_supervisor(settings: Settings) -> None:
    await asyncio.gather(*(embedded.ensure_running(settings) for _ in range(3)))
    await until(lambda: is_count_of_supervisors(settings, 1))
    assert len(processes_of(settings)) == 3


async def is_count_of_supervisors(settings: Settings, number: int) -> bool:
    return sum("local run" in command for command in processes_of(settings)) == number


@pytest.mark.parametrize("name", ["caddy", "podman"])
async def test_a_child_that_is_killed_is_back_with_what_it_knew(
    settings: Settings, name: str
) -> None:
    await embedded.ensure_running(settings)
    await proxy_of(settings).put_route(SHOP)
    killed = RunState(settings).children[name]
    os.kill(killed.pid, signal.SIGKILL)

    async def replaced() -> bool:
        found = RunState(settings).children.get(name)
        return found not in (None, killed) and await answering(settings)

    await until(replaced)
    assert await proxy_of(settings).route(SHOP.id) is not None


async def test_a_child_that_hangs_is_named_within_the_time_limit(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await embedded.ensure_running(settings)
    monkeypatch.setattr(embedded, "START_SECONDS", 1.0)
    monkeypatch.setattr(embedded, "ANSWER_SECONDS", 0.3)
    hung = RunState(settings).children["caddy"]
    os.kill(hung.pid, signal.SIGSTOP)
    try:
        with pytest.raises(HostNotReady, match="codeb's own caddy did not answer") as failure:
            await embedded.ensure_running(settings)
    finally:
        os.kill(hung.pid, signal.SIGCONT)
    assert failure.value.code == "embedded_not_started"
    assert "codeb local stop" in failure.value.hint


async def test_stopping_leaves_no_process_and_may_be_repeated(settings: Settings) -> None:
    await embedded.ensure_running(settings)
    assert await embedded.stop(settings)
    assert processes_of(settings) == []
    assert not await embedded.stop(settings)


async def test_a_killed_supervisor_takes_its_children_with_it_and_can_be_followed(
    settings: Settings,
) -> None:
    await embedded.ensure_running(settings)
    state = RunState(settings)
    await proxy_of(settings).put_route(SHOP)
    supervisor, children = state.supervisor, state.children
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)

    async def dead() -> bool:
        return not supervisor.alive

    await until(dead)
    await embedded.ensure_running(settings)
    assert not any(child.alive for child in children.values())
    assert len(processes_of(settings)) == 3
    assert await proxy_of(settings).route(SHOP.id) is not None


async def test_children_that_outlived_their_supervisor_are_ended_by_the_next(
    settings: Settings,
) -> None:
    RunState(settings).prepare()
    orphan = await asyncio.create_subprocess_exec("sleep", "1000")
    found = ProcessId.of(orphan.pid)
    assert found is not None
    RunState(settings).write("children", {"caddy": found.as_json})
    await embedded.ensure_running(settings)
    assert await orphan.wait() == -signal.SIGTERM


async def test_a_port_held_by_a_stranger_is_named_with_the_setting(settings: Settings) -> None:
    taken = pytest.raises(HostNotReady, match=f"port {settings.http_port}")
    with socket.create_server(("0.0.0.0", settings.http_port)), taken as failure:
        await embedded.ensure_running(settings)
    assert failure.value.code == "http_port_taken"
    assert "CODEB_HTTP_PORT" in failure.value.hint
    assert processes_of(settings) == []


async def test_a_host_without_podman_is_told_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setenv("PATH", "/nowhere")
        with pytest.raises(HostNotReady, match="Podman is not installed") as failure:
            await embedded.ensure_running(settings)
    assert failure.value.hint == "apt-get install podman"


async def test_other_settings_are_refused_rather_than_fought_over(settings: Settings) -> None:
    await embedded.ensure_running(settings)
    other = settings.model_copy(update={"http_port": settings.http_port + 1})
    with pytest.raises(HostNotReady, match=f"http_port '{settings.http_port}'") as failure:
        await embedded.ensure_running(other)
    assert failure.value.code == "settings_differ"


async def test_routes_move_to_a_changed_port_at_the_next_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await embedded.ensure_running(settings)
    await proxy_of(settings).put_route(SHOP)
    await embedded.stop(settings)
    moved = at_home(settings.home, monkeypatch)
    await embedded.ensure_running(moved)
    # 502: the route is there, and no application behind it
    assert await proxy_of(moved).public_status(SHOP.domain, "/", 5) == 502


async def test_a_configuration_cut_short_by_a_power_cut_does_not_keep_caddy_down(
    settings: Settings,
) -> None:
    await embedded.ensure_running(settings)
    await embedded.stop(settings)
    autosave = RunState(settings).caddy_data / "config" / "caddy" / "autosave.json"
    autosave.write_text(autosave.read_text()[:20])
    await embedded.ensure_running(settings)
    await proxy_of(settings).put_route(SHOP)


async def test_a_folder_too_deep_for_a_socket_works(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = at_home(settings.home / ("x" * 60) / ("y" * 60), monkeypatch)
    try:
        await embedded.ensure_running(deep)
        sockets = embedded.endpoints_of(deep).podman_socket.parent
        assert oct(sockets.stat().st_mode & 0o777) == "0o700"
        await proxy_of(deep).put_route(SHOP)
    finally:
        await embedded.stop(deep)
        shutil.rmtree(RunState(deep).sockets)


async def test_sockets_are_for_this_account_only(settings: Settings) -> None:
    endpoints = await embedded.ensure_running(settings)
    assert endpoints.podman_socket.parent.stat().st_mode & 0o077 == 0
    assert RunState(settings).caddy_socket.stat().st_mode & 0o077 == 0


def release_of(home: str) -> tuple[str, ...]:
    return (f"--label=dev.codeb.home={home}", "--label=dev.codeb.slot=blue")


async def test_our_containers_are_started_after_a_reboot_and_no_others(settings: Settings) -> None:
    await embedded.ensure_running(settings)
    import_image(settings)
    ours = create_container(settings, "ours", *release_of(str(settings.home)))
    create_container(settings, "theirs", *release_of("/of/another/codeb"))
    # a one-off command of ours that has ended
    create_container(settings, "once", f"--label=dev.codeb.home={settings.home}")
    await embedded.stop(settings)
    await embedded.ensure_running(settings)

    async def started() -> bool:
        return running(settings) == {"ours"}

    await until(started)
    assert await embedded.remove_containers(settings) == 2
    left = podman(settings, "ps", "--all", "--format={{.Names}}").split()
    assert (left, len(ours)) == (["theirs"], 64)
    podman(settings, "rm", "theirs")


def podman(settings: Settings, *arguments: str, stdin: bytes | None = None) -> str:
    ended = subprocess.run(
        ["podman", *arguments],
        input=stdin,
        capture_output=True,
        env={**os.environ, **embedded.podman_environment(settings)},
        check=True,
    )
    return ended.stdout.decode().strip()


def import_image(settings: Settings) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
    podman(settings, "import", "-", IMAGE, stdin=content.getvalue())


def create_container(settings: Settings, name: str, *options: str) -> str:
    command = ("/bin/busybox", "sleep", "1000")
    return podman(
        settings,
        *("create", f"--name={name}", "--network=none", "--stop-signal=KILL", *options),
        *(IMAGE, *command),
    )


def running(settings: Settings) -> set[str]:
    return set(podman(settings, "ps", "--format={{.Names}}").split())
