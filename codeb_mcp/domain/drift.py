"""Where an environment differs from what the registry says of it."""

from dataclasses import dataclass
from enum import StrEnum


class DriftKind(StrEnum):
    """The ways in which it can differ."""

    PORT_MISSING = "port_missing"
    PORT_TAKEN = "port_taken"
    CONTAINER_GONE = "container_gone"
    CONTAINER_STOPPED = "container_stopped"
    OTHER_RELEASE = "other_release"
    OTHER_IMAGE = "other_image"
    MARKER_WRONG = "marker_wrong"
    ROUTE_MISSING = "route_missing"
    ROUTE_CHANGED = "route_changed"
    RECORD_WRONG = "record_wrong"
    LEFT_OVER = "left_over"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference, and what it means in words."""

    kind: DriftKind
    message: str
