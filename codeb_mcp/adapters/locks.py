"""One change at a time per environment, by `flock`, which ends with the process that holds it."""

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from codeb_mcp.adapters.files import write_atomic
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import HostNotReady, Locked


class FileLocks:
    """A lock file per environment; beside it, a note of who holds it, for what and since when."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now

    @asynccontextmanager
    async def hold(self, key: EnvironmentKey, who: str, purpose: str) -> AsyncIterator[None]:
        """Hold the lock of `key`, or raise Locked at once."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise self._unusable(error) from None
        lock = FileLock(self._folder / f"{key.slug}.lock", thread_local=False)
        note = self._folder / f"{key.slug}.json"
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise self._locked(key, note) from None
        except OSError as error:
            raise self._unusable(error) from None
        try:
            holder = {
                "who": who,
                "purpose": purpose,
                "since": self._now().isoformat(timespec="seconds"),
                "pid": os.getpid(),
            }
            with suppress(OSError):  # the lock is held all the same: the note is for people
                write_atomic(note, json.dumps(holder), 0o600)
            yield
        finally:
            with suppress(OSError):
                note.unlink(missing_ok=True)
            lock.release()

    def _unusable(self, error: OSError) -> HostNotReady:
        return HostNotReady(
            f"the lock folder {self._folder} cannot be used: {error.strerror}",
            hint=f"make {self._folder} writable for this account and check the disk has space",
            code="locks_not_writable",
        )

    def _locked(self, key: EnvironmentKey, note: Path) -> Locked:
        try:
            holder = json.loads(note.read_text())
        except (OSError, ValueError):
            holder = {"who": "someone", "purpose": "a change", "since": "just now", "pid": "?"}
        return Locked(
            f"{key} is being changed by {holder['who']} ({holder['purpose']}, "
            f"since {holder['since']}, process {holder['pid']})",
            hint="wait until it ends and call again; the lock ends with that process",
        )
