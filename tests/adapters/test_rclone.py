"""Copies of backups, at a real server that rclone itself runs."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from codeb_mcp.adapters.rclone import RcloneRemote
from codeb_mcp.errors import SystemFailed

pytestmark = pytest.mark.system
KINDS = ("sftp", "webdav")


@pytest.fixture(params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The folder behind a server, which is the remote AWAY."""
    kind, folder = str(request.param), tmp_path / "elsewhere"
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    login = ("--user=me", "--pass=secret")
    argv = ["rclone", "serve", kind, str(folder), f"--addr=127.0.0.1:{port}", *login]
    hidden = subprocess.run(["rclone", "obscure", "secret"], capture_output=True, check=True)
    settings = {
        "TYPE": kind,
        "USER": "me",
        "PASS": hidden.stdout.decode().strip(),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "URL": f"http://127.0.0.1:{port}",
        "VENDOR": "other",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"RCLONE_CONFIG_AWAY_{name}", value)
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as server:
        yield folder
        server.terminate()


async def until_it_answers() -> None:
    with anyio.fail_after(30):
        while (await anyio.run_process(["rclone", "lsf", "AWAY:"], check=False)).returncode:
            await anyio.sleep(0.1)


async def test_a_copy_is_the_same_comes_back_and_goes(place: Path, tmp_path: Path) -> None:
    await until_it_answers()
    backup, remote = tmp_path / "server.state.1.age", RcloneRemote("AWAY:codeb/here")
    backup.write_bytes(bytes(range(256)) * 4000)
    await remote.copy(backup)
    assert (place / "codeb/here" / backup.name).read_bytes() == backup.read_bytes()
    (tmp_path / "back").mkdir()
    fetched = await remote.fetch(backup.name, tmp_path / "back")
    assert fetched.read_bytes() == backup.read_bytes()
    await remote.remove(backup.name)
    await remote.remove(backup.name)
    assert list((place / "codeb/here").iterdir()) == []


async def test_a_place_that_takes_nothing_fails_the_copy(place: Path, tmp_path: Path) -> None:
    await until_it_answers()
    backup = tmp_path / "server.state.1.age"
    backup.write_bytes(b"x")
    (place / "codeb").write_text("a file, where a folder is needed")
    with pytest.raises(SystemFailed) as caught:
        await RcloneRemote("AWAY:codeb/here").copy(backup)
    assert caught.value.code == "copy_failed"


async def test_an_unknown_remote_fails_the_copy(tmp_path: Path) -> None:
    backup = tmp_path / "server.state.1.age"
    backup.write_bytes(b"x")
    with pytest.raises(SystemFailed) as caught:
        await RcloneRemote("NOWHERE:codeb").copy(backup)
    assert caught.value.code == "copy_failed"
