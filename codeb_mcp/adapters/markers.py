"""The marker files by which Caddy chooses a slot.

`<live>/<project>-<environment>/green` exists: green serves; it does not: blue does. One rename or
unlink is the whole cut-over, so that there is no moment at which neither slot is chosen.
"""

import shutil
from pathlib import Path

from codeb_mcp.adapters.files import sweep, sync_folder, write_atomic
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.errors import HostNotReady

READABLE = 0o755
"""Caddy may run as another account, and only needs to see the files."""


class MarkerFiles:
    """Implements `Markers` below `live`, an absolute path."""

    def __init__(self, live: Path) -> None:
        self._live = live

    def folder(self) -> str:
        """Where they live, as the proxy sees it."""
        return str(self._live)

    async def slot(self, key: EnvironmentKey) -> Slot:
        """The slot that gets the traffic; blue where nothing was ever said."""
        return Slot.GREEN if self._marker(key).exists() else Slot.BLUE

    async def point_to(self, key: EnvironmentKey, slot: Slot) -> None:
        """Send the next request to `slot`; durable when it returns."""
        await in_thread(self._point_to)(key, slot)

    async def owned(self) -> tuple[EnvironmentKey, ...]:
        """The environments that have a folder for one."""
        return await in_thread(self._owned)()

    def _owned(self) -> tuple[EnvironmentKey, ...]:
        folders = self._live.iterdir() if self._live.is_dir() else ()
        keys = (EnvironmentKey.of_slug(each.name) for each in folders)
        return tuple(key for key in keys if key is not None)

    async def forget(self, key: EnvironmentKey) -> None:
        """Leave nothing of an environment's marker; absent is fine."""
        await in_thread(shutil.rmtree)(self._live / key.slug, ignore_errors=True)

    def _marker(self, key: EnvironmentKey) -> Path:
        return self._live / key.slug / Slot.GREEN

    def _point_to(self, key: EnvironmentKey, slot: Slot) -> None:
        marker = self._marker(key)
        try:
            _make_folder(self._live)
            _make_folder(marker.parent)
            if slot is Slot.GREEN:
                write_atomic(marker, "", alone=True)
            else:
                sweep(marker.parent, marker.name)
                marker.unlink(missing_ok=True)
                sync_folder(marker.parent)
        except OSError as error:
            raise HostNotReady(
                f"the marker {marker} cannot be changed: {error.strerror}",
                hint=f"make {self._live} writable for this account and check the disk has space",
                code="markers_not_writable",
            ) from None


def _make_folder(folder: Path) -> None:
    """Also on a host whose umask would shut Caddy out; a folder that is there is left as it is."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(READABLE)
    sync_folder(folder.parent)
