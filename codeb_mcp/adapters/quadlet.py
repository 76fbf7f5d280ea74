"""Runs containers under systemd by Quadlet: they come back after a crash and at boot."""

import os
import time
from pathlib import Path
from typing import Any

import anyio

from codeb_mcp.adapters.podman_client import Podman
from codeb_mcp.adapters.podman_observe import (
    belongs_to,
    inspected,
    listed_containers,
    owner_of,
    tcp_listeners,
)
from codeb_mcp.adapters.podman_runtime import remove_container
from codeb_mcp.adapters.quadlet_units import InstalledUnit, UnitFiles, check_unit, unit_folder
from codeb_mcp.adapters.start_errors import start_error_from
from codeb_mcp.adapters.systemd import Systemd
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.host import ContainerSpec, ContainerState, ObservedContainer
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.errors import Refused, SystemFailed
from codeb_mcp.planning.quadlet import container_unit, same_release, service_name, unit_name

_JOURNAL_TRIES = 3
_JOURNAL_SECONDS = 0.3
_PODMAN_FAILED = ("125", "126", "127")


class QuadletRuntime:
    """`Runtime` over systemd and the Podman that answers on `socket_path`, of the same account.

    `units` is the folder that Quadlet reads; the account's own when None.
    """

    name = "quadlet"

    def __init__(
        self,
        socket_path: Path,
        *,
        home: str = "",
        embedded: bool = False,
        units: Path | None = None,
    ) -> None:
        self._home = home
        self._podman = Podman(socket_path, embedded=embedded)
        self._units = UnitFiles(units or unit_folder(os.environ))
        self._systemd = Systemd()

    async def observe(self, key: EnvironmentKey) -> dict[Slot, ObservedContainer]:
        """The units of ours in an environment's slots; absent ones are left out."""
        units = await in_thread(self._installed)(key)
        services = (service_name(key.container(slot)) for slot in Slot)
        found = dict(zip(Slot, await self._systemd.show_all(*services), strict=True))
        return {
            slot: await self._observed(key, slot, units.get(slot), shown)
            for slot, shown in found.items()
            if slot in units or shown.get("SourcePath") == str(self._units.path(key, slot))
        }

    async def start(self, spec: ContainerSpec) -> None:
        """Start `spec`, replacing what is in its slot. Does nothing if it already runs there."""
        unit = await in_thread(self._units.read)(spec.key, spec.slot)
        text = container_unit(spec)
        if unit is not None and unit.text == text:
            shown = await self._systemd.show(service_name(spec.name))
            seen = await self._observed(spec.key, spec.slot, unit, shown)
            if seen.running and same_release(seen, spec):
                return
        # Quadlet runs `podman run --replace`, which would remove whatever has the name
        await self._podman.run(lambda client: _require_ours(client, spec), f"look at {spec.name}")
        await check_unit(unit_name(spec.name), text)
        await in_thread(_make_folder)(spec.log_path)
        async with self._systemd.changing_units():
            await in_thread(self._units.write)(spec.key, spec.slot, text)
            await self._systemd.reload()
        await self._run_unit(spec)

    async def stop(self, key: EnvironmentKey, slot: Slot) -> None:
        """Stop the slot gracefully and remove container and unit; absent is fine."""
        unit = await in_thread(self._units.read)(key, slot)
        service = service_name(key.container(slot))
        if unit is None:
            # the file alone may have been removed while its container still runs
            seen = await self._systemd.show(service)
            if seen.get("SourcePath") != str(self._units.path(key, slot)):
                await self._remove_left_over(key, slot)
                return
        await self._systemd.stop(service)
        # while there is a file, so that after a kill the next call finds what is left to be done
        await self._systemd.forget_failures(service)
        async with self._systemd.changing_units():
            await in_thread(self._units.remove)(key, slot)
            await self._systemd.reload()

    async def owned(self) -> tuple[tuple[EnvironmentKey, Slot], ...]:
        """Where units, or containers without one, of this codeb folder are."""

        def work(client: Any) -> list[tuple[EnvironmentKey, Slot]]:
            return listed_containers(client, self._home)

        containers = await self._podman.run(work, "list codeb's containers")
        units = await in_thread(self._units.owned)(self._home)
        return tuple(dict.fromkeys((*units, *containers)))

    async def listening_ports(self, container: ObservedContainer) -> tuple[int, ...]:
        """The TCP ports that the container listens on inside; empty when it cannot be told."""
        return await in_thread(tcp_listeners)(container.pid)

    async def _remove_left_over(self, key: EnvironmentKey, slot: Slot) -> None:
        """Remove a container of ours whose unit is gone, so that systemd knows nothing of it."""

        def work(client: Any) -> None:
            seen = inspected(client, key.container(slot))
            if seen is not None and belongs_to(seen, key, self._home) is slot:
                remove_container(client, seen)

        await self._podman.run(work, f"remove {key.container(slot)}")

    def _installed(self, key: EnvironmentKey) -> dict[Slot, InstalledUnit]:
        units = {slot: self._units.read(key, slot) for slot in Slot}
        return {slot: unit for slot, unit in units.items() if unit is not None}

    async def _observed(
        self,
        key: EnvironmentKey,
        slot: Slot,
        unit: InstalledUnit | None,
        shown: dict[str, str],
    ) -> ObservedContainer:
        """The slot as it stands; without a `unit`, what systemd still knows of one."""
        name = key.container(slot)
        container = await self._podman.run(
            lambda client: _running_container(client, key, slot), f"look at {name}"
        )
        state = _state(shown, running=container is not None)
        if container is not None:
            image_id = container["Image"]
        else:
            image_id = await self._image_id(unit.image) if unit else ""
        return ObservedContainer(
            name=name,
            slot=slot,
            release=unit.release if unit else 0,
            image_id=image_id,
            spec_digest=unit.spec_digest if unit else "",
            state=state,
            exit_code=_number(shown, "ExecMainStatus") if state is ContainerState.EXITED else None,
            restarts=_number(shown, "NRestarts"),
            pid=container["State"]["Pid"] if container else None,
        )

    async def _image_id(self, image: str) -> str:
        def work(client: Any) -> str:
            answer = client.api.get(f"/images/{image}/json")
            return str(answer.json()["Id"]) if answer.status_code == 200 else ""

        return await self._podman.run(work, f"look up {image}")

    async def _run_unit(self, spec: ContainerSpec) -> None:
        service, began = service_name(spec.name), time.time()
        ended = await self._systemd.restart(service)
        if ended.returncode == 0:
            return
        status = (await self._systemd.show(service)).get("ExecMainStatus")
        reason = await self._podman_error(spec.name, since=began - 1)
        if status not in _PODMAN_FAILED and not reason:
            # the container did start and ended at once: that is for its observer to see
            return
        await self.stop(spec.key, spec.slot)
        raise start_error_from(spec, reason) or SystemFailed(
            f"systemd could not start {service}: {reason or ended.last_error}",
            hint=f"see more: journalctl --user-unit {service}",
            code="start_failed",
        )

    async def _podman_error(self, name: str, since: float) -> str:
        """Podman's last error in the journal, or nothing.

        What it quotes from others follows on lines of its own. The application wrote nothing of
        it: its log is a file.
        """
        # Quadlet has Podman write under the unit's name; systemd's own lines are not wanted
        for _ in range(_JOURNAL_TRIES):
            said = "\n".join(await self._systemd.journal(service_name(name), name, since))
            _, found, rest = said.rpartition("Error: ")
            if found:
                return " ".join(rest.split())
            # the journal takes a moment to show what was just written
            await anyio.sleep(_JOURNAL_SECONDS)
        return ""


def _require_ours(client: Any, spec: ContainerSpec) -> None:
    seen = inspected(client, spec.name)
    if seen is not None and belongs_to(seen, spec.key) is not spec.slot:
        raise Refused(
            f"a container named {spec.name} exists that codeb did not make ({owner_of(seen)})",
            hint=f"rename or remove it: podman rename {spec.name} NEW-NAME",
            code="foreign_container",
        )


def _running_container(client: Any, key: EnvironmentKey, slot: Slot) -> dict[str, Any] | None:
    seen = inspected(client, key.container(slot))
    if seen is None or belongs_to(seen, key) is not slot:
        return None
    return seen if seen["State"]["Status"] == "running" else None


def _state(shown: dict[str, str], *, running: bool) -> ContainerState:
    match shown.get("ActiveState"), shown.get("SubState", ""):
        case "active" | "reloading", _:
            return ContainerState.RUNNING if running else ContainerState.EXITED
        case "activating", substate if not substate.startswith("auto-restart"):
            return ContainerState.STARTING
        case _:
            return ContainerState.EXITED


def _number(shown: dict[str, str], name: str) -> int:
    text = shown.get(name, "")
    return int(text) if text.isdecimal() else 0


def _make_folder(log_path: str) -> None:
    Path(log_path).parent.mkdir(parents=True, exist_ok=True)
