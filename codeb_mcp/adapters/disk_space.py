"""How much room is left where Podman keeps images and where it puts layers on their way."""

import shutil
from pathlib import Path
from typing import Any


def least_free(client: Any) -> tuple[int, str] | None:
    """Free bytes for this account and the place; None where it cannot be told."""
    answer = client.api.get("/info")
    answer.raise_for_status()
    store = answer.json().get("store") or {}
    places = [store.get("graphRoot"), store.get("imageCopyTmpDir")]
    found = [free for place in places if place for free in [_free(Path(place))] if free is not None]
    return min(found, default=None)


def _free(place: Path) -> tuple[int, str] | None:
    try:
        return shutil.disk_usage(place).free, str(place)
    except OSError:  # a place that is not there yet, or that this account may not see
        return None
