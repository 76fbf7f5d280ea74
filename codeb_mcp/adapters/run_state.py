"""What the supervisor of one codeb folder keeps on disk: its lock, its sockets, its processes."""

import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeb_mcp.adapters.files import write_atomic
from codeb_mcp.adapters.process_id import ProcessId
from codeb_mcp.errors import HostNotReady
from codeb_mcp.settings import Settings

LONGEST_SOCKET = 100
"""Characters. A unix socket's path may have 107, and Caddy adds a mode to it."""


@dataclass(frozen=True, slots=True)
class RunState:
    """The files of the supervisor that serves `settings.home`."""

    settings: Settings

    @property
    def folder(self) -> Path:
        """Locks and process ids."""
        return self.settings.run_folder

    @property
    def sockets(self) -> Path:
        """Where the sockets are: in `folder`, or in a short one where its path is too long.

        The short one depends on nothing but the account and the folder, so that everybody who
        asks finds the same.
        """
        if len(str(self.folder / "podman.sock")) <= LONGEST_SOCKET:
            return self.folder
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        return Path(f"/tmp/codeb-{os.getuid()}") / name  # noqa: S108 - checked by `prepare`

    @property
    def podman_socket(self) -> Path:
        """Where Podman's service of ours answers."""
        return self.sockets / "podman.sock"

    @property
    def caddy_socket(self) -> Path:
        """Where our Caddy's admin endpoint is."""
        return self.sockets / "caddy.sock"

    @property
    def caddy_config(self) -> Path:
        """What our Caddy is started with."""
        return self.folder / "caddy.json"

    @property
    def caddy_data(self) -> Path:
        """Our Caddy's certificates and its last configuration."""
        return self.settings.home / "caddy"

    def log(self, name: str) -> Path:
        """The log of `podman`, `caddy` or `supervisor`."""
        return self.settings.home / "logs" / f"{name}.log"

    def prepare(self) -> None:
        """Make the folders. Raises HostNotReady when somebody else holds one."""
        try:
            self.log("supervisor").parent.mkdir(parents=True, exist_ok=True)
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.sockets != self.folder:
                for folder in (self.sockets.parent, self.sockets):
                    folder.mkdir(exist_ok=True, mode=0o700)
                    _require_ours(folder)
        except OSError as error:
            raise HostNotReady(
                f"codeb's folder {error.filename} cannot be used: {error.strerror}",
                hint="make it writable for this account, or choose another in CODEB_HOME",
                code="home_not_writable",
            ) from None

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """Hold the supervisor's lock for the block; gives False when another one has it."""
        with (self.folder / "supervisor.lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    @property
    def locked(self) -> bool:
        """Whether a supervisor runs. It may still be starting, or already ending."""
        try:
            with (self.folder / "supervisor.lock").open("rb") as file:
                # Shared, and gone at once: two who look do not see each other.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def read(self, name: str) -> dict[str, Any]:
        """A state file's content; empty when there is none."""
        try:
            found = json.loads((self.folder / f"{name}.json").read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Replace a state file."""
        write_atomic(self.folder / f"{name}.json", json.dumps(value), 0o600)

    @property
    def supervisor(self) -> ProcessId | None:
        """The supervisor that was started last, if it is alive."""
        found = ProcessId.parse(self.read("supervisor").get("process"))
        return found if found is not None and found.alive else None

    @property
    def children(self) -> dict[str, ProcessId]:
        """Podman's service and Caddy, by name, as far as they are alive."""
        parsed = {name: ProcessId.parse(value) for name, value in self.read("children").items()}
        return {name: found for name, found in parsed.items() if found is not None and found.alive}


def _require_ours(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise HostNotReady(
            f"{folder} is not a folder that only this account may use",
            hint="remove it, or choose a CODEB_HOME with a shorter path",
            code="socket_folder_unsafe",
        )
