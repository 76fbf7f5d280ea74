"""Writing a file so that a reader, or a crash, never meets half of it."""

import os
import tempfile
from pathlib import Path


def write_atomic(
    path: Path,
    text: str,
    mode: int = 0o644,
    owner: tuple[int, int] | None = None,
    *,
    alone: bool = False,
) -> None:
    """Make `path` hold `text` with permissions `mode`, durably; parent folders are made.

    `owner` is a user and a group id; without it the file is the caller's.

    A file that is already there is replaced in one step; a symbolic link is replaced, not followed.
    With `alone` nobody else writes this file now: what a writer that was killed left is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if alone:
        sweep(path.parent, path.name)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sweep(folder: Path, names: str) -> None:
    """Remove the half-written files of those names (a glob pattern); nobody may be at one."""
    for left in folder.glob(f".{names}.????????"):
        left.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename or removal in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
