"""Files, folders and links of a server, with their owners."""

import grp
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from codeb_mcp.adapters.files import sync_folder, write_atomic
from codeb_mcp.adapters.host_account import acting_as
from codeb_mcp.domain.server import Copy, Folder, FoundFile, HostFile, Permissions
from codeb_mcp.errors import CodebError, HostNotReady, Refused, SystemFailed


def found_at(path: Path, *, text: bool = False, digest: bool = False) -> FoundFile | None:
    """What is at `path`, without following a link there; None when nothing is.

    Below the home of an account it is read as that account.
    """
    try:
        seen = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    regular = stat.S_ISREG(seen.st_mode)
    with _owner_of(path.parent):
        return FoundFile(
            Permissions(stat.S_IMODE(seen.st_mode), _user(seen.st_uid), _group(seen.st_gid)),
            seen.st_mtime,
            path.read_text(errors="replace") if text and regular else None,
            sha256(path) if digest and regular else "",
        )


def sha256(path: Path) -> str:
    """The digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link_at(path: Path) -> str | None:
    """Where a symbolic link leads; None when there is none."""
    return str(path.readlink()) if path.is_symlink() else None


def make_folder(folder: Folder) -> None:
    """Make it and set its permissions; those above it are there."""
    path, wanted = Path(folder.path), folder.permissions
    with _errors(path), _owner_of(path.parent):
        path.mkdir(exist_ok=True, parents=True)
        if path.is_symlink():
            raise Refused(
                f"{path} is a symbolic link, and codeb would not know what it leads to",
                hint=f"put a folder in its place: rm {path}",
                code="link_in_the_way",
            )
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchown(descriptor, *_ids(wanted))
            os.fchmod(descriptor, wanted.mode)
        finally:
            os.close(descriptor)


def write_file(file: HostFile) -> None:
    """Write it whole, with its permissions from the first byte on."""
    path = Path(file.path)
    with _errors(path), _owner_of(path.parent):
        write_atomic(path, file.text, file.permissions.mode, _ids(file.permissions))


def copy_program(copy: Copy) -> None:
    """Copy it beside its place, then rename."""
    path = Path(copy.path)
    with _errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        place_file(Path(copy.source), path, 0o755)


def place_file(source: Path, path: Path, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Put a copy of `source` at `path`, whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as target, source.open("rb") as original:
            shutil.copyfileobj(original, target)
            if owner is not None:
                os.fchown(target.fileno(), *owner)
            os.fchmod(target.fileno(), mode)
            target.flush()
            os.fsync(target.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def make_link(path: Path, target: str) -> None:
    """Make the link in one step; what is there and is no link stays."""
    with _errors(path):
        if path.exists() and not path.is_symlink():
            raise Refused(
                f"{path} is there and is not codeb's",
                hint=f"move it away: mv {path} {path}.before-codeb",
                code="foreign_file",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(path)
        sync_folder(path.parent)


@contextmanager
def _owner_of(folder: Path) -> Iterator[None]:
    """Act as the first on the way to the folder who is not root: what lies below is theirs."""
    owners = map(_ids_of, (*reversed(folder.parents), folder))
    uid, gid = next((ids for ids in owners if ids[0] != 0), (0, 0))
    with acting_as(uid, gid) if uid != 0 else nullcontext():
        yield


def _ids_of(path: Path) -> tuple[int, int]:
    try:
        seen = path.lstat()
    except OSError:
        return 0, 0
    return seen.st_uid, seen.st_gid


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _typed(path, error) from None
    except KeyError as error:
        raise SystemFailed(
            f"{path} cannot be written: {error.args[0]}",
            hint="run this again: the account that it names was not made yet",
            code="account_missing",
        ) from None


def _typed(path: Path, error: OSError) -> CodebError:
    if error.errno in (28, 122):  # ENOSPC, EDQUOT
        return HostNotReady(
            f"the disk is full: {path} cannot be written",
            hint="make room (apt-get clean, journalctl --vacuum-size=100M), then run this again",
            code="disk_full",
        )
    return SystemFailed(
        f"{path} cannot be written: {error.strerror}",
        hint=f"correct its folder (ls -ld {path.parent}), then run this again",
        code="file_not_writable",
    )


def _ids(wanted: Permissions) -> tuple[int, int]:
    return pwd.getpwnam(wanted.owner).pw_uid, grp.getgrnam(wanted.group).gr_gid


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
