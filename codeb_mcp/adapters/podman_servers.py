"""Runs database servers by Podman alone: its restart policy keeps them up."""

import json
from pathlib import Path
from typing import Any

from codeb_mcp.adapters.database_parts import ServerParts
from codeb_mcp.adapters.podman_client import Podman, failure_of
from codeb_mcp.adapters.podman_runtime import remove_container
from codeb_mcp.domain.databases import Server, ServerSpec
from codeb_mcp.domain.host import LABEL
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import ProjectName
from codeb_mcp.errors import CodebError, HostNotReady, SystemFailed
from codeb_mcp.planning.database_servers import networks, server_container, spec_digest


class PodmanServers:
    """`DatabaseServers` over a Podman; those of another codeb folder than `home` are strangers'."""

    def __init__(self, podman: Podman, home: str) -> None:
        self._podman = podman
        self._parts = ServerParts(home)

    async def can_limit_memory(self) -> bool:
        """Whether this host holds a container to a limit of memory."""
        return await self._podman.run(self._parts.limits_memory, "say what it can limit")

    async def running(self, server: Server) -> bool:
        """Whether its container runs."""

        def work(client: Any) -> bool:
            return _runs(self._parts.container(client, server))

        return await self._podman.run(work, f"look at {server.name}")

    async def start(self, spec: ServerSpec, password: Secret) -> None:
        """Have it run as `spec` says, its volume and networks made when absent."""

        def work(client: Any) -> None:
            seen = self._parts.container(client, spec.server)
            if seen is not None and _as_wanted(seen, spec):
                if not _runs(seen):
                    _start(client, spec)
                self._parts.connect(client, spec.server, networks(spec))
                return
            if seen is not None:
                remove_container(client, seen)
            self._parts.make(client, spec.server, password)
            Path(spec.log_path).parent.mkdir(parents=True, exist_ok=True)
            body = json.dumps(server_container(spec))
            made = client.api.post("/containers/create", data=body)
            if made.status_code >= 400:
                raise start_failed(spec, failure_of(made))
            _start(client, spec)

        await self._podman.run(work, f"start {spec.server.name}")

    async def leave(self, spec: ServerSpec, project: ProjectName) -> None:
        """Take a shared server out of a project's network."""

        def work(client: Any) -> None:
            if _runs(self._parts.container(client, spec.server)):
                self._parts.connect(client, spec.server, networks(spec))

        await self._podman.run(work, f"take {spec.server.name} out of codeb-{project}")

    async def stop(self, server: Server) -> None:
        """Stop it and remove container and secret; the data stays. Absent is fine."""

        def work(client: Any) -> None:
            seen = self._parts.container(client, server)
            if seen is not None:
                remove_container(client, seen)
            self._parts.remove_secret(client, server)

        await self._podman.run(work, f"stop {server.name}")

    async def remove_data(self, server: Server) -> None:
        """Remove a stopped server's volume; absent is fine."""
        await self._podman.run(
            lambda client: self._parts.remove_volume(client, server),
            f"remove the volume {server.name}",
        )


def start_failed(spec: ServerSpec, reason: str) -> CodebError:
    """The error for a server that cannot be started."""
    taken = "address already in use" in reason
    if "memory.max" in reason or "controller" in reason:
        return HostNotReady(
            f"this host cannot hold {spec.server} to a limit of memory: {reason}",
            hint="have systemd delegate the memory controller to this account (Delegate=memory "
            "for user@.service), or leave --memory out",
            code="limits_unsupported",
        )
    return SystemFailed(
        f"{spec.server} cannot be started: {reason}",
        hint=f"see who has port {spec.port}: ss -ltnp 'sport = :{spec.port}'"
        if taken
        else f"see its log: {spec.log_path}",
        code="port_taken" if taken else "database_not_started",
    )


def _start(client: Any, spec: ServerSpec) -> None:
    started = client.api.post(f"/containers/{spec.server.name}/start")
    if started.status_code >= 400:
        client.api.delete(f"/containers/{spec.server.name}", params={"force": True})
        raise start_failed(spec, failure_of(started))


def _runs(seen: dict[str, Any] | None) -> bool:
    return seen is not None and seen["State"]["Status"] == "running"


def _as_wanted(seen: dict[str, Any], spec: ServerSpec) -> bool:
    return bool(seen["Config"]["Labels"].get(f"{LABEL}.spec") == spec_digest(spec))
