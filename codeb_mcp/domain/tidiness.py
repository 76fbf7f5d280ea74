"""What is found on a host that codeb made and nothing needs any more."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from codeb_mcp.domain.names import ImageReference
from codeb_mcp.domain.project import EnvironmentKey, Slot


@dataclass(frozen=True, slots=True)
class OwnedImage:
    """A release's image in local storage."""

    key: EnvironmentKey
    release: int
    tag: str
    image_id: str


@dataclass(frozen=True, slots=True)
class PulledImage:
    """A name that codeb brought to this host; it named the image `image_id` then."""

    reference: ImageReference
    image_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Belongings:
    """Everything of codeb's on a host, as found on the systems themselves.

    Of the images, only those of environments that this registry has known: nothing else tells
    whose they are.
    """

    containers: Collection[tuple[EnvironmentKey, Slot]]
    routes: Collection[EnvironmentKey]
    markers: Collection[EnvironmentKey]
    logs: Mapping[EnvironmentKey, Collection[int]]
    images: Collection[OwnedImage]
    pulled: Collection[PulledImage] = ()


class GarbageKind(StrEnum):
    """What can be left over."""

    ROUTE = "route"
    CONTAINER = "container"
    MARKER = "marker"
    IMAGE = "image"
    PULLED_IMAGE = "pulled image"
    LOG = "log"
    LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Garbage:
    """One thing to remove, and why. `key` is None where it is no environment's.

    `slot`, `release` and `image_id` are given for the kinds that need them.
    """

    kind: GarbageKind
    name: str
    why: str
    key: EnvironmentKey | None = None
    slot: Slot | None = None
    release: int | None = None
    image_id: str = ""

    @property
    def sentence(self) -> str:
        """The removal as a person would say it."""
        match self.kind:
            case GarbageKind.CONTAINER:
                return f"stop and remove the container {self.name}: {self.why}"
            case GarbageKind.ROUTE:
                return f"remove the route {self.name} from Caddy: {self.why}"
            case GarbageKind.IMAGE | GarbageKind.PULLED_IMAGE:
                return f"remove the image {self.name}: {self.why}"
            case GarbageKind.MARKER | GarbageKind.LOG | GarbageKind.LOGS:
                return f"remove the {self.kind} of {self.name}: {self.why}"
            case _:
                assert_never(self.kind)
