"""Releases: one image put into an environment, immutable and numbered."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReleaseStatus(StrEnum):
    """How a release stands. Only one release of an environment is `live`."""

    STARTING = "starting"
    LIVE = "live"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Release:
    """`image` is the reference as asked for; `digest` (`sha256:…`) is what it resolved to."""

    number: int
    image: str
    digest: str
    version: str
    slot: str
    status: ReleaseStatus
    requested_by: str
    started_at: datetime
    finished_at: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class NewRelease:
    """What is known of a release before it starts."""

    number: int
    image: str
    digest: str
    version: str
    slot: str
    requested_by: str
