"""Names, checked once at the edge. Each type is a `str` that can only hold a valid value.

A name ends up in file names, unit names, container names, domains and command lines, so every
pattern is a closed alphabet matched with `fullmatch` (`$` would accept a trailing newline).
"""

import re
from enum import StrEnum
from typing import Self

from codeb_mcp.errors import InvalidRequest

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PROJECT = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_PREVIEW = re.compile(r"pr-([1-9][0-9]{0,6})")
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}")
_ENV_VAR = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HEALTH_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,255}")
_IMAGE = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,200}[a-z0-9])?(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


def shown(text: object, limit: int = 60) -> str:
    """`text` as it may appear in an error: on one line, escaped, and not longer than `limit`."""
    escaped = ascii(text)
    return escaped if len(escaped) <= limit else f"{escaped[:limit]}… ({len(str(text))} characters)"


class ProjectName(str):
    """A DNS label of at most 40 characters that begins with a letter: `shop`, `my-next-app`."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _PROJECT.fullmatch(text):
            raise InvalidRequest(
                f"project name {shown(text)} is not valid",
                hint="use 1 to 40 lower-case letters, digits and hyphens, beginning with a letter "
                "and not ending with a hyphen, such as my-shop",
                code="invalid_project_name",
            )
        return super().__new__(cls, text)


class EnvironmentKind(StrEnum):
    """The three kinds of environment, each with ports and domains of its own."""

    PRODUCTION = "production"
    STAGING = "staging"
    PREVIEW = "preview"


_SHORT_NAMES = {"prod": "production", "stage": "staging"}


class EnvironmentName(str):
    """`production`, `staging` or `pr-N`; `prod` and `stage` are read as the long names."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        name = _SHORT_NAMES.get(text, text)
        if name not in ("production", "staging") and not _PREVIEW.fullmatch(name):
            raise InvalidRequest(
                f"environment {shown(text)} is not valid",
                hint="use production, staging, or pr-N for the preview of pull request N",
                code="invalid_environment",
            )
        return super().__new__(cls, name)

    @property
    def kind(self) -> EnvironmentKind:
        """Which of the three kinds this environment is."""
        if self.startswith("pr-"):
            return EnvironmentKind.PREVIEW
        return EnvironmentKind(str(self))


class DomainName(str):
    """A lower-case host name without a trailing dot: `staging.shop.example.com`."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        name = text.removesuffix(".").lower() if text.isascii() else text
        labels = name.split(".")
        if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
            raise InvalidRequest(
                f"domain name {shown(text)} is not valid",
                hint="use ASCII labels of letters, digits and hyphens joined by dots "
                "(an international name in its xn-- form), at most 253 characters",
                code="invalid_domain",
            )
        return super().__new__(cls, name)

    def is_within(self, zone: "DomainName") -> bool:
        """Whether this name is `zone` itself or lies below it."""
        return self == zone or self.endswith(f".{zone}")


class ImageReference(str):
    """An image by name: `ghcr.io/org/app:v1.2.3`, `localhost/app`, with or without a digest."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if len(text) > 400 or not _IMAGE.fullmatch(text):
            raise InvalidRequest(
                f"image reference {shown(text)} is not valid",
                hint="use [registry/]name[:tag][@sha256:digest], such as ghcr.io/org/app:v1.2.3",
                code="invalid_image",
            )
        return super().__new__(cls, text)

    @property
    def tag(self) -> str:
        """The tag, or `latest` where the reference names none and has no digest, else empty."""
        name, _, digest = self.partition("@")
        _, _, tag = name.rpartition("/")[2].partition(":")
        return tag or ("" if digest else "latest")


class VersionTag(str):
    """What people call a release: `v1.2.3`, a commit hash. At most 128 characters."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _VERSION.fullmatch(text):
            raise InvalidRequest(
                f"version {shown(text)} is not valid",
                hint="use letters, digits and . _ + - only, such as v1.2.3",
                code="invalid_version",
            )
        return super().__new__(cls, text)


class VariableName(str):
    """The name of an environment variable."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _ENV_VAR.fullmatch(text):
            raise InvalidRequest(
                f"environment variable name {shown(text)} is not valid",
                hint="use letters, digits and underscores, not beginning with a digit",
                code="invalid_variable",
            )
        return super().__new__(cls, text)


class HealthPath(str):
    """The path that answers 2xx or 3xx when the application is healthy: `/health`."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _HEALTH_PATH.fullmatch(text):
            raise InvalidRequest(
                f"health check path {shown(text)} is not valid",
                hint="use a path that begins with /, such as /health",
                code="invalid_health_path",
            )
        return super().__new__(cls, text)
