"""Runs containers by Podman alone: its restart policy keeps them up."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from codeb_mcp.adapters.env_files import parse_env
from codeb_mcp.adapters.podman_client import Podman
from codeb_mcp.adapters.podman_observe import (
    NOT_RUNNING,
    belongs_to,
    inspected,
    listed_containers,
    observed_container,
    owner_of,
    tcp_listeners,
)
from codeb_mcp.adapters.start_errors import start_error
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.host import LABEL, ContainerSpec, ObservedContainer
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.errors import InvalidRequest, Refused
from codeb_mcp.planning.confined import create_options
from codeb_mcp.planning.quadlet import same_release

_LOG_BYTES = 10_000_000
_STOP_MARGIN = 60.0
_LONGEST_STOP = 600.0


class PodmanRuntime:
    """`Runtime` over the Podman that answers on `socket_path`; `embedded` as for `Podman`.

    Containers of another codeb folder than `home` are strangers' to it.
    """

    name = "podman"

    def __init__(self, socket_path: Path, *, home: str = "", embedded: bool = False) -> None:
        self._home = home
        self._podman = Podman(socket_path, embedded=embedded)

    async def observe(self, key: EnvironmentKey) -> dict[Slot, ObservedContainer]:
        """The containers of ours in an environment's slots; absent ones are left out."""
        labels = [f"{LABEL}.project={key.project}", f"{LABEL}.environment={key.environment}"]

        def work(client: Any) -> dict[Slot, ObservedContainer]:
            answer = client.api.get(
                "/containers/json",
                params={"all": True, "filters": json.dumps({"label": labels})},
            )
            answer.raise_for_status()
            found = {}
            for listed in answer.json():
                seen = inspected(client, listed["Id"])
                slot = seen and belongs_to(seen, key, self._home)
                if seen and slot:
                    found[slot] = observed_container(seen, slot)
            return found

        return await self._podman.run(work, f"list the containers of {key}")

    async def start(self, spec: ContainerSpec) -> None:
        """Start `spec`, replacing what is in its slot. Does nothing if it already runs there."""

        def work(client: Any) -> None:
            before = inspected(client, spec.name)
            if before is not None:
                _require_ours(before, spec.key, spec.slot, self._home)
                seen = observed_container(before, spec.slot)
                if seen.running and same_release(seen, spec):
                    return
                remove_container(client, before)
            _create_and_start(client, spec)

        await self._podman.run(work, f"start {spec.name}")

    async def stop(self, key: EnvironmentKey, slot: Slot) -> None:
        """Stop the slot gracefully and remove its container; absent is fine."""
        name = key.container(slot)

        def work(client: Any) -> None:
            seen = inspected(client, name)
            if seen is not None:
                _require_ours(seen, key, slot, self._home)
                remove_container(client, seen)

        await self._podman.run(work, f"stop {name}")

    async def owned(self) -> tuple[tuple[EnvironmentKey, Slot], ...]:
        """Where containers of this codeb folder are, whatever the registry says."""

        def work(client: Any) -> list[tuple[EnvironmentKey, Slot]]:
            return listed_containers(client, self._home)

        return tuple(await self._podman.run(work, "list codeb's containers"))

    async def listening_ports(self, container: ObservedContainer) -> tuple[int, ...]:
        """The TCP ports that the container listens on inside; empty when it cannot be told."""
        return await in_thread(tcp_listeners)(container.pid)


def _require_ours(seen: dict[str, Any], key: EnvironmentKey, slot: Slot, home: str) -> None:
    name = key.container(slot)
    if belongs_to(seen, key, home) is not slot:
        raise Refused(
            f"a container named {name} exists that is not this codeb's ({owner_of(seen)})",
            hint=f"rename or remove it: podman rename {name} NEW-NAME",
            code="foreign_container",
        )
    if unit := (seen["Config"].get("Labels") or {}).get("PODMAN_SYSTEMD_UNIT"):
        raise Refused(
            f"{name} is run by systemd as {unit}, which would start it again",
            hint="set runtime to quadlet, or remove the unit first",
            code="other_runtime",
        )


def _create_and_start(client: Any, spec: ContainerSpec) -> None:
    Path(spec.log_path).parent.mkdir(parents=True, exist_ok=True)
    try:
        # by id: a tag can be moved between the look at it and the start
        container = client.containers.create(
            spec.image_id, list(spec.command) or None, **_options(spec)
        )
    except OSError as error:
        raise start_error(spec, error) or error from None
    try:
        container.start()
    except OSError as error:
        # what cannot start would hold the name, and would be found as a dead release of ours
        client.api.delete(f"/containers/{container.id}", params={"force": True, "v": True})
        raise start_error(spec, error) or error from None


def _options(spec: ContainerSpec) -> dict[str, Any]:
    from_file = _env_file(Path(spec.env_file)) if spec.env_file else {}
    return {
        "name": spec.name,
        "labels": spec.labels,
        "ports": {f"{spec.container_port}/tcp": ("127.0.0.1", spec.host_port)},
        "environment": {**from_file, **dict(spec.env)},
        "restart_policy": {"Name": "always"},
        "log_config": {
            "Type": "k8s-file",
            "Config": {"path": spec.log_path, "size": _LOG_BYTES},
        },
        **create_options(spec.key, spec.confinement, spec.network),
        # Podman's health checks are timers of systemd, which may not be there; codeb asks itself
        "no_healthcheck": True,
        "stop_timeout": spec.stop_timeout,
    }


def _env_file(path: Path) -> dict[str, str]:
    try:
        return parse_env(path.read_text(), path)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"the env file {path} cannot be read: {error}",
            hint="put it back, then deploy again",
            code="invalid_env_file",
        ) from None


def remove_container(client: Any, seen: dict[str, Any]) -> None:
    """Stop a container gracefully and remove it."""
    path = f"/containers/{quote(seen['Id'])}"
    seconds = min(float(seen["Config"].get("StopTimeout") or 10), _LONGEST_STOP) + _STOP_MARGIN
    if seen["State"]["Status"] not in NOT_RUNNING:
        stopped = client.api.post(f"{path}/stop", timeout=seconds)
        if stopped.status_code not in (204, 304, 404):
            stopped.raise_for_status()
    removed = client.api.delete(path, params={"force": True, "v": True}, timeout=seconds)
    if removed.status_code != 404:
        removed.raise_for_status()
