"""What a database server needs of Podman beside its container: volume, secret and networks."""

import json
from collections.abc import Iterable
from typing import Any

from codeb_mcp.adapters.podman_client import failure_of
from codeb_mcp.adapters.podman_observe import inspected
from codeb_mcp.domain.databases import SHARED_NETWORK, Server
from codeb_mcp.domain.host import LABEL
from codeb_mcp.domain.masking import Secret
from codeb_mcp.errors import Refused, SystemFailed
from codeb_mcp.planning.database_servers import secret_text, server_labels


class ServerParts:
    """Works with podman-py's client. With `home`, those of another codeb folder are strangers'."""

    def __init__(self, home: str | None) -> None:
        self._home = home

    def limits_memory(self, client: Any) -> bool:
        """Whether the memory controller is delegated to this account."""
        answer = client.api.get("/info")
        answer.raise_for_status()
        return "memory" in (answer.json()["host"].get("cgroupControllers") or [])

    def container(self, client: Any, server: Server) -> dict[str, Any] | None:
        """Podman's description of the server's container. Refused when it is not ours."""
        seen = inspected(client, server.name)
        if seen is not None:
            self._require_ours("container", server, seen["Config"].get("Labels"))
        return seen

    def make(self, client: Any, server: Server, password: Secret) -> None:
        """Make volume, secret and the shared servers' network; those that are there stay."""
        self._make_volume(client, server)
        self._make_secret(client, server, password)
        if server.owner is None:
            self._make_network(client)

    def remove_secret(self, client: Any, server: Server) -> None:
        """Remove the secret; absent is fine."""
        answer = client.api.delete(f"/secrets/{server.name}")
        if answer.status_code != 404:
            answer.raise_for_status()

    def remove_volume(self, client: Any, server: Server) -> None:
        """Remove the volume with its data; absent is fine."""
        answer = client.api.get(f"/volumes/{server.name}/json")
        if answer.status_code == 404:
            return
        answer.raise_for_status()
        self._require_ours("volume", server, answer.json().get("Labels"))
        removed = client.api.delete(f"/volumes/{server.name}")
        if removed.status_code == 409:
            raise SystemFailed(
                f"the volume {server.name} is in use: {failure_of(removed)}",
                hint=f"end what uses it: podman ps --all --filter volume={server.name}",
                code="volume_in_use",
            )
        if removed.status_code != 404:
            removed.raise_for_status()

    def connect(self, client: Any, server: Server, networks: Iterable[str]) -> None:
        """Have a running server be in exactly these networks."""
        seen = inspected(client, server.name) or {}
        now = set((seen.get("NetworkSettings") or {}).get("Networks") or {})
        wanted = set(networks)
        for network in sorted(wanted - now):
            joining: dict[str, object] = {"container": server.name, "aliases": [server.host]}
            _joined(client.api.post(f"/networks/{network}/connect", data=json.dumps(joining)))
        for network in sorted(now - wanted):
            leaving: dict[str, object] = {"Container": server.name, "Force": True}
            _joined(client.api.post(f"/networks/{network}/disconnect", data=json.dumps(leaving)))

    def _make_volume(self, client: Any, server: Server) -> None:
        name = server.name
        answer = client.api.get(f"/volumes/{name}/json")
        if answer.status_code == 404:
            wanted = {"Name": name, "Labels": server_labels(server, self._home or "")}
            made = client.api.post("/volumes/create", data=json.dumps(wanted))
            made.raise_for_status()
            return
        answer.raise_for_status()
        self._require_ours("volume", server, answer.json().get("Labels"))

    def _make_secret(self, client: Any, server: Server, password: Secret) -> None:
        answer = client.api.get(f"/secrets/{server.name}/json")
        if answer.status_code == 404:
            text = secret_text(server.engine, password).reveal()
            made = client.api.post(
                "/secrets/create", params={"name": server.name, "driver": "file"}, data=text
            )
            made.raise_for_status()
        else:
            answer.raise_for_status()

    def _make_network(self, client: Any) -> None:
        labels = {f"{LABEL}.managed": "true", f"{LABEL}.home": self._home or ""}
        wanted = {
            "name": SHARED_NETWORK,
            "driver": "bridge",
            "dns_enabled": True,
            "options": {"isolate": "true"},
            "labels": labels,
        }
        if client.api.get(f"/networks/{SHARED_NETWORK}/json").status_code == 404:
            made = client.api.post("/networks/create", data=json.dumps(wanted))
            if made.status_code != 409:
                made.raise_for_status()

    def _require_ours(self, what: str, server: Server, labels: dict[str, str] | None) -> None:
        wanted = server_labels(server, self._home or "")
        if self._home is None:
            del wanted[f"{LABEL}.home"]
        if not wanted.items() <= (labels or {}).items():
            raise Refused(
                f"a {what} {server.name} exists that is not this codeb's",
                hint=f"see what it is, then rename or remove it: podman {what} inspect "
                f"{server.name}",
                code=f"foreign_{what}",
            )


def _joined(answer: Any) -> None:
    if answer.status_code >= 400 and "already connected" not in failure_of(answer):
        answer.raise_for_status()
