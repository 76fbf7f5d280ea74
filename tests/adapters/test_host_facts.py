"""Reading a machine: who listens where, whose PowerDNS it is, what apt said."""

import os
import socket
import stat
from pathlib import Path

import pytest

from codeb_mcp.adapters import host_packages
from codeb_mcp.adapters.host_listeners import listeners
from codeb_mcp.adapters.owners_powerdns import key_in, owners_name_server
from codeb_mcp.errors import CodebError


@pytest.mark.parametrize(
    ("family", "kind", "host", "shown"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", ("tcp", "127.0.0.1")),
        (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1", ("udp", "127.0.0.1")),
        (socket.AF_INET6, socket.SOCK_STREAM, "::1", ("tcp", "::1")),
        (socket.AF_INET6, socket.SOCK_DGRAM, "::", ("udp", "::")),
    ],
)
def test_listener_is_found_with_its_process(
    family: socket.AddressFamily, kind: socket.SocketKind, host: str, shown: tuple[str, str]
) -> None:
    with socket.socket(family, kind) as opened:
        opened.bind((host, 0))
        if kind is socket.SOCK_STREAM:
            opened.listen()
        port = opened.getsockname()[1]
        (found,) = listeners({port})
    assert (found.protocol, found.address, found.port) == (*shown, port)
    assert found.pid == os.getpid()
    assert found.process
    assert listeners({port}) == ()


def powerdns(folder: Path, **files: str) -> Path:
    (folder / "pdns.d").mkdir()
    for name, text in {"pdns.conf": "include-dir=/x\nlaunch=\n", **files}.items():
        where = folder if name in ("pdns.conf", "named.conf") else folder / "pdns.d"
        (where / name).write_text(text)
    return folder


def test_powerdns_as_it_was_installed_is_nobodys(tmp_path: Path) -> None:
    folder = powerdns(
        tmp_path,
        **{
            "bind.conf": "launch+=bind\nbind-config=/etc/powerdns/named.conf\n",
            "named.conf": "options { };\n",
            "codeb.conf": "launch=gsqlite3\napi-key=ours\n",
        },
    )
    assert owners_name_server(folder) is None
    key = key_in(folder / "pdns.d" / "codeb.conf")
    assert key is not None
    assert key.reveal() == "ours"


def test_powerdns_with_a_backend_is_its_owners(tmp_path: Path) -> None:
    found = owners_name_server(powerdns(tmp_path, **{"mine.conf": "launch=gmysql\n# api=yes\n"}))
    assert found is not None
    assert (found.file, found.url) == (str(tmp_path / "pdns.d" / "mine.conf"), None)


def test_zones_of_the_bind_backend_are_somebodys(tmp_path: Path) -> None:
    files = {"bind.conf": "launch+=bind\n", "named.conf": 'zone "mine.example" { };\n'}
    assert owners_name_server(powerdns(tmp_path, **files)) is not None


def test_owners_api_is_found_with_its_key(tmp_path: Path) -> None:
    text = "launch = gpgsql\napi = yes\napi-key = theirs\nwebserver-port=8083\n"
    found = owners_name_server(powerdns(tmp_path, **{"pdns.conf": text}))
    assert found is not None
    assert found.key is not None
    assert (found.url, found.key.reveal()) == ("http://127.0.0.1:8083", "theirs")


def programs(folder: Path, **scripts: str) -> str:
    """A PATH on which these are the programs."""
    for name, body in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("said", "code", "retryable"),
    [
        ("E: Failed to fetch http://mirror/x  Temporary failure resolving", "apt_failed", True),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "disk_full", True),
        (
            "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)\n"
            "E: Unable to lock directory",
            "apt_locked",
            True,
        ),
    ],
)
async def test_failure_of_apt_is_a_typed_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: str, retryable: bool
) -> None:
    path = programs(tmp_path, dpkg="exit 0", apt_get=f"cat >&2 <<'END'\n{said}\nEND\nexit 100")
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(host_packages, "LOCK_SECONDS", 0.0)
    with pytest.raises(CodebError) as error:
        await host_packages.install(("podman",))
    assert (error.value.code, error.value.retryable) == (code, retryable)


async def test_another_apt_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)"
    script = (
        f"test -e {tmp_path}/free && exit 0; touch {tmp_path}/free; echo '{busy}' >&2; exit 100"
    )
    monkeypatch.setenv("PATH", programs(tmp_path, dpkg="exit 0", apt_get=script))
    monkeypatch.setattr(host_packages, "LOCK_POLL_SECONDS", 0.01)
    await host_packages.install(("podman",))
    assert (tmp_path / "free").exists()


async def test_mirror_that_never_answers_is_a_typed_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path, dpkg="exit 0", apt_get="exec sleep 60"))
    monkeypatch.setattr(host_packages, "UPDATE_SECONDS", 0.2)
    with pytest.raises(CodebError) as error:
        await host_packages.install(("podman",))
    assert error.value.code == "apt_failed"
    assert "did not end within" in error.value.message
