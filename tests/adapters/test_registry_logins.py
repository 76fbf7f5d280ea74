"""Logins at registries: the file they are kept in, and the questions that registries are asked."""

import asyncio
import base64
import json
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from codeb_mcp.adapters.auth_file import AuthFile
from codeb_mcp.adapters.registry_api import Busy, RegistryApi
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.registries import Login, RegistryName
from codeb_mcp.errors import InvalidRequest, SystemFailed
from tests.outcomes import fails_with

GHCR = RegistryName("ghcr.io")
ME = Login("me", Secret("hunter2:with a colon"))
OCI = "application/vnd.oci.image.manifest.v1+json"
Answering = Callable[[str, str], tuple[str, dict[str, str], object]]
"""From a path and the Authorization that came with it to status, headers and body."""


@asynccontextmanager
async def registry(answer: Answering) -> AsyncIterator[RegistryName]:
    """A registry on loopback, without TLS."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode(errors="replace")
        except (asyncio.IncompleteReadError, ConnectionError):
            return writer.close()  # a TLS handshake
        lines = [line.partition(": ") for line in head.split("\r\n")[1:]]
        given = {name.lower(): value for name, _, value in lines}
        status, headers, body = answer(head.split(" ")[1], given.get("authorization", ""))
        data = json.dumps(body).encode()
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(data)}\r\n\r\n".encode())
        writer.write(data)
        return writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield RegistryName(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()


def test_login_is_kept_for_the_account_alone(tmp_path: Path) -> None:
    logins = AuthFile(tmp_path / "home" / "auth.json")
    logins.save(GHCR, ME)
    assert logins.path.stat().st_mode & 0o777 == 0o600
    kept = logins.login("ghcr.io")
    assert kept is not None
    assert (kept.user, kept.password.reveal()) == ("me", "hunter2:with a colon")
    assert logins.login("ghcr.io.evil.example") is None
    assert (logins.forget(GHCR), logins.forget(GHCR)) == (True, False)
    assert logins.registries() == []


@pytest.mark.parametrize(
    ("text", "mode"), [("{}", 0o644), ("nonsense", 0o600), ("[]", 0o600), ('{"auths": 1}', 0o600)]
)
def test_file_that_is_open_to_others_or_bad_is_refused(
    tmp_path: Path, text: str, mode: int
) -> None:
    path = tmp_path / "auth.json"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(InvalidRequest) as caught:
        AuthFile(path).login("ghcr.io")
    assert caught.value.code == "auth_file_unusable"


def bearer(path: str, authorization: str) -> tuple[str, dict[str, str], object]:
    """GHCR's way: a token for the login, and then what was asked for."""
    if path.startswith("/token"):
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        allowed = given == "me:hunter2:with a colon"
        return ("200 OK", {}, {"token": "t0ken"}) if allowed else ("403 Forbidden", {}, {})
    if authorization != "Bearer t0ken":
        challenge = f'Bearer realm="{bearer_realm[0]}",service="here",scope="pull"'
        return "401 Unauthorized", {"WWW-Authenticate": challenge}, {}
    if "/manifests/" in path:
        body = {"mediaType": OCI, "layers": [{"size": 10}, {"size": 20}]}
        return "200 OK", {"Docker-Content-Digest": "sha256:abc"}, body
    return "200 OK", {}, {}


bearer_realm = [""]


async def test_login_is_checked_and_used_in_the_way_of_ghcr(tmp_path: Path) -> None:
    logins = AuthFile(tmp_path / "auth.json")
    async with registry(bearer) as name:
        bearer_realm[0] = f"http://{name}/token"
        await RegistryApi(logins).check(name, ME)
        async with fails_with(InvalidRequest, "login_refused", "me"):
            await RegistryApi(logins).check(name, Login("me", Secret("wrong")))
        assert await RegistryApi(logins).manifest(f"{name}/org/app:v1") is None
        logins.save(name, ME)
        manifest = await RegistryApi(logins).manifest(f"{name}/org/app:v1")
    assert manifest is not None
    assert (manifest.digest, manifest.layers) == ("sha256:abc", (10, 20))


async def test_layers_are_those_for_this_machine(tmp_path: Path) -> None:
    def answer(path: str, _authorization: str) -> tuple[str, dict[str, str], object]:
        if path.endswith("/v1"):
            platforms = [("amd64", "sha256:1"), ("arm64", "sha256:2")]
            manifests = [
                {"digest": digest, "platform": {"os": "linux", "architecture": architecture}}
                for architecture, digest in platforms
            ]
            return "200 OK", {"Docker-Content-Digest": "sha256:both"}, {"manifests": manifests}
        size = 7 if path.endswith("sha256:2") else 5
        return "200 OK", {}, {"layers": [{"size": size}]}

    async with registry(answer) as name:
        api = RegistryApi(AuthFile(tmp_path / "auth.json"), machine="aarch64")
        manifest = await api.manifest(f"{name}/app:v1")
    assert manifest is not None
    assert (manifest.digest, manifest.layers) == ("sha256:both", (7,))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7.0), ({}, None), ({"Retry-After": "nonsense"}, None)],
)
async def test_busy_registry_says_how_long_it_wants_to_be_left_alone(
    tmp_path: Path, headers: dict[str, str], seconds: float | None
) -> None:
    async with registry(lambda *_: ("429 Too Many Requests", headers, {})) as name:
        with pytest.raises(Busy) as caught:
            await RegistryApi(AuthFile(tmp_path / "auth.json")).manifest(f"{name}/app:v1")
    assert caught.value.seconds == seconds


async def test_registry_that_nobody_runs_cannot_check_a_login(tmp_path: Path) -> None:
    async with fails_with(SystemFailed, "registry_unreachable", "127.0.0.1:1"):
        await RegistryApi(AuthFile(tmp_path / "x")).check(RegistryName("127.0.0.1:1"), ME)


@pytest.mark.parametrize(
    "answer",
    [
        ("500 Internal Server Error", {}, {}),
        ("200 OK", {}, []),
        ("200 OK", {"Docker-Content-Digest": "sha256:1"}, {"layers": "many"}),
        ("401 Unauthorized", {"WWW-Authenticate": 'Bearer realm="ftp://x"'}, {}),
    ],
)
async def test_what_a_registry_says_wrongly_is_left_to_the_pull(
    tmp_path: Path, answer: tuple[str, dict[str, str], object]
) -> None:
    async with registry(lambda *_: answer) as name:
        api = RegistryApi(AuthFile(tmp_path / "auth.json"))
        assert await api.manifest(f"{name}/app:v1") is None
