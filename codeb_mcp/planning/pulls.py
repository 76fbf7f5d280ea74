"""How often a pull is tried, how much room it needs, and how far it has come."""

from dataclasses import dataclass, field

from codeb_mcp.domain.registries import Manifest
from codeb_mcp.errors import CodebError, HostNotReady

PAUSES = (1.0, 3.0, 9.0)
"""Seconds before the second, third and fourth try."""
LONGEST_PAUSE = 120.0
UNPACKED = 3
"""How much larger layers are on disk than compressed, as a rule."""
_TRANSIENT = frozenset({"registry_unreachable", "registry_rate_limited", "registry_failed"})
_COMING = ("Pulling fs layer", "Downloading")
_MEGA = 1_000_000


def pause_before_retry(
    error: CodebError, failures: int, retry_after: float | None, seconds_left: float
) -> float | None:
    """Seconds to wait after the `failures`-th failure, or None to give up.

    Only what may pass by itself is tried again. A registry that says how long to wait is heeded,
    unless that is longer than the pull may take.
    """
    lasting = error.code not in _TRANSIENT or "server gave HTTP response" in error.message
    if lasting or failures > len(PAUSES):
        return None
    pause = max(PAUSES[failures - 1], retry_after or 0.0)
    return pause if pause <= min(LONGEST_PAUSE, seconds_left) else None


def room_needed(manifest: Manifest | None, floor: int) -> int:
    """Bytes that must be free before a pull: the floor, and the layers, packed and unpacked."""
    return floor + (sum(manifest.layers) * (1 + UNPACKED) if manifest else 0)


def disk_full(what: str, place: str, free: int, needed: int) -> HostNotReady:
    """The error for a disk that is too full to begin."""
    return HostNotReady(
        f"there is not enough room for {what}: {megabytes(free)} free at {place}, "
        f"{megabytes(needed)} needed",
        hint="free some: codeb gc --plan says what codeb can remove, codeb remove PROJECT "
        "--env pr-N removes a preview; podman system df shows what takes the room. "
        "Nothing was begun",
        code="disk_full",
    )


def megabytes(size: int) -> str:
    """`12.3 MB`."""
    return f"{size / _MEGA:.1f} MB"


@dataclass
class LayerProgress:
    """What has come of each layer, in bytes, as Podman tells it line by line."""

    manifest: Manifest | None = None
    layers: dict[str, tuple[int, int]] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    coming: set[str] = field(default_factory=set)
    asked: bool = False
    lines: int = 0

    def note(self, line: dict[str, object]) -> None:
        """Take in one line: `progressDetail` with bytes, or the words `Copying blob …`."""
        self.lines += 1
        detail, layer = line.get("progressDetail"), str(line.get("id") or "")
        if line.get("status") in _COMING:
            self.coming.add(layer)
        elif layer:
            self.coming.discard(layer)
        if isinstance(detail, dict) and layer and detail.get("total"):
            self.layers[layer] = (int(detail.get("current") or 0), int(detail["total"]))
        words = str(line.get("stream") or "").split()
        if words[:2] == ["Copying", "blob"] and len(words) > 2:
            self.begun.add(words[2])

    @property
    def is_awaited(self) -> bool:
        """Whether the registry is to send something now.

        Once all layers have come, Podman unpacks them, which takes its time without a word; and
        one that does not tell bytes does not tell this either.
        """
        return self.asked and (bool(self.coming) or not self.lines)

    def __str__(self) -> str:
        known = sum(self.manifest.layers) if self.manifest else 0
        if self.layers:
            done = sum(current for current, _ in self.layers.values())
            total = max(known, sum(total for _, total in self.layers.values()))
            return f"{megabytes(done)} of {megabytes(total)}"
        if self.begun:
            of = f" of {len(self.manifest.layers)}" if self.manifest else ""
            size = f", {megabytes(known)} in all" if known else ""
            return f"layer {len(self.begun)}{of}{size}"
        return ""
