"""Keeps Podman's service and Caddy running where there is no systemd to do it."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio
from anyio.abc import Process, TaskGroup

from codeb_mcp.adapters.caddy import authority_of, entrance_of
from codeb_mcp.adapters.caddy_version import caddy_binary
from codeb_mcp.adapters.containers_conf import podman_environment, write_containers_conf
from codeb_mcp.adapters.embedded import (
    CHILD_SECONDS,
    bridge_is_stale,
    compared,
    end_children,
    managed_containers,
    silent,
)
from codeb_mcp.adapters.files import write_atomic
from codeb_mcp.adapters.probe import why_not_free
from codeb_mcp.adapters.process import run, spawn_child
from codeb_mcp.adapters.process_id import ProcessId
from codeb_mcp.adapters.run_state import RunState
from codeb_mcp.domain.host import Json
from codeb_mcp.errors import CodebError, HostNotReady
from codeb_mcp.planning.servers import embedded_config
from codeb_mcp.settings import Settings

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
"""Seconds before a child that ended is started again: doubled each time, up to the longest."""
STABLE_SECONDS = 30.0
"""A child that ran this long is started again as if it were the first time."""
LARGEST_LOG = 10_000_000
LOG_CHECK_SECONDS = 60.0


async def supervise(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Returns at once when another supervisor serves this folder.

    Raises HostNotReady when something is in the way; who waits for this supervisor reads it too.
    """
    state = RunState(settings)
    state.prepare()
    os.umask(0o022)
    os.chdir("/")
    for _ in range(20):
        with state.lock() as held:
            if held:
                await _Supervisor(state).run()
                return
        # Somebody may only be looking whether it is held.
        await anyio.sleep(0.05)
    _say("another supervisor serves this folder")


@dataclass
class _Supervisor:
    state: RunState
    children: dict[str, ProcessId] = field(default_factory=dict)

    async def run(self) -> None:
        state = self.state
        _say(f"supervisor {os.getpid()} of {state.settings.home} starts")
        try:
            await end_children(state)
            _require_programs(state.settings)
            _require_ports(state.settings)
            write_containers_conf(state.settings)
        except CodebError as error:
            state.write(
                "failure",
                {
                    "at": time.time(),
                    "message": error.message,
                    "hint": error.hint,
                    "code": error.code,
                },
            )
            raise
        self._note(ready=False)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._until_told, group)
                group.start_soon(self._rotate_logs)
                if state.settings.podman_socket is None:
                    group.start_soon(self._keep_podman)
                if state.settings.caddy_admin is None:
                    group.start_soon(self._keep_caddy)
                group.start_soon(self._first_steps)
        finally:
            (state.folder / "supervisor.json").unlink(missing_ok=True)
            _say("supervisor ends")

    def _note(self, *, ready: bool) -> None:
        process = ProcessId.of(os.getpid())
        self.state.write(
            "supervisor",
            {
                "process": process.as_json if process else None,
                "settings": compared(self.state.settings),
                "ready": ready,
            },
        )

    async def _until_told(self, group: TaskGroup) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                _say(f"told to end ({number.name})")
                group.cancel_scope.cancel()
                return

    async def _first_steps(self) -> None:
        """What is due once after a start, which may be the first one after a reboot."""
        settings = self.state.settings
        while await silent(self.state):  # noqa: ASYNC110 - nobody says that they are up
            await anyio.sleep(0.05)
        if settings.podman_socket is None:
            try:
                await _start_containers(settings)
            except CodebError as error:
                _say(f"containers were not started: {error}")
        self._note(ready=True)

    async def _keep_podman(self) -> None:
        socket = self.state.podman_socket
        argv = ["podman", "system", "service", "--time=0", f"unix://{socket}"]
        await self._keep("podman", argv, podman_environment(self.state.settings))

    async def _keep_caddy(self) -> None:
        state = self.state
        argv = [str(caddy_binary(state.settings.caddy_binary)), "run", "--config"]
        environment = {
            "XDG_CONFIG_HOME": str(state.caddy_data / "config"),
            "XDG_DATA_HOME": str(state.caddy_data / "data"),
        }
        await self._keep("caddy", [*argv, str(state.caddy_config)], environment)

    async def _keep(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Start it again whenever it ends."""
        pause = FIRST_PAUSE
        socket = {"podman": self.state.podman_socket, "caddy": self.state.caddy_socket}[name]
        while True:
            socket.unlink(missing_ok=True)  # left by one that was killed
            if name == "caddy":
                _write_caddy_config(self.state)
            began = time.monotonic()
            process = await spawn_child(argv, env=env, log=self.state.log(name))
            self._remember(name, process)
            try:
                code = await process.wait()
            finally:
                with anyio.CancelScope(shield=True):
                    await _end(process)
            if time.monotonic() - began > STABLE_SECONDS:
                pause = FIRST_PAUSE
            _say(f"{name} ended with {code}; it is started again in {pause:g} s")
            await anyio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _remember(self, name: str, process: Process) -> None:
        """So that whoever comes after a supervisor that was killed can end its children."""
        if (found := ProcessId.of(process.pid)) is not None:
            self.children[name] = found
        self.state.write("children", {key: kid.as_json for key, kid in self.children.items()})

    async def _rotate_logs(self) -> None:
        while True:
            for name in ("podman", "caddy", "supervisor"):
                log = self.state.log(name)
                if log.exists() and log.stat().st_size > LARGEST_LOG:
                    # Those who write hold it open to append, and go on at its new end.
                    shutil.copyfile(log, log.with_suffix(".log.1"))
                    os.truncate(log, 0)
            await anyio.sleep(LOG_CHECK_SECONDS)


async def _end(process: Process) -> None:
    if process.returncode is None and (found := ProcessId.of(process.pid)) is not None:
        await found.end(CHILD_SECONDS)
        await process.wait()


async def _start_containers(settings: Settings) -> None:
    """Start ours that a reboot stopped; and see that their ports can be reached."""
    if bridge_is_stale() and not await _any_container_runs(settings):
        _say("podman0 was left down by a network namespace that was killed: removing it")
        await run(["ip", "link", "delete", "podman0"], seconds=10, check=False)
    ids = await managed_containers(settings, "stopped")
    for container in ids:
        started = await run(
            ["podman", "start", container],
            env=podman_environment(settings),
            seconds=60,
            check=False,
        )
        _say(f"container {container}: {'started' if not started.returncode else started.stderr}")


async def _any_container_runs(settings: Settings) -> bool:
    listed = await run(["podman", "ps", "--quiet"], env=podman_environment(settings), seconds=30)
    return bool(listed.stdout.strip())


def _write_caddy_config(state: RunState) -> None:
    """Its last configuration, with the endpoints that are wanted now.

    Caddy's own --resume would keep the old ones, and not start at all from a file that was cut
    short when it was killed.
    """
    settings = state.settings
    last = _config(state.caddy_data / "config" / "caddy" / "autosave.json")
    config = embedded_config(
        last or _config(state.caddy_config),
        f"unix/{state.caddy_socket}|0600",
        entrance_of(settings.http_port, settings.tls, authority=authority_of(settings)),
    )
    write_atomic(state.caddy_config, json.dumps(config, indent=1), 0o600)


def _config(path: "os.PathLike[str]") -> Json | None:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - any path
            found = json.load(file)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _require_programs(settings: Settings) -> None:
    if settings.podman_socket is None and shutil.which("podman") is None:
        raise HostNotReady(
            "Podman is not installed on this host",
            hint="apt-get install podman",
            code="program_missing",
        )
    if settings.caddy_admin is None:
        caddy_binary(settings.caddy_binary)


def _require_ports(settings: Settings) -> None:
    if settings.caddy_admin is not None:
        return
    ports = {"CODEB_HTTP_PORT": settings.http_port} | ({"": 443} if settings.tls == "auto" else {})
    for variable, port in ports.items():
        problem = why_not_free(port)
        if isinstance(problem, PermissionError):
            raise HostNotReady(
                f"this account may not listen on port {port}, which Caddy needs",
                hint="choose a port above 1023 in CODEB_HTTP_PORT, or allow it: "
                f"sysctl net.ipv4.ip_unprivileged_port_start={port}",
                code="http_port_forbidden",
            )
        if problem is not None:
            other = f", or choose another port in {variable}" if variable else ""
            raise HostNotReady(
                f"port {port}, which Caddy needs, is held by another program",
                hint=f"stop it (ss -ltnp 'sport = :{port}' tells which it is){other}",
                code="http_port_taken",
            )


def _say(text: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    sys.stderr.write(f"{now} {text}\n")
    sys.stderr.flush()
