"""age, by pyrage: bytes go through it, and are counted and hashed on their way."""

import errno
import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import pyrage

from codeb_mcp.domain.backups import Recipient
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.streams import Readable, Writable
from codeb_mcp.errors import DataAtRisk, InvalidRequest, SystemFailed

T = TypeVar("T")

BEGINNING = 512
_SSH_KEY = "-----BEGIN"


class Meter:
    """Takes bytes, hands them on where there is `onward`, and knows how many and which."""

    def __init__(self, onward: Writable | None = None) -> None:
        self.size = 0
        self.beginning = b""
        self._onward = onward
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The hash of all that came, in hex."""
        return self._hash.hexdigest()

    def goes_to(self, onward: Writable) -> None:
        """Hand on what comes from now on."""
        self._onward = onward

    def write(self, data: bytes, /) -> int:
        """Take them all."""
        if len(self.beginning) < BEGINNING:
            self.beginning += bytes(data[: BEGINNING - len(self.beginning)])
        self._hash.update(data)
        self.size += len(data)
        if self._onward is not None:
            self._onward.write(data)
        return len(data)

    def flush(self) -> None:
        """Hand on what was taken."""
        if self._onward is not None:
            self._onward.flush()


class MeteredReader:
    """Bytes that are counted and hashed as they are read: those seen are those checked."""

    def __init__(self, source: Readable) -> None:
        self.size = 0
        self._source = source
        self._hash = hashlib.sha256()
        self._stopped = threading.Event()

    @property
    def sha256(self) -> str:
        """The hash of all that was read, in hex."""
        return self._hash.hexdigest()

    def stop(self) -> None:
        """Have the next read fail, from another thread."""
        self._stopped.set()

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        if self._stopped.is_set():
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        data = self._source.read(size)
        self._hash.update(data)
        self.size += len(data)
        return data


class _Guarded:
    """What pyrage reads from or writes to. It renames every error, and tries EINTR for ever."""

    def __init__(self, source: Readable | None = None, target: Writable | None = None) -> None:
        self.failure: BaseException | None = None
        self._source = source
        self._target = target

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        return self._kept(lambda: self._source.read(size) if self._source else b"")

    def write(self, data: bytes, /) -> int:
        """Take them all."""
        return self._kept(lambda: self._target.write(data) if self._target else len(data))

    def flush(self) -> None:
        """Hand on what was taken."""
        self._kept(lambda: self._target.flush() if self._target else None)

    def _kept(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except BaseException as error:
            self.failure = error
            raise OSError(errno.EIO, os.strerror(errno.EIO)) from error


def encrypt(source: Readable, target: Writable, recipients: Sequence[Recipient]) -> None:
    """Encrypt all of `source`, so that each of the recipients alone can read it."""
    keys = [_recipient(each) for each in recipients]
    reading, writing = _Guarded(source=source), _Guarded(target=target)
    try:
        pyrage.encrypt_io(reading, writing, keys)
    except (pyrage.EncryptError, OSError):
        raise (reading.failure or writing.failure or _cannot_encrypt()) from None


def decrypt(source: Readable, target: Writable, identity: Secret, name: str) -> None:
    """Decrypt all of `source`. Raises DataAtRisk when the key does not fit or a byte differs.

    What `target` was given before that is authentic as far as it goes, but not all.
    """
    keys = identities(identity)
    reading, writing = _Guarded(source=source), _Guarded(target=target)
    try:
        pyrage.decrypt_io(reading, writing, keys)
    except (pyrage.DecryptError, OSError) as error:
        if failure := reading.failure or writing.failure:
            raise failure from None
        if "No matching keys" in str(error):
            raise DataAtRisk(
                f"the key does not open {name}: it was encrypted to another one",
                hint="give the key whose public half was in backup_recipients at that time",
                code="wrong_key",
            ) from None
        raise damaged(name, str(error).splitlines()[0]) from None


def _cannot_encrypt() -> SystemFailed:
    return SystemFailed(
        "age could not encrypt", hint="look at backup_recipients", code="encryption_failed"
    )


def damaged(name: str, why: str) -> DataAtRisk:
    """A backup that is not as it was written."""
    return DataAtRisk(
        f"{name} is damaged and was not used: {why}",
        hint="take another copy of it, or an earlier backup",
        code="backup_damaged",
    )


def identities(text: Secret) -> list[pyrage.x25519.Identity | pyrage.ssh.Identity]:
    """The keys in the text of an age identity file, or of an SSH private key."""
    if text.reveal().lstrip().startswith(_SSH_KEY):
        return [_ssh_identity(text)]
    lines = [line.strip() for line in text.reveal().splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    try:
        found = [pyrage.x25519.Identity.from_str(key) for key in keys]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise InvalidRequest(
            "the key is not an age identity (AGE-SECRET-KEY-1…), nor an SSH private key",
            hint="give the file that age-keygen wrote",
            code="invalid_identity",
        )
    return list(found)


def _ssh_identity(text: Secret) -> pyrage.ssh.Identity:
    try:
        return pyrage.ssh.Identity.from_buffer(text.reveal().encode())
    except pyrage.IdentityError:
        raise InvalidRequest(
            "the SSH private key cannot be used: it has a passphrase, or is of another kind",
            hint="use an ed25519 or RSA key without a passphrase",
            code="invalid_identity",
        ) from None


def _recipient(text: Recipient) -> pyrage.x25519.Recipient | pyrage.ssh.Recipient:
    try:
        if text.startswith("age1"):
            return pyrage.x25519.Recipient.from_str(text)
        return pyrage.ssh.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise InvalidRequest(
            f"backup recipient {text[:20]}… is not one that age knows",
            hint="copy it again from the line `# public key:` of the file that age-keygen wrote",
            code="invalid_recipient",
        ) from None
