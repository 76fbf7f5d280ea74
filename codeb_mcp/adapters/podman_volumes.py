"""The volumes of environments, in Podman."""

import json
from collections.abc import Iterator
from typing import Any

from codeb_mcp.adapters.podman_client import Podman, failure_of
from codeb_mcp.domain.confinement import Volume
from codeb_mcp.domain.host import LABEL
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import Refused, SystemFailed


class PodmanVolumes:
    """`Volumes` over a Podman. With `home`, those of another codeb folder are strangers'."""

    def __init__(self, podman: Podman, home: str | None) -> None:
        self._podman = podman
        self._home = home

    async def of(self, key: EnvironmentKey) -> frozenset[str]:
        """The names of the environment's volumes, without Podman's prefix."""
        ours = f"{LABEL}.project={key.project}"

        def work(client: Any) -> frozenset[str]:
            answer = client.api.get(
                "/volumes/json", params={"filters": json.dumps({"label": [ours]})}
            )
            answer.raise_for_status()
            return frozenset(self._names(key, answer.json()))

        return await self._podman.run(work, f"list the volumes of {key}")

    async def create(self, key: EnvironmentKey, volume: Volume) -> None:
        """Make a volume; having it already is fine. Refused when one of that name is not ours."""
        name = key.volume(volume.name)
        labels = {
            **self._labels(key),
            f"{LABEL}.managed": "true",
            f"{LABEL}.home": self._home or "",
            f"{LABEL}.volume": str(volume.name),
        }

        def work(client: Any) -> None:
            if self._seen(client, key, name):
                return
            wanted = json.dumps({"Name": name, "Labels": labels})
            answer = client.api.post("/volumes/create", data=wanted)
            if answer.status_code >= 400 and not self._seen(client, key, name):
                answer.raise_for_status()

        await self._podman.run(work, f"make the volume {name}")

    async def remove(self, key: EnvironmentKey, name: str) -> None:
        """Remove a volume with its data; absent is fine. SystemFailed while it is in use."""
        volume = key.volume(name)

        def work(client: Any) -> None:
            if not self._seen(client, key, volume):
                return
            answer = client.api.delete(f"/volumes/{volume}")
            if answer.status_code == 409:
                raise SystemFailed(
                    f"the volume {volume} is in use: {failure_of(answer)}",
                    hint="end what uses it (podman ps --all --filter "
                    f"volume={volume}), then call again",
                    code="volume_in_use",
                )
            if answer.status_code != 404:
                answer.raise_for_status()

        await self._podman.run(work, f"remove the volume {volume}")

    def _names(self, key: EnvironmentKey, listed: list[dict[str, Any]]) -> Iterator[str]:
        for seen in listed:
            labels = seen.get("Labels") or {}
            name = labels.get(f"{LABEL}.volume", "")
            # Podman takes two labels in a filter for either
            if self._labels(key).items() <= labels.items() and seen["Name"] == key.volume(name):
                yield name

    def _labels(self, key: EnvironmentKey) -> dict[str, str]:
        home = {} if self._home is None else {f"{LABEL}.home": self._home}
        return {
            f"{LABEL}.project": str(key.project),
            f"{LABEL}.environment": str(key.environment),
            **home,
        }

    def _seen(self, client: Any, key: EnvironmentKey, name: str) -> bool:
        answer = client.api.get(f"/volumes/{name}/json")
        if answer.status_code == 404:
            return False
        answer.raise_for_status()
        labels = answer.json().get("Labels") or {}
        if not self._labels(key).items() <= labels.items():
            raise Refused(
                f"a volume {name} exists that is not this codeb's",
                hint=f"see what is in it, then rename it or choose another name: podman volume "
                f"inspect {name}",
                code="foreign_volume",
            )
        return True
