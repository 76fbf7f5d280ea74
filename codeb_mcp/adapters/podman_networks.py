"""The networks of projects, in Podman."""

import json
from typing import Any

from codeb_mcp.adapters.podman_client import Podman, failure_of
from codeb_mcp.domain.host import LABEL
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import Refused

_IN_USE = "being used"


class PodmanNetworks:
    """`Networks` over a Podman. With `home`, those of another codeb folder are strangers'."""

    def __init__(self, podman: Podman, home: str | None) -> None:
        self._podman = podman
        self._home = home

    async def exists(self, key: EnvironmentKey) -> bool:
        """Whether the project's network is there. Refused when one of that name is not ours."""
        return await self._podman.run(
            lambda client: self._seen(client, key), f"look up the network {key.network}"
        )

    async def create(self, key: EnvironmentKey) -> None:
        """Make it; having it already is fine."""
        wanted = {
            "name": key.network,
            "driver": "bridge",
            "dns_enabled": True,
            # without it the host would forward from one network to another
            "options": {"isolate": "true"},
            "labels": {
                f"{LABEL}.managed": "true",
                f"{LABEL}.home": self._home or "",
                f"{LABEL}.project": str(key.project),
            },
        }

        def work(client: Any) -> None:
            if self._seen(client, key):
                return
            answer = client.api.post("/networks/create", data=json.dumps(wanted))
            # another deploy of the project may have been quicker
            if answer.status_code >= 400 and not self._seen(client, key):
                answer.raise_for_status()

        await self._podman.run(work, f"make the network {key.network}")

    async def remove(self, key: EnvironmentKey) -> None:
        """Remove it; one that is absent, or that containers are connected to, is left alone."""

        def work(client: Any) -> None:
            if not self._seen(client, key):
                return
            answer = client.api.delete(f"/networks/{key.network}")
            if answer.status_code not in (200, 204, 404) and _IN_USE not in failure_of(answer):
                answer.raise_for_status()

        await self._podman.run(work, f"remove the network {key.network}")

    def _seen(self, client: Any, key: EnvironmentKey) -> bool:
        answer = client.api.get(f"/networks/{key.network}/json")
        if answer.status_code == 404:
            return False
        answer.raise_for_status()
        labels = answer.json().get("labels") or {}
        ours = labels.get(f"{LABEL}.project") == str(key.project)
        if not ours or self._home not in (None, labels.get(f"{LABEL}.home")):
            raise Refused(
                f"a network {key.network} exists that is not this codeb's",
                hint=f"see what it is for, then remove it: podman network rm {key.network}",
                code="foreign_network",
            )
        return True
