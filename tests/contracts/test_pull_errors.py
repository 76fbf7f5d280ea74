"""Every way in which registries refuse, in the words that Podman passes on."""

import pytest

from codeb_mcp.adapters.pull_errors import pull_error
from codeb_mcp.domain.names import ImageReference
from codeb_mcp.errors import CodebError, HostNotReady, InvalidRequest, SystemFailed

GHCR = ImageReference("ghcr.io/acme/shop:v1")
_PING = "initializing source docker://ghcr.io/acme/shop:v1: pinging container registry ghcr.io: "

SAID: list[tuple[str, type[CodebError], str, str]] = [
    (
        "reading manifest v1 in ghcr.io/acme/shop: manifest unknown",
        InvalidRequest,
        "image_not_found",
        "ghcr.io/acme/shop:v1",
    ),
    (
        "reading manifest v1 in ghcr.io/acme/shop: name unknown: repository name not known to "
        "registry",
        InvalidRequest,
        "image_not_found",
        "pushed",
    ),
    (
        "reading manifest v1 in ghcr.io/acme/shop: unauthorized: authentication required",
        InvalidRequest,
        "image_access_denied",
        "codeb login ghcr.io",
    ),
    (
        "reading manifest v1 in ghcr.io/acme/shop: denied",
        InvalidRequest,
        "image_access_denied",
        "codeb login ghcr.io",
    ),
    (
        "unable to retrieve auth token: invalid username/password: unauthorized",
        InvalidRequest,
        "image_access_denied",
        "codeb login ghcr.io",
    ),
    (
        _PING + 'Get "https://ghcr.io/v2/": dial tcp 127.0.0.1:443: connect: connection refused',
        SystemFailed,
        "registry_unreachable",
        "ghcr.io",
    ),
    (
        _PING + 'Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io: no such host',
        SystemFailed,
        "registry_unreachable",
        "no such host",
    ),
    (
        _PING + 'Get "https://ghcr.io/v2/": http: server gave HTTP response to HTTPS client',
        SystemFailed,
        "registry_unreachable",
        "HTTPS",
    ),
    (
        "reading manifest v1: toomanyrequests: You have reached your pull rate limit",
        SystemFailed,
        "registry_rate_limited",
        "codeb login ghcr.io",
    ),
    (
        "writing blob: storing blob to file: write /var/tmp/x: no space left on device",
        HostNotReady,
        "disk_full",
        "disk",
    ),
    (
        "choosing image instance: no image found in manifest list for architecture amd64",
        InvalidRequest,
        "image_wrong_architecture",
        "processor",
    ),
    (
        "creating temporary folder: mkdir /var/tmp/x: permission denied",
        SystemFailed,
        "pull_failed",
        "permission denied",
    ),
    ("something that nobody has seen yet", SystemFailed, "pull_failed", "nobody has seen"),
]


@pytest.mark.parametrize(("said", "kind", "code", "told"), SAID)
def test_what_a_registry_says_becomes_what_to_do(
    said: str, kind: type[CodebError], code: str, told: str
) -> None:
    error = pull_error(GHCR, said)
    assert (type(error), error.code) == (kind, code)
    assert told in str(error)
    assert error.hint


def test_a_name_that_no_registry_was_given_for_asks_for_one() -> None:
    said = 'short-name "shop" did not resolve to an alias and no unqualified-search registries'
    error = pull_error(ImageReference("shop"), said)
    assert (error.code, "docker.io/library/shop" in error.hint) == ("image_not_found", True)
