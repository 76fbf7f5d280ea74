"""The key that backups are decrypted with: from a file, or typed on a terminal; never argv."""

import getpass
import stat
import sys
from pathlib import Path

from codeb_mcp.domain.masking import Secret
from codeb_mcp.errors import InvalidRequest, Refused

LARGEST = 100_000


def read_identity(path: Path | None) -> Secret:
    """The key in a file that only its owner can read; without one it is asked for."""
    if path is None:
        return _typed()
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
            raise _unusable(path, "is not the file of a key")
        if about.st_mode & 0o077:
            raise InvalidRequest(
                f"the key {path} can be read by others (mode {stat.S_IMODE(about.st_mode):04o})",
                hint=f"chmod 600 {path}",
                code="identity_exposed",
            )
        return Secret(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, f"cannot be read: {error}") from None


def _typed() -> Secret:
    if not sys.stdin.isatty():
        raise Refused(
            "the key of the backups is needed",
            hint="name its file: --identity FILE",
            code="identity_missing",
        )
    return Secret(getpass.getpass("Key (AGE-SECRET-KEY-1…): "))


def _unusable(path: Path, what: str) -> InvalidRequest:
    return InvalidRequest(
        f"the key {path} {what}",
        hint="give the file that age-keygen wrote",
        code="invalid_identity",
    )
