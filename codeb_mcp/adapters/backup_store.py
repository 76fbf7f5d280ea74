"""Backups in a folder: `<of what>.<when>.age`, and a manifest `….age.json` beside each."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, TypeVar

import anyio

from codeb_mcp.adapters.age_stream import Meter, MeteredReader, damaged, decrypt, encrypt
from codeb_mcp.adapters.files import sweep, sync_folder, write_atomic
from codeb_mcp.adapters.flock import try_lock, unlock_and_remove
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.backups import BackupKind, BackupName, Manifest, Recipient
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.streams import Dump, Intake, Opened
from codeb_mcp.domain.watching import Told, unwatched
from codeb_mcp.errors import CodebError, HostNotReady, InvalidRequest, Locked
from codeb_mcp.planning.backups import parse_manifest, rendered

T = TypeVar("T")

MANIFEST = ".json"
_LOCK = ".lock"
_TELL_SECONDS = 1.0


class BackupFolder:
    """`BackupStore` in one folder, mode 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: BackupName) -> Path:
        """Where the file of that name is."""
        return self._folder / str(name)

    async def write(
        self, name: BackupName, dump: Dump, recipients: Sequence[Recipient], told: Told = unwatched
    ) -> Manifest:
        """Encrypt a dump into a file of that name, durably; no manifest is there yet."""
        meter = Meter()
        return await _watched(
            lambda: self._write(name, dump, recipients, meter), dump.stop, lambda: meter.size, told
        )

    async def record(self, manifest: Manifest) -> None:
        """Write the manifest beside its file, which lists the backup; or replace it."""
        path = self._manifest(manifest.name)
        await in_thread(write_atomic)(path, rendered(manifest), 0o600, alone=True)

    async def listed(self) -> tuple[Manifest, ...]:
        """What is there, oldest first. A file whose manifest is missing or bad is not listed."""
        found = await in_thread(lambda: list(self._read_all()))()
        return tuple(sorted(found, key=lambda each: each.name.taken))

    async def remove(self, name: BackupName) -> None:
        """Remove a backup, its manifest first; absent is fine."""
        for path in (self._manifest(name), self.path(name)):
            path.unlink(missing_ok=True)
        if self._folder.exists():
            sync_folder(self._folder)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Be the only writer here, and remove what one that was killed left. Raises Locked."""
        self._make()
        path = self._folder / _LOCK
        descriptor = try_lock(path)
        if descriptor is None:
            raise Locked(
                "another backup is being made on this server",
                hint="wait for its end, then call again",
                code="backup_running",
            )
        try:
            await in_thread(self._sweep)()
            yield
        finally:
            unlock_and_remove(path, descriptor)

    async def room(self) -> int:
        """Free bytes where backups are written."""
        self._make()
        return shutil.disk_usage(self._folder).free

    async def open(self, path: Path, identity: Secret, told: Told = unwatched) -> Opened:
        """Decrypt a file to its end, to nowhere, and check it against its manifest if it has one.

        Raises DataAtRisk (`backup_damaged`, `wrong_key`).
        """
        with _opened(path) as file:
            source = MeteredReader(file)
            return await _watched(
                lambda: self._open(path, identity, source), source.stop, lambda: source.size, told
            )

    async def pour(
        self, opened: Opened, identity: Secret, intake: Intake, told: Told = unwatched
    ) -> None:
        """Decrypt a file that was found whole into `intake`; nothing plain is written to disk."""
        with _opened(opened.path) as file:
            source = MeteredReader(file)

            def work() -> None:
                with intake.open() as target:
                    meter = Meter(target)
                    decrypt(source, meter, identity, opened.path.name)
                    if meter.sha256 != opened.plain_sha256:
                        raise damaged(opened.path.name, "it has changed while it was read")

            await _watched(work, intake.stop, lambda: source.size, told)

    def _write(
        self, name: BackupName, dump: Dump, recipients: Sequence[Recipient], written: Meter
    ) -> Manifest:
        self._make()
        path = self.path(name)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                written.goes_to(file)
                with dump.open() as source:
                    encrypt(source, written, recipients)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).rename(path)
        except OSError as error:
            Path(temporary).unlink(missing_ok=True)
            raise _no_room(self._folder, error) from None
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(self._folder)
        return Manifest(name, size=written.size, sha256=written.sha256)

    def _open(self, path: Path, identity: Secret, source: MeteredReader) -> Opened:
        manifest, plain = self._manifest_beside(path), Meter()
        decrypt(source, plain, identity, path.name)
        wanted = manifest and (manifest.size, manifest.sha256)
        if wanted not in (None, (source.size, source.sha256)):
            raise damaged(path.name, "it is not the file that its manifest describes")
        return Opened(path, BackupKind.of_content(plain.beginning), plain.sha256, manifest)

    def _manifest_beside(self, path: Path) -> Manifest | None:
        beside = path.with_name(path.name + MANIFEST)
        try:
            return parse_manifest(beside.read_text(), str(beside))
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def _read_all(self) -> Iterator[Manifest]:
        for path in self._folder.glob(f"*.age{MANIFEST}"):
            with contextlib.suppress(CodebError, OSError, UnicodeDecodeError):
                manifest = parse_manifest(path.read_text(), str(path))
                data = self.path(manifest.name)
                named = path.name == data.name + MANIFEST
                if named and data.stat().st_size == manifest.size:
                    yield manifest

    def _sweep(self) -> None:
        sweep(self._folder, "*.age")
        sweep(self._folder, f"*.age{MANIFEST}")
        for path in self._folder.glob("*.age"):
            if not path.with_name(path.name + MANIFEST).exists() and _is_name(path.name):
                path.unlink(missing_ok=True)
        sync_folder(self._folder)

    def _manifest(self, name: BackupName) -> Path:
        return self._folder / f"{name}{MANIFEST}"

    def _make(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _no_room(self._folder, error) from None


async def _watched(
    work: Callable[[], T], stop: Callable[[], None], size: Callable[[], int], told: Told
) -> T:
    """`work()` in a thread; `told` hears how far it is, a cancelled caller stops it."""

    async def tell() -> None:
        try:
            while True:
                await anyio.sleep(_TELL_SECONDS)
                await told(f"{size() / 1_000_000:.1f} MB")
        except anyio.get_cancelled_exc_class():
            stop()
            raise

    outcome: list[T] = []
    failure: list[Exception] = []
    async with anyio.create_task_group() as group:
        group.start_soon(tell)
        try:
            outcome.append(await in_thread(work)())
        except Exception as error:  # noqa: BLE001 - raised again, outside of the group
            failure.append(error)
        group.cancel_scope.cancel()
    if failure:
        raise failure[0]
    return outcome[0]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise InvalidRequest(
            f"the backup {path} cannot be read: {error.strerror}",
            hint="see those there are: codeb backup list",
            code="unknown_backup",
        ) from None
    with file:
        yield file


def _is_name(text: str) -> bool:
    try:
        BackupName.parse(text)
    except InvalidRequest:
        return False
    return True


def _no_room(folder: Path, error: OSError) -> HostNotReady:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return HostNotReady(
        f"a backup cannot be written in {folder}: {error.strerror}",
        hint="free disk space, then try again" if full else "make the folder writable",
        code="disk_full" if full else "backup_folder_unusable",
    )
