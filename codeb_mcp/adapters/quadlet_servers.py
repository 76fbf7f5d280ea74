"""Runs database servers under systemd by Quadlet: they come back after a crash and at boot."""

import os
from pathlib import Path
from typing import Any

from codeb_mcp.adapters.database_parts import ServerParts
from codeb_mcp.adapters.files import sweep, sync_folder, write_atomic
from codeb_mcp.adapters.podman_client import Podman
from codeb_mcp.adapters.podman_runtime import remove_container
from codeb_mcp.adapters.podman_servers import start_failed
from codeb_mcp.adapters.quadlet_units import check_unit, unit_folder
from codeb_mcp.adapters.systemd import Systemd
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.databases import Server, ServerSpec
from codeb_mcp.domain.host import LABEL
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import ProjectName
from codeb_mcp.errors import Refused
from codeb_mcp.planning.database_servers import networks, server_unit, spec_digest
from codeb_mcp.planning.quadlet import MARK, service_name, unit_name


class QuadletServers:
    """`DatabaseServers` over systemd and a Podman of the same account."""

    def __init__(self, podman: Podman, units: Path | None = None) -> None:
        self._podman = podman
        self._parts = ServerParts(None)
        self._units = units or unit_folder(os.environ)
        self._systemd = Systemd()

    async def can_limit_memory(self) -> bool:
        """Whether this host holds a container to a limit of memory."""
        return await self._podman.run(self._parts.limits_memory, "say what it can limit")

    async def running(self, server: Server) -> bool:
        """Whether its container runs."""
        seen = await self._seen(server)
        return seen is not None and seen["State"]["Status"] == "running"

    async def start(self, spec: ServerSpec, password: Secret) -> None:
        """Have it run as `spec` says, its volume and networks made when absent."""
        server = spec.server
        seen = await self._seen(server)
        same = _spec_of(seen) == spec_digest(spec)
        await self._podman.run(
            lambda client: self._parts.make(client, server, password),
            f"make the volume and the secret of {server.name}",
        )
        await self._install(spec)
        if seen is not None and same and seen["State"]["Status"] == "running":
            await self._connect(spec)
            return
        Path(spec.log_path).parent.mkdir(parents=True, exist_ok=True)
        ended = await self._systemd.restart(service_name(server.name))
        if ended.returncode != 0:
            lines = await self._systemd.journal(service_name(server.name), server.name, 0)
            said = next((line for line in reversed(lines) if "Error: " in line), ended.last_error)
            raise start_failed(spec, said)

    async def leave(self, spec: ServerSpec, project: ProjectName) -> None:  # noqa: ARG002
        """Take a shared server out of a project's network, without a restart."""
        await self._install(spec)
        if await self.running(spec.server):
            await self._connect(spec)

    async def stop(self, server: Server) -> None:
        """Stop it and remove container, unit and secret; the data stays. Absent is fine."""
        service = service_name(server.name)
        await in_thread(self._read)(server)
        await self._systemd.stop(service)
        await self._systemd.forget_failures(service)
        async with self._systemd.changing_units():
            await in_thread(self._remove)(server)
            await self._systemd.reload()

        def work(client: Any) -> None:
            seen = self._parts.container(client, server)
            if seen is not None:
                remove_container(client, seen)
            self._parts.remove_secret(client, server)

        await self._podman.run(work, f"remove {server.name}")

    async def remove_data(self, server: Server) -> None:
        """Remove a stopped server's volume; absent is fine."""
        await self._podman.run(
            lambda client: self._parts.remove_volume(client, server),
            f"remove the volume {server.name}",
        )

    async def _seen(self, server: Server) -> dict[str, Any] | None:
        return await self._podman.run(
            lambda client: self._parts.container(client, server), f"look at {server.name}"
        )

    async def _connect(self, spec: ServerSpec) -> None:
        await self._podman.run(
            lambda client: self._parts.connect(client, spec.server, networks(spec)),
            f"connect {spec.server.name} to its networks",
        )

    async def _install(self, spec: ServerSpec) -> None:
        """Write the unit, and have systemd read it; what runs goes on."""
        text = server_unit(spec)
        if await in_thread(self._read)(spec.server) == text:
            return
        await check_unit(unit_name(spec.server.name), text)
        async with self._systemd.changing_units():
            await in_thread(self._write)(spec.server, text)
            await self._systemd.reload()

    def _path(self, server: Server) -> Path:
        return self._units / unit_name(server.name)

    def _read(self, server: Server) -> str | None:
        path = self._path(server)
        try:
            text = path.read_text()
        except FileNotFoundError:
            return None
        if not text.startswith(MARK) or f"{LABEL}.database={server.engine}" not in text:
            raise Refused(
                f"{path} exists and was not written by codeb for a database",
                hint="see what it is, then rename it",
                code="foreign_unit",
            )
        return text

    def _write(self, server: Server, text: str) -> None:
        path = self._path(server)
        sweep(self._units, path.name)
        write_atomic(path, text)

    def _remove(self, server: Server) -> None:
        path = self._path(server)
        sweep(self._units, path.name)
        if path.exists():
            path.unlink()
            sync_folder(path.parent)


def _spec_of(seen: dict[str, Any] | None) -> str:
    return str((seen["Config"].get("Labels") or {}).get(f"{LABEL}.spec")) if seen else ""
