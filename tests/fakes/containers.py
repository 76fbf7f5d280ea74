"""Images and containers in memory. Each passes the contract suite of its Protocol."""

import hashlib
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from codeb_mcp.adapters.podman_build import build_file
from codeb_mcp.domain.host import (
    ContainerSpec,
    ContainerState,
    ObservedContainer,
    ResolvedImage,
)
from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.domain.tidiness import OwnedImage
from codeb_mcp.domain.watching import Told, unwatched
from codeb_mcp.errors import DeployFailed, HostNotReady, InvalidRequest, Refused, SystemFailed
from codeb_mcp.planning.quadlet import same_release
from tests.fakes.network import FakeProbe

WRONG_PORT = 9999


class Application(StrEnum):
    """What the program in an image does."""

    HEALTHY = "healthy"
    EXITS = "exits"
    WRONG_PORT = "wrong_port"
    ERRORS = "errors"
    MUTE = "mute"


@dataclass
class FakeImages:
    """Images by reference; `add` puts one into every registry there is.

    `denied` are references that need a login, `unbuildable` folders whose build fails.
    `down` is Podman not answering. `in_use` are the tags that containers were made from.
    """

    known: dict[str, ResolvedImage] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    local: dict[str, str] = field(default_factory=dict)
    folders: dict[Path, Application] = field(default_factory=dict)
    unbuildable: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    in_use: set[str] = field(default_factory=set)
    removed: list[str] = field(default_factory=list)
    down: bool = False
    free: int = 10**12
    made: int = 0

    def add(
        self,
        reference: str,
        application: Application = Application.HEALTHY,
        ports: tuple[int, ...] = (8080,),
    ) -> ResolvedImage:
        """Push a new image under `reference`, in place of the one that had the name."""
        self.made += 1
        image_id = hashlib.sha256(f"{reference} {self.made}".encode()).hexdigest()
        image = ResolvedImage(reference, image_id, f"sha256:{image_id[::-1]}", ports)
        self.known[reference] = image
        self.applications[image_id] = application
        return image

    async def pull(self, reference: ImageReference, told: Told = unwatched) -> ResolvedImage:
        self._require_up()
        await told("layer 1 of 1")
        if reference in self.denied:
            raise InvalidRequest(
                f"access to image {reference} is denied",
                hint="podman login",
                code="image_access_denied",
            )
        found = self.known.get(reference) or next(
            (
                image
                for image in self.known.values()
                if image.id.startswith(reference) or image.id == self.local.get(reference)
            ),
            None,
        )
        if found is None:
            raise InvalidRequest(
                f"there is no image {reference}", hint="check its name", code="image_not_found"
            )
        self.local[reference] = found.id
        return replace(found, reference=str(reference))

    async def build(
        self, folder: Path, tag: ImageReference, told: Told = unwatched
    ) -> ResolvedImage:
        self._require_up()
        build_file(folder)
        await told("STEP 1/1: FROM scratch")
        if folder in self.unbuildable:
            raise DeployFailed(
                f"building {folder} failed", code="build_failed", log_tail=self.unbuildable[folder]
            )
        self.add(tag, self.folders.get(folder, Application.HEALTHY))
        return await self.pull(tag)

    async def tag(self, image_id: str, tag: str) -> None:
        self._require_up()
        if image_id not in self.applications:
            raise InvalidRequest(f"there is no image {image_id}", code="image_not_found")
        self.local[tag] = image_id

    async def release_tags(self, key: EnvironmentKey) -> dict[int, str]:
        self._require_up()
        start = f"localhost/codeb/{key.project}/{key.environment}:r"
        tags = [tag for tag in self.local if tag.startswith(start)]
        return dict(sorted((int(tag.removeprefix(start)), tag) for tag in tags))

    async def find(self, reference: str) -> ResolvedImage | None:
        self._require_up()
        name, _, digest = reference.partition("@")
        here = {known.id: known for known in self.known.values()}
        for tag, image_id in self.local.items():
            image = here.get(image_id)
            if image is None:
                continue
            same = tag.rpartition(":")[0] == name and image.digest == digest
            if same if digest else tag == name:
                return replace(image, reference=reference)
        return None

    async def owned(self) -> tuple[OwnedImage, ...]:
        self._require_up()
        found = []
        for tag, image_id in self.local.items():
            match tag.split("/"):
                case ["localhost", "codeb", project, rest] if ":r" in rest:
                    environment, _, number = rest.partition(":r")
                    key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
                    found.append(OwnedImage(key, int(number), tag, image_id))
        return tuple(found)

    async def drop(self, reference: ImageReference, image_id: str) -> None:
        if self.local.get(reference) == image_id:
            self._untag(reference)

    async def untag(self, tag: str) -> None:
        self._require_up()
        if not tag.startswith("localhost/codeb/"):
            raise InvalidRequest(f"{tag} is not a release image", code="not_a_release_image")
        self._untag(tag)

    def _untag(self, tag: str) -> None:
        if tag not in self.in_use and self.local.pop(tag, None) is not None:
            self.removed.append(tag)

    def _require_up(self) -> None:
        if self.down:
            raise HostNotReady("Podman does not answer", hint="start it", code="podman_down")


@dataclass
class FakeRuntime:
    """Containers in a dict. What runs answers through `probe`, as the image's application does.

    `foreign` are the names of containers that are not codeb's; `starts` and `stops` count work.
    """

    images: FakeImages = field(default_factory=FakeImages)
    probe: FakeProbe = field(default_factory=FakeProbe)
    specs: dict[str, ContainerSpec] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    starts: list[ContainerSpec] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    name: str = "podman"

    async def observe(self, key: EnvironmentKey) -> dict[Slot, ObservedContainer]:
        self._require_up()
        return {spec.slot: self._seen(spec) for spec in self.specs.values() if spec.key == key}

    async def start(self, spec: ContainerSpec) -> None:
        self._require_up()
        self._require_ours(spec.name)
        before = self.specs.get(spec.name)
        if before is not None:
            seen = self._seen(before)
            if seen.running and same_release(seen, spec):
                return
            self._remove(spec.name)
        if spec.image_id not in self.images.local.values():
            raise InvalidRequest(f"there is no image {spec.image}", code="image_not_found")
        if not self.probe.port_is_free(spec.host_port) or spec.host_port in self._ports():
            raise SystemFailed(f"port {spec.host_port} is taken", code="port_taken")
        self.specs[spec.name] = spec
        self.starts.append(spec)
        self.pids[spec.name] = 1000 + len(self.starts)
        self.images.in_use.add(spec.image)
        match self._application(spec):
            case Application.HEALTHY:
                self.probe.serve(spec.host_port, 200)
            case Application.ERRORS:
                self.probe.serve(spec.host_port, 500)
            case Application.EXITS | Application.WRONG_PORT | Application.MUTE:
                pass

    async def stop(self, key: EnvironmentKey, slot: Slot) -> None:
        self._require_up()
        self._require_ours(key.container(slot))
        if key.container(slot) in self.specs:
            self.stops.append(key.container(slot))
            self._remove(key.container(slot))

    async def owned(self) -> tuple[tuple[EnvironmentKey, Slot], ...]:
        self._require_up()
        return tuple((spec.key, spec.slot) for spec in self.specs.values())

    async def listening_ports(self, container: ObservedContainer) -> tuple[int, ...]:
        spec = self.specs.get(container.name)
        if spec is None or container.pid is None:
            return ()
        match self._application(spec):
            case Application.WRONG_PORT:
                return (WRONG_PORT,)
            case Application.MUTE:
                return ()
            case _:
                return (spec.container_port,)

    def _seen(self, spec: ContainerSpec) -> ObservedContainer:
        exits = self._application(spec) is Application.EXITS
        return ObservedContainer(
            name=spec.name,
            slot=spec.slot,
            release=spec.release,
            image_id=spec.image_id,
            spec_digest=spec.digest,
            state=ContainerState.EXITED if exits else ContainerState.RUNNING,
            exit_code=1 if exits else None,
            restarts=3 if exits else 0,
            pid=None if exits else self.pids[spec.name],
        )

    def _application(self, spec: ContainerSpec) -> Application:
        return self.images.applications.get(spec.image_id, Application.HEALTHY)

    def _ports(self) -> set[int]:
        return {spec.host_port for spec in self.specs.values()}

    def _remove(self, name: str) -> None:
        spec = self.specs.pop(name)
        self.probe.answers.pop(spec.host_port, None)
        self.images.in_use = {other.image for other in self.specs.values()}

    def _require_up(self) -> None:
        if self.images.down:
            raise HostNotReady("Podman does not answer", hint="start it", code="podman_down")

    def _require_ours(self, name: str) -> None:
        if name in self.foreign:
            raise Refused(f"container {name} is not codeb's", code="foreign_container")
