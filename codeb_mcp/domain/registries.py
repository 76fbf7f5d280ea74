"""Image registries: their names, how to log in, and what an image of theirs weighs."""

import re
from dataclasses import dataclass
from typing import Self

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import shown
from codeb_mcp.errors import InvalidRequest

_REGISTRY = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,200}[a-z0-9])?(?::[0-9]{1,5})?")
_USER = re.compile(r"[^\s:\x00-\x1f\x7f]{1,200}")


class RegistryName(str):
    """A registry by its host, with a port where it has one: `ghcr.io`, `127.0.0.1:5000`."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _REGISTRY.fullmatch(text):
            raise InvalidRequest(
                f"registry {shown(text)} is not valid",
                hint="give its host alone, such as ghcr.io or registry.example:5000",
                code="invalid_registry",
            )
        return super().__new__(cls, text)

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, where TLS is not asked for."""
        host = self.partition(":")[0]
        return host == "localhost" or host.startswith("127.")


@dataclass(frozen=True, slots=True)
class Login:
    """Who one is to a registry."""

    user: str
    password: Secret

    def __post_init__(self) -> None:
        if not _USER.fullmatch(self.user):
            raise InvalidRequest(
                f"user name {shown(self.user)} is not valid",
                hint="give the user's name without spaces and colons",
                code="invalid_user",
            )
        if not self.password.reveal():
            raise InvalidRequest(
                "the password is empty",
                hint="type it when asked, or pass it on standard input",
                code="invalid_password",
            )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a registry says of an image: its digest and the sizes of its layers, in bytes.

    `first` is the digest of its first layer.
    """

    digest: str
    layers: tuple[int, ...]
    first: str = ""


def registry_of(reference: str) -> str:
    """`ghcr.io` of `ghcr.io/org/app`; empty where the reference names no registry."""
    first, slash, _ = reference.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else ""
