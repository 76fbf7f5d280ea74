"""What an image could not be pulled for, told from the text that Podman passes on."""

import re

from codeb_mcp.domain.names import ImageReference
from codeb_mcp.domain.registries import registry_of
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
_DIGEST = re.compile(r"does not match|did not match|digest mismatch", re.IGNORECASE)
_FAILED = re.compile(r"\b50[0234]\b|internal server error|unexpected eof|connection reset", re.I)
_UNTRUSTED = re.compile(r"x509|tls:", re.IGNORECASE)
_BUSY = re.compile(r"toomanyrequests|too many requests", re.IGNORECASE)
_UNREACHABLE = re.compile(
    r"connection refused|no such host|i/o timeout|timed? ?out|deadline exceeded"
    r"|unreachable|name resolution|server misbehaving|server gave http response|malformed http",
    re.IGNORECASE,
)


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
    if _DIGEST.search(text):
        return SystemFailed(
            f"what {registry} sent of image {reference} is not what its digest says: "
            f"{text.strip()[-300:]}",
            hint="do not run it; tell the registry's owner, or push the image again",
            code="image_digest_mismatch",
        )
    if _BUSY.search(text):
        return SystemFailed(
            message,
            hint=f"wait a few minutes, or log in for a higher limit: codeb login {registry}",
            code="registry_rate_limited",
        )
    if _DENIED.search(text):
        return InvalidRequest(
            f"access to image {reference} is denied, or there is no such image: "
            f"{text.strip()[-200:]}",
            hint=f"check the name, then log in on the server: codeb login {registry}",
            code="image_access_denied",
        )
    if _MISSING.search(text):
        return InvalidRequest(
            f"there is no image {reference}",
            hint="check its name and tag, and that it was pushed",
            code="image_not_found",
        )
    if _UNTRUSTED.search(text):
        return SystemFailed(
            f"image {reference}: the registry {registry} speaks no TLS that this server trusts: "
            f"{text.strip()[-300:]}",
            hint="install its authority's certificate, or allow it in "
            "/etc/containers/registries.conf",
            code="registry_untrusted",
        )
    if _FAILED.search(text):
        return SystemFailed(
            f"image {reference}: the registry {registry} failed: {text.strip()[-300:]}",
            hint="try again later; layers already here are not fetched again",
            code="registry_failed",
        )
    if _UNREACHABLE.search(text):
        return SystemFailed(
            f"image {reference}: the registry {registry} cannot be reached: {text.strip()[-300:]}",
            hint="check the registry's address and this server's network, then try again",
            code="registry_unreachable",
        )
    return SystemFailed(message, hint="see the message above, then try again", code="pull_failed")
