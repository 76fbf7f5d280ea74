"""What an image registry says of itself and of its images, over the distribution API.

Podman does the pulling. This is asked first: whether a login is right, what an image weighs, and
how long a busy registry wants to be left alone, which Podman does not pass on.
"""

import base64
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from codeb_mcp.adapters.auth_file import AuthFile
from codeb_mcp.adapters.http_client import Answer, NoAnswer, Target, fetch
from codeb_mcp.domain.registries import Login, Manifest, RegistryName, registry_of
from codeb_mcp.errors import CodebError, InvalidRequest, SystemFailed

SECONDS = 10.0
LARGEST = 4_000_000
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_HOSTS = {"docker.io": "registry-1.docker.io"}
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Busy(Exception):
    """The registry wants to be left alone. `seconds` is for how long, where it says so."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class RegistryApi:
    """Asks registries with the logins that are kept for them."""

    def __init__(self, logins: AuthFile, machine: str | None = None) -> None:
        self._logins = logins
        self._architecture = _MACHINES.get(machine or platform.machine(), platform.machine())

    async def check(self, registry: RegistryName, login: Login) -> None:
        """Raise InvalidRequest when the registry refuses the login, SystemFailed when it is silent.

        A registry that asks for no login takes any.
        """
        try:
            answer = await _asked(registry, "/v2/", login, {})
        except (NoAnswer, Busy) as error:
            reason = error.reason if isinstance(error, NoAnswer) else "it is busy"
            raise SystemFailed(
                f"the registry {registry} cannot be asked whether the login is right: {reason}",
                hint="check its name and this server's network, then try again",
                code="registry_unreachable",
            ) from None
        if answer.status in (401, 403):
            raise InvalidRequest(
                f"the registry {registry} refuses the login of {login.user}",
                hint="check the user name and the password; for ghcr.io that is a token with "
                "the scope read:packages",
                code="login_refused",
            )
        if not answer.ok:
            raise SystemFailed(
                f"{registry} does not answer as an image registry (HTTP {answer.status})",
                hint="check its name",
                code="registry_failed",
            )

    async def manifest(self, reference: str) -> Manifest | None:
        """The image's digest and layers for this machine; None where that cannot be told.

        Raises Busy. Every other failure is left to the pull, which explains it better.
        """
        name = registry_of(reference)
        if not name:
            return None
        registry = RegistryName(name)
        repository, selector = _split(reference.partition("/")[2])
        path = f"/v2/{repository}/manifests/"
        try:
            login = self._logins.login(registry)
            first = await _asked(registry, path + selector, login, _accepting(_INDEXES, _MANIFESTS))
            digest = first.headers.get("docker-content-digest", "")
            document = first.json() if first.ok else None
            if isinstance(document, dict) and isinstance(document.get("manifests"), list):
                own = self._own(document["manifests"])
                each = await _asked(registry, path + own, login, _accepting(_MANIFESTS))
                document = each.json() if own and each.ok else None
        except (NoAnswer, CodebError):
            return None
        return _manifest(digest, document)

    async def sends(self, reference: str, layer: str) -> bool:
        """Whether the registry begins to send a layer of the image when it is asked for it."""
        registry = RegistryName(registry_of(reference))
        repository, _ = _split(reference.partition("/")[2])
        one_byte = {"range": "bytes=0-0"}
        try:
            path = f"/v2/{repository}/blobs/{layer}"
            answer = await _asked(registry, path, self._logins.login(registry), one_byte)
        except (NoAnswer, Busy, CodebError):
            return False
        return answer.status < 400

    def _own(self, manifests: list[Any]) -> str:
        for each in manifests:
            own = each.get("platform") if isinstance(each, dict) else None
            if isinstance(own, dict) and (own.get("os"), own.get("architecture")) == (
                "linux",
                self._architecture,
            ):
                return str(each.get("digest") or "")
        return ""


def _manifest(digest: str, document: Any) -> Manifest | None:
    layers = document.get("layers") if isinstance(document, dict) else None
    if not digest or not isinstance(layers, list):
        return None
    layers = [each for each in layers if isinstance(each, dict)]
    sizes = [each.get("size") for each in layers]
    first = str(layers[0].get("digest") or "") if layers else ""
    return Manifest(
        digest, tuple(size for size in sizes if isinstance(size, int) and size >= 0), first
    )


def _split(rest: str) -> tuple[str, str]:
    """Repository, and the digest or tag by which one of its images is named."""
    name, _, digest = rest.partition("@")
    repository, _, tag = name.partition(":")
    return repository, digest or tag or "latest"


def _accepting(*kinds: tuple[str, ...]) -> dict[str, str]:
    return {"accept": ", ".join(each for kind in kinds for each in kind)}


async def _asked(
    registry: RegistryName, path: str, login: Login | None, headers: Mapping[str, str]
) -> Answer:
    """One request, and one more when the registry says how it wants to know who asks."""
    target = Target(await _base(registry))
    answer = await _get(target, path, headers)
    if answer.status != 401:
        return answer
    credentials = await _credentials(registry, login, answer.headers.get("www-authenticate", ""))
    if credentials is None:
        return answer
    return await _get(target, path, {**headers, "authorization": credentials})


async def _base(registry: RegistryName) -> str:
    host = _HOSTS.get(registry, str(registry))
    if not registry.is_loopback:
        return f"https://{host}"
    plain = Target(f"http://{host}")
    try:
        # what Go's servers say to one who does not speak TLS to them
        return f"https://{host}" if (await _get(plain, "/v2/")).status == 400 else plain.base
    except NoAnswer:
        return f"https://{host}"


async def _credentials(registry: RegistryName, login: Login | None, challenge: str) -> str | None:
    kind, _, rest = challenge.partition(" ")
    given = dict(_CHALLENGE.findall(rest))
    if kind.lower() == "basic":
        return _basic(login) if login else None
    realm = given.get("realm", "")
    # a password goes to where the registry sends it, but never in the clear over a network
    if kind.lower() != "bearer" or not (realm.startswith("https://") or registry.is_loopback):
        return None
    parts = urlsplit(realm)
    query = urlencode({name: given[name] for name in ("service", "scope") if name in given})
    path = f"{parts.path}?{'&'.join(filter(None, (parts.query, query)))}"
    headers = {"authorization": _basic(login)} if login else {}
    answer = await _get(Target(f"{parts.scheme}://{parts.netloc}"), path, headers)
    document = answer.json() if answer.ok else None
    if not isinstance(document, dict):
        return None
    token = document.get("token") or document.get("access_token")
    return f"Bearer {token}" if isinstance(token, str) and token.isprintable() else None


def _basic(login: Login) -> str:
    text = f"{login.user}:{login.password.reveal()}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"


async def _get(target: Target, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    answer = await fetch(target, path, seconds=SECONDS, headers=headers, limit=LARGEST)
    if answer.status == 429:
        raise Busy(_seconds(answer.headers.get("retry-after", "")))
    return answer


def _seconds(retry_after: str) -> float | None:
    """What `Retry-After` says: a number of seconds, or a moment."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())
