"""Local image storage through Podman: pulling, naming and pruning."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from codeb_mcp.adapters.auth_file import AuthFile
from codeb_mcp.adapters.podman_build import build_file, build_image
from codeb_mcp.adapters.podman_client import Podman
from codeb_mcp.adapters.podman_pull import Puller
from codeb_mcp.domain.host import LABEL, ResolvedImage
from codeb_mcp.domain.names import ImageReference
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.tidiness import OwnedImage
from codeb_mcp.domain.watching import Told, unwatched
from codeb_mcp.errors import InvalidRequest

_IMAGE_ID = re.compile(r"[0-9a-f]{12,64}")
_RELEASE_TAG = re.compile(r"r([1-9][0-9]*)")
_OURS = "localhost/codeb/"
_WHICH = ("project", "environment", "release")


class PodmanImages:
    """`Images` over the Podman that answers on `socket_path`.

    `environment` is added to that of `podman build`. `embedded` as for `Podman`. `logins` are
    those at registries, `base_images` where builds take official images from (the build argument
    BASE), `free_disk` the bytes that must stay free. The times, in seconds, bound a whole pull,
    how long a registry may send nothing meanwhile, and a whole build.
    """

    def __init__(
        self,
        socket_path: Path,
        environment: Mapping[str, str] | None = None,
        *,
        embedded: bool = False,
        logins: AuthFile | None = None,
        base_images: str | None = None,
        free_disk: int = 0,
        pull_seconds: float = 3600.0,
        pull_patience: float = 60.0,
        build_seconds: float = 1800.0,
    ) -> None:
        self._podman = Podman(socket_path, embedded=embedded)
        self._environment = dict(environment or {})
        self._logins = logins
        self._base_images = base_images
        self._build_seconds = build_seconds
        self._puller = Puller(
            self._podman,
            logins,
            free_disk=free_disk,
            seconds=pull_seconds,
            patience=pull_patience,
        )

    async def pull(self, reference: ImageReference, told: Told = unwatched) -> ResolvedImage:
        """Fetch the newest image of that name; one under `localhost/` is only looked up."""
        local = reference.startswith("localhost/") or _IMAGE_ID.fullmatch(reference)
        name = str(reference) if local else await self._puller.pull(reference, told)
        found = await self._podman.run(
            lambda client: _looked_up(client, name), f"look up {reference}"
        )
        return replace(found, reference=str(reference))

    async def build(
        self, folder: Path, tag: ImageReference, told: Told = unwatched
    ) -> ResolvedImage:
        """Build the folder's Containerfile or Dockerfile and name the image `tag`."""
        build_file(folder)
        await self._puller.require_room(None, f"building {folder}")
        image_id = await build_image(
            self._podman,
            folder,
            tag,
            environment=self._environment,
            seconds=self._build_seconds,
            told=told,
            options=self._build_options(),
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

        The tag of a release that a container runs stays, whatever name the container knows.
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

    def _build_options(self) -> list[str]:
        """Nothing secret: logins are named by their file, and BASE is a public name."""
        options = [f"--build-arg=BASE={self._base_images}"] if self._base_images else []
        if self._logins is not None and self._logins.registries():
            options.append(f"--authfile={self._logins.path}")
        return options


def _untag(client: Any, tag: str) -> None:
    containers = client.api.get("/containers/json", params={"all": True})
    containers.raise_for_status()
    if any(tag in (seen["Image"], _tag_of(seen)) for seen in containers.json()):
        return
    answer = client.api.delete(f"/images/{quote(tag, safe='')}")
    # 404: it is gone; 409: a container uses the image and this is its last name
    if answer.status_code not in (404, 409):
        answer.raise_for_status()


def _tag_of(container: Mapping[str, Any]) -> str:
    """The tag of the release that a container of codeb's says it runs."""
    label = {word: (container.get("Labels") or {}).get(f"{LABEL}.{word}", "") for word in _WHICH}
    return f"{_OURS}{label['project']}/{label['environment']}:r{label['release']}"


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
