"""Local image storage through Podman: pulling, naming and pruning."""

import json
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from codeb_mcp.adapters.podman_build import build_image
from codeb_mcp.adapters.podman_client import Podman, failure_of
from codeb_mcp.adapters.pull_errors import pull_error
from codeb_mcp.domain.host import ResolvedImage
from codeb_mcp.domain.names import ImageReference
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.tidiness import OwnedImage
from codeb_mcp.errors import InvalidRequest, SystemFailed

_IMAGE_ID = re.compile(r"[0-9a-f]{12,64}")
_RELEASE_TAG = re.compile(r"r([1-9][0-9]*)")
_OURS = "localhost/codeb/"


class PodmanImages:
    """`Images` over the Podman that answers on `socket_path`.

    `environment` is added to that of `podman build`. `embedded` as for `Podman`. The times, in
    seconds, bound a whole pull and a whole build.
    """

    def __init__(
        self,
        socket_path: Path,
        environment: Mapping[str, str] | None = None,
        *,
        embedded: bool = False,
        pull_seconds: float = 900.0,
        build_seconds: float = 1800.0,
    ) -> None:
        self._podman = Podman(socket_path, embedded=embedded)
        self._environment = dict(environment or {})
        self._pull_seconds = pull_seconds
        self._build_seconds = build_seconds

    async def pull(self, reference: ImageReference) -> ResolvedImage:
        """Fetch the newest image of that name; one under `localhost/` is only looked up."""

        def work(client: Any) -> ResolvedImage:
            if reference.startswith("localhost/") or _IMAGE_ID.fullmatch(reference):
                return _looked_up(client, reference)
            self._fetch(client, reference)
            return _looked_up(client, reference)

        return await self._podman.run_cancellable(work, f"pull {reference}")

    async def build(self, folder: Path, tag: ImageReference) -> ResolvedImage:
        """Build the folder's Containerfile or Dockerfile and name the image `tag`."""
        image_id = await build_image(
            self._podman, folder, tag, environment=self._environment, seconds=self._build_seconds
        )
        found = await self._podman.run(
            lambda client: _looked_up(client, image_id or tag), f"look up {tag}"
        )
        return replace(found, reference=str(tag))

    async def tag(self, image_id: str, tag: str) -> None:
        """Give a local image one more name; having it already is fine."""
        name, _, label = tag.rpartition(":")

        def work(client: Any) -> None:
            answer = client.api.post(
                f"/images/{quote(image_id, safe='')}/tag", params={"repo": name, "tag": label}
            )
            if answer.status_code == 404:
                raise _not_here(image_id)
            answer.raise_for_status()

        await self._podman.run(work, f"tag image {image_id[:12]} as {tag}")

    async def release_tags(self, key: EnvironmentKey) -> dict[int, str]:
        """The release images kept for an environment: release number to tag."""
        repository = f"{_OURS}{key.project}/{key.environment}"

        def work(client: Any) -> dict[int, str]:
            answer = client.api.get(
                "/images/json", params={"filters": json.dumps({"reference": [repository]})}
            )
            answer.raise_for_status()
            return dict(_releases(answer.json(), repository))

        return dict(sorted((await self._podman.run(work, f"list images of {key}")).items()))

    async def untag(self, tag: str) -> None:
        """Take a name away, and the image with it when that was its last; absent is fine.

        A tag that a container was made from stays: its restart would look for it.
        """
        if not tag.startswith(_OURS):
            raise InvalidRequest(
                f"image {tag} is not one of codeb's release images",
                hint=f"only tags under {_OURS} are removed",
                code="not_a_release_image",
            )

        await self._podman.run(lambda client: _untag(client, tag), f"remove the tag {tag}")

    async def find(self, reference: str) -> ResolvedImage | None:
        """The image of that name or `name@digest` in local storage, or None."""

        def work(client: Any) -> ResolvedImage | None:
            try:
                return _looked_up(client, reference)
            except InvalidRequest:
                return None

        return await self._podman.run(work, f"look up {reference}")

    async def owned(self) -> tuple[OwnedImage, ...]:
        """The release images of every environment."""

        def work(client: Any) -> tuple[OwnedImage, ...]:
            answer = client.api.get("/images/json")
            answer.raise_for_status()
            return tuple(_owned(answer.json()))

        return await self._podman.run(work, "list release images")

    async def drop(self, reference: ImageReference, image_id: str) -> None:
        """Take a name away that still names that image, as `untag` does; else do nothing."""

        def work(client: Any) -> None:
            try:
                found = _looked_up(client, reference)
            except InvalidRequest:
                return
            if found.id == image_id:
                _untag(client, reference)

        await self._podman.run(work, f"remove the image {reference}")

    async def free_bytes(self) -> int:
        """How much room is left where images are stored."""

        def work(client: Any) -> int:
            answer = client.api.get("/info")
            answer.raise_for_status()
            return shutil.disk_usage(answer.json()["store"]["graphRoot"]).free

        return await self._podman.run(work, "tell where it stores images")

    def _fetch(self, client: Any, reference: ImageReference) -> None:
        deadline = time.monotonic() + self._pull_seconds
        try:
            answer = client.api.post(
                "/images/pull",
                params={"reference": str(reference), "policy": "always"},
                timeout=(10.0, self._pull_seconds),
                stream=True,
            )
            if answer.status_code >= 400:
                raise pull_error(reference, failure_of(answer))
            for line in answer.iter_lines():
                # the answer is 200 even for a pull that fails: the reason comes as its last line
                if line and (reason := json.loads(line).get("error")):
                    raise pull_error(reference, str(reason))
                if time.monotonic() > deadline:
                    raise TimeoutError
        except OSError as error:
            if isinstance(error, TimeoutError) or "timed out" in f"{error} {error.__cause__}":
                raise SystemFailed(
                    f"image {reference} was not pulled within {self._pull_seconds:g} s",
                    hint="check the server's network to the registry, then try again; "
                    "layers already here are not fetched again",
                    code="pull_timeout",
                ) from None
            raise


def _untag(client: Any, tag: str) -> None:
    containers = client.api.get("/containers/json", params={"all": True})
    containers.raise_for_status()
    if any(seen["Image"] == tag for seen in containers.json()):
        return
    answer = client.api.delete(f"/images/{quote(tag, safe='')}")
    # 404: it is gone; 409: a container uses the image and this is its last name
    if answer.status_code not in (404, 409):
        answer.raise_for_status()


def _owned(images: list[dict[str, Any]]) -> Iterator[OwnedImage]:
    for image in images:
        for tag in image.get("RepoTags") or ():
            if not tag.startswith(_OURS):
                continue
            repository, _, label = tag.rpartition(":")
            number = _RELEASE_TAG.fullmatch(label)
            key = EnvironmentKey.of_slug(repository.removeprefix(_OURS).replace("/", "-", 1))
            if number and key and repository == f"{_OURS}{key.project}/{key.environment}":
                image_id = str(image["Id"]).removeprefix("sha256:")
                yield OwnedImage(key, int(number[1]), tag, image_id)


def _looked_up(client: Any, reference: str) -> ResolvedImage:
    answer = client.api.get(f"/images/{quote(reference, safe='')}/json")
    if answer.status_code == 404:
        raise _not_here(reference)
    answer.raise_for_status()
    seen = answer.json()
    exposed = (seen.get("Config") or {}).get("ExposedPorts") or {}
    return ResolvedImage(
        reference=str(reference),
        id=seen["Id"].removeprefix("sha256:"),
        digest=_registry_digest(seen, reference),
        exposed_ports=tuple(sorted(_tcp_ports(exposed))),
    )


def _tcp_ports(exposed: Iterable[str]) -> Iterator[int]:
    """The ports in `8080/tcp`, `9000-9005/tcp`, `53/udp`."""
    for text in exposed:
        ports, _, kind = text.partition("/")
        first, _, last = ports.partition("-")
        if kind in ("", "tcp") and first.isdecimal() and (last or first).isdecimal():
            yield from range(int(first), int(last or first) + 1)


def _registry_digest(seen: dict[str, Any], reference: str) -> str:
    if "@" in reference:
        return reference.rpartition("@")[2]
    own = str(seen.get("Digest") or "")
    last = reference.rpartition("/")[2]
    name = reference.rpartition(":")[0] if ":" in last else reference
    digests = [
        digest
        for repository, _, digest in (text.partition("@") for text in seen["RepoDigests"] or ())
        if repository == name
    ]
    return own if own in digests or not digests else digests[0]


def _releases(images: list[dict[str, Any]], repository: str) -> Iterator[tuple[int, str]]:
    for image in images:
        for tag in image.get("RepoTags") or ():
            name, _, label = tag.rpartition(":")
            if name == repository and (number := _RELEASE_TAG.fullmatch(label)):
                yield int(number[1]), tag


def _not_here(reference: str) -> InvalidRequest:
    return InvalidRequest(
        f"there is no image {reference} on this server",
        hint="build it here first, or give the name under which a registry has it",
        code="image_not_found",
    )
