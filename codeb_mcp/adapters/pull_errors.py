"""What an image could not be pulled for, told from the text that Podman passes on."""

import re

from codeb_mcp.domain.names import ImageReference
from codeb_mcp.errors import CodebError, HostNotReady, InvalidRequest, SystemFailed

_NO_REGISTRY = re.compile(r"short-name", re.IGNORECASE)
_DISK_FULL = re.compile(r"no space left on device", re.IGNORECASE)
_ARCHITECTURE = re.compile(r"no image found in .*(architecture|manifest list|index)", re.IGNORECASE)
_MISSING = re.compile(
    r"manifest unknown|name unknown|not known to registry|\b404\b|not found", re.IGNORECASE
)
_DENIED = re.compile(
    r"unauthorized|authentication required|(?<!permission )denied|forbidden"
    r"|invalid username/password|no basic auth credentials",
    re.IGNORECASE,
)
_BUSY = re.compile(r"toomanyrequests|too many requests", re.IGNORECASE)
_UNREACHABLE = re.compile(
    r"connection refused|no such host|i/o timeout|timed? ?out|deadline exceeded"
    r"|unreachable|connection reset|name resolution|server misbehaving|x509|tls:"
    r"|server gave http response|unexpected eof|\b50[0234]\b",
    re.IGNORECASE,
)


def registry_of(reference: str) -> str:
    """`ghcr.io` of `ghcr.io/org/app`; empty where the reference names no registry."""
    first, slash, _ = reference.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else ""


def pull_error(reference: ImageReference, text: str) -> CodebError:
    """The error that says what went wrong and what to do about it."""
    registry = registry_of(reference) or "docker.io"
    message = f"image {reference} could not be pulled: {text.strip()[-400:]}"
    if _NO_REGISTRY.search(text):
        return InvalidRequest(
            f"image {reference} names no registry and is not on this server",
            hint=f"name the registry too, such as docker.io/library/{reference}, "
            f"or localhost/{reference} for an image built here",
            code="image_not_found",
        )
    if _DISK_FULL.search(text):
        return HostNotReady(message, hint="free disk space, then try again", code="disk_full")
    if _ARCHITECTURE.search(text):
        return InvalidRequest(
            message,
            hint="build the image for this server's processor too",
            code="image_wrong_architecture",
        )
    if _BUSY.search(text):
        return SystemFailed(
            message,
            hint=f"wait a few minutes, or log in for a higher limit: podman login {registry}",
            code="registry_rate_limited",
        )
    if _DENIED.search(text):
        return InvalidRequest(
            f"access to image {reference} is denied, or there is no such image: "
            f"{text.strip()[-200:]}",
            hint=f"check the name, then log in on the server: podman login {registry}",
            code="image_access_denied",
        )
    if _MISSING.search(text):
        return InvalidRequest(
            f"there is no image {reference}",
            hint="check its name and tag, and that it was pushed",
            code="image_not_found",
        )
    if _UNREACHABLE.search(text):
        return SystemFailed(
            f"the registry {registry} cannot be reached: {text.strip()[-300:]}",
            hint="check the registry's address and this server's network, then try again",
            code="registry_unreachable",
        )
    return SystemFailed(message, hint="see the message above, then try again", code="pull_failed")
