"""Podman's service and Caddy where codeb runs them itself: found, started, ended."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from codeb_mcp.adapters.containers_conf import podman_environment, write_containers_conf
from codeb_mcp.adapters.process import run, spawn_detached
from codeb_mcp.adapters.process_id import ProcessId
from codeb_mcp.adapters.run_state import RunState
from codeb_mcp.domain.host import LABEL
from codeb_mcp.errors import HostNotReady
from codeb_mcp.settings import Settings

__all__ = ["Endpoints", "endpoints_of", "ensure_running", "podman_environment"]

START_SECONDS = 10.0
ANSWER_SECONDS = 2.0
CHILD_SECONDS = 5.0
"""How long Caddy and Podman's service may take to end; open connections are cut then."""
STOP_SECONDS = 20.0
COMPARED = ("http_port", "tls", "caddy_binary", "podman_socket", "caddy_admin")
"""The settings that a running supervisor was started with and cannot change."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where Podman and Caddy answer: ours, or the host's own where the settings name them."""

    podman_socket: Path
    caddy_admin: str


def endpoints_of(settings: Settings) -> Endpoints:
    """Where they are, or would be; contacts nobody."""
    state = RunState(settings)
    return Endpoints(
        podman_socket=settings.podman_socket or state.podman_socket,
        caddy_admin=settings.caddy_admin or f"unix/{state.caddy_socket}",
    )


async def ensure_running(settings: Settings) -> Endpoints:
    """Where Podman and Caddy answer, once what codeb runs itself does. At once if it does already.

    Raises HostNotReady, within ten seconds, saying what is in the way.
    """
    state = RunState(settings)
    if settings.embedded and not await _serving(state):
        await _start(state)
    if settings.embedded:
        _require_same_settings(state)
    return endpoints_of(settings)


async def _serving(state: RunState) -> bool:
    return state.locked and bool(state.read("supervisor").get("ready")) and not await silent(state)


async def silent(state: RunState) -> list[str]:
    """Which of those that codeb runs itself do not answer: `podman`, `caddy`."""
    asked = {"podman": (state.podman_socket, "/_ping")} if not state.settings.podman_socket else {}
    if state.settings.caddy_admin is None:
        asked["caddy"] = (state.caddy_socket, "/config/admin")
    return [name for name, (path, what) in asked.items() if not await _answers(path, what)]


async def _answers(socket: Path, path: str) -> bool:
    """Whether HTTP is spoken there. By hand, since it is asked before each use case."""
    request = f"GET {path} HTTP/1.1\r\nHost: codeb\r\nConnection: close\r\n\r\n"
    try:
        with anyio.fail_after(ANSWER_SECONDS):
            async with await anyio.connect_unix(socket) as stream:
                await stream.send(request.encode())
                return (await stream.receive()).startswith(b"HTTP/1.")
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
        return False


async def _start(state: RunState) -> None:
    state.prepare()
    started = time.time()
    spawned: ProcessId | None = None
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not state.locked and (spawned is None or not spawned.alive):
            _raise_failure(state, started)
            spawned = ProcessId.of(_spawn(state))
        await anyio.sleep(0.05)
        if await _serving(state):
            return
    _raise_failure(state, started)
    missing = " and ".join(await silent(state))
    if not missing and state.locked:
        return  # It is only still starting containers.
    who = missing or "supervisor"
    raise HostNotReady(
        f"codeb's own {who} did not answer within {START_SECONDS:g} s{_log_tail(state)}",
        hint=f"see the logs in {state.log('supervisor').parent}; to start anew: codeb local stop, "
        "then codeb local start",
        code="embedded_not_started",
    )


def _spawn(state: RunState) -> int:
    # -P: a folder named codeb_mcp where the caller happens to be must not be what is run.
    command = [sys.executable, "-P", "-m", "codeb_mcp.cli", "local", "run"]
    return spawn_detached(
        command, env={"CODEB_HOME": str(state.settings.home)}, log=state.log("supervisor")
    )


def _raise_failure(state: RunState, since: float) -> None:
    """Raise what a supervisor that gave up after `since` left behind, if one did."""
    failure = state.read("failure")
    if failure.get("at", 0) >= since:
        raise HostNotReady(failure["message"], hint=failure["hint"], code=failure["code"])


def _log_tail(state: RunState) -> str:
    for name in ("supervisor", "caddy", "podman"):
        try:
            text = state.log(name).read_bytes()[-4_000:].decode(errors="replace")
        except OSError:
            continue
        if lines := [line.strip()[:300] for line in text.splitlines() if line.strip()]:
            return f"; the end of {name}.log: " + " | ".join(lines[-3:])
    return ""


def compared(settings: Settings) -> dict[str, Any]:
    """The settings of a supervisor that matter to those who use it, as plain data."""
    values = {name: getattr(settings, name) for name in COMPARED}
    return {name: None if value is None else str(value) for name, value in values.items()}


def _require_same_settings(state: RunState) -> None:
    """Two callers with different settings must not pull one Caddy to and fro."""
    theirs = state.read("supervisor").get("settings", {})
    differing = [
        f"{name} {theirs[name]!r} instead of {value!r}"
        for name, value in compared(state.settings).items()
        if name in theirs and theirs[name] != value
    ]
    if differing:
        raise HostNotReady(
            "codeb's own services were started with other settings: " + ", ".join(differing),
            hint="to use the new ones: codeb local stop, then codeb local start; keep them in "
            f"{state.settings.home / 'config.toml'} so that everybody has the same",
            code="settings_differ",
        )


async def stop(settings: Settings) -> bool:
    """End the supervisor and what it runs; containers go on. False when nothing ran."""
    state = RunState(settings)
    children = state.children
    with anyio.move_on_after(ANSWER_SECONDS):
        # One that has only just started has not yet written down who it is.
        while state.locked and state.supervisor is None:  # noqa: ASYNC110 - a file
            await anyio.sleep(0.02)
    supervisor = state.supervisor
    if state.locked and supervisor is not None:
        await supervisor.end(STOP_SECONDS)
    await end_children(state)
    return supervisor is not None or bool(children)


async def end_children(state: RunState) -> None:
    """End what a supervisor that was killed left running."""
    async with anyio.create_task_group() as group:
        for child in state.children.values():
            group.start_soon(child.end, CHILD_SECONDS)


async def remove_containers(settings: Settings) -> int:
    """Stop and remove the containers of this codeb folder, and say how many there were.

    The networks that they were connected to go as well; volumes stay.
    """
    RunState(settings).prepare()
    write_containers_conf(settings)
    ids = await managed_containers(settings, "all")
    if ids:
        argv = ["podman", "rm", "--force", f"--time={settings.stop_timeout}", *ids]
        await run(argv, env=podman_environment(settings), seconds=60 + 10 * len(ids))
    await _remove_networks(settings)
    return len(ids)


async def _remove_networks(settings: Settings) -> None:
    argv = ["podman", "network", "ls", f"--filter=label={LABEL}.home={settings.home}"]
    listed = await run([*argv, "--format={{.Name}}"], env=podman_environment(settings), seconds=30)
    if names := listed.stdout.split():
        argv = ["podman", "network", "rm", *names]
        await run(argv, env=podman_environment(settings), seconds=60, check=False)


async def managed_containers(settings: Settings, which: str) -> list[str]:
    """The ids of this folder's containers: `all`, or the releases that do not run (`stopped`)."""
    argv = ["podman", "ps", "--all", f"--filter=label={LABEL}.home={settings.home}"]
    if which == "stopped":  # a one-off command that has ended is not run again
        argv += [f"--filter=label={LABEL}.slot"]
    argv += ["--format={{.ID}} {{.State}}"]
    listed = await run(argv, env=podman_environment(settings), seconds=30)
    rows = [line.split(maxsplit=1) for line in listed.stdout.splitlines()]
    return [row[0] for row in rows if which == "all" or row[1:] != ["running"]]


def bridge_is_stale() -> bool:
    """Whether Podman's bridge is there but down, as a killed network namespace leaves it.

    Published ports then time out without a word. Only root's Podman has that bridge on the host.
    """
    try:
        state = Path("/sys/class/net/podman0/operstate").read_text().strip()
    except OSError:
        return False
    return state == "down" and os.geteuid() == 0
