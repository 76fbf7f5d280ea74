"""One change at a time per environment, by `flock`, which ends with the process that holds it."""

import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path

import anyio
from filelock import FileLock, Timeout

from codeb_mcp.adapters.files import write_atomic
from codeb_mcp.adapters.flock import is_locked, try_lock, unlock_and_remove
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import HostNotReady, Locked, Refused

POLL_SECONDS = 0.1
# Someone who looks whether a lock is held holds it for a moment himself.
GLANCE_SECONDS = 0.04
CLOSING_TRIES = 20
_NOBODY: dict[str, object] = {
    "who": "someone",
    "purpose": "a change",
    "since": "just now",
    "pid": "?",
}


class FileLocks:
    """A lock file per environment; beside it, a note of who holds it, for what and since when."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now

    @asynccontextmanager
    async def hold(
        self, key: EnvironmentKey, who: str, purpose: str, wait: float = 0.0
    ) -> AsyncIterator[None]:
        """Hold the lock of `key`; raise Locked when it is not to be had within `wait` seconds."""
        self._make_folder()
        async with self._held(key, who, purpose, wait, closing=False):
            yield

    @asynccontextmanager
    async def close(self, key: EnvironmentKey, who: str, wait: float) -> AsyncIterator[None]:
        """Hold the lock to take `key` down: who holds it now is told to stop, and waited for."""
        self._make_folder()
        path = self._path(key, "closing")
        descriptor = await self._closing(path)
        if descriptor is None:
            raise self._locked(key, path)
        try:
            os.truncate(descriptor, 0)
            os.write(descriptor, json.dumps(self._holder(who, "remove it")).encode())
            async with self._held(key, who, "remove it", wait, closing=True):
                yield
        finally:
            unlock_and_remove(path, descriptor)

    async def holder(self, key: EnvironmentKey) -> str:
        """Who holds the lock now, for what and since when; empty when nobody does."""
        return _described(self._path(key, "json")) if is_locked(self._path(key, "lock")) else ""

    async def closed(self, key: EnvironmentKey) -> str:
        """Wait until someone closes the environment; who that is."""
        path = self._path(key, "closing")
        while not is_locked(path):  # noqa: ASYNC110 - it happens in another process
            await anyio.sleep(POLL_SECONDS)
        return str(_read(path)["who"])

    @asynccontextmanager
    async def recall(self, key: EnvironmentKey) -> AsyncIterator[None]:
        """Ask who holds the lock to leave the old slot as it is, if draining is all it does."""
        self._make_folder()
        path = self._path(key, "recall")
        descriptor = self._try(path)
        try:
            yield
        finally:
            if descriptor is not None:  # else another asks for the same, which will do
                unlock_and_remove(path, descriptor)

    async def recalled(self, key: EnvironmentKey) -> bool:
        """Whether someone asks for that, or closes the environment."""
        return is_locked(self._path(key, "recall")) or is_locked(self._path(key, "closing"))

    @asynccontextmanager
    async def alone(self, name: str, wait: float) -> AsyncIterator[None]:
        """Be the only one at work under `name`; raise Locked after `wait` seconds."""
        self._make_folder()
        digest = hashlib.sha256(name.encode()).hexdigest()[:32]
        path = self._folder / f"request-{digest}.lock"
        deadline = anyio.current_time() + wait
        while (descriptor := self._try(path)) is None:
            if anyio.current_time() >= deadline:
                raise Locked(
                    "the same request is still being carried out for another caller",
                    hint="call again with the same key to get its result",
                    code="request_running",
                )
            await anyio.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            unlock_and_remove(path, descriptor)

    @asynccontextmanager
    async def _held(
        self, key: EnvironmentKey, who: str, purpose: str, wait: float, *, closing: bool
    ) -> AsyncIterator[None]:
        lock = FileLock(self._path(key, "lock"), thread_local=False)
        note = self._path(key, "json")
        deadline = anyio.current_time() + max(wait, GLANCE_SECONDS)
        while True:
            if not closing:
                self._require_open(key)
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:
                if anyio.current_time() >= deadline:
                    raise self._locked(key, note) from None
            except OSError as error:
                raise self._unusable(error) from None
            await anyio.sleep(min(POLL_SECONDS, max(wait, GLANCE_SECONDS / 2)))
        try:
            with suppress(OSError):  # the lock is held all the same: the note is for people
                write_atomic(note, json.dumps(self._holder(who, purpose)), 0o600, alone=True)
            yield
        finally:
            with suppress(OSError):
                note.unlink(missing_ok=True)
            lock.release()

    async def _closing(self, path: Path) -> int | None:
        for _ in range(CLOSING_TRIES):
            if (descriptor := self._try(path)) is not None:
                return descriptor
            await anyio.sleep(POLL_SECONDS / 10)
        return None

    def _try(self, path: Path) -> int | None:
        try:
            return try_lock(path)
        except OSError as error:
            raise self._unusable(error) from None

    def _require_open(self, key: EnvironmentKey) -> None:
        path = self._path(key, "closing")
        if is_locked(path):
            holder = _read(path)
            raise Refused(
                f"{key} is being removed by {holder['who']} (since {holder['since']}, "
                f"process {holder['pid']})",
                hint="call again when it is gone, if it is to come back",
                code="environment_closing",
            )

    def _holder(self, who: str, purpose: str) -> dict[str, object]:
        since = self._now().isoformat(timespec="seconds")
        return {"who": who, "purpose": purpose, "since": since, "pid": os.getpid()}

    def _path(self, key: EnvironmentKey, kind: str) -> Path:
        return self._folder / f"{key.slug}.{kind}"

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> HostNotReady:
        return HostNotReady(
            f"the lock folder {self._folder} cannot be used: {error.strerror}",
            hint=f"make {self._folder} writable for this account and check the disk has space",
            code="locks_not_writable",
        )

    def _locked(self, key: EnvironmentKey, note: Path) -> Locked:
        return Locked(
            f"{key} is being changed by {_described(note)}",
            hint="wait until it ends and call again, or have this call wait; the lock ends "
            "with that process",
        )


def _described(note: Path) -> str:
    holder = _read(note)
    return (
        f"{holder['who']} ({holder['purpose']}, since {holder['since']}, process {holder['pid']})"
    )


def _read(note: Path) -> dict[str, object]:
    try:
        return {**_NOBODY, **json.loads(note.read_text())}
    except (OSError, ValueError, TypeError):
        return _NOBODY
