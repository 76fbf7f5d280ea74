"""The ServerHost contract on the one in memory, and on this machine's own files."""

import grp
import os
import pwd
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from codeb_mcp.adapters.host_files import make_folder, write_file
from codeb_mcp.adapters.host_setup import LocalHost
from codeb_mcp.domain.server import Folder, HostFile, Permissions
from codeb_mcp.errors import CodebError, Refused
from codeb_mcp.services.server_setup import ServerHost
from tests.contracts.server_host import ServerHostContract
from tests.fakes.server import FakeServer


@pytest.fixture
def own() -> Permissions:
    """Of whoever runs the tests."""
    user = pwd.getpwuid(os.getuid()).pw_name
    return Permissions(0o644, user, grp.getgrgid(os.getgid()).gr_name)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path)


class TestFakeServer(ServerHostContract):
    @pytest.fixture
    def host(self) -> ServerHost:
        return FakeServer()


class TestLocalHost(ServerHostContract):
    @pytest.fixture
    def host(self, tmp_path: Path) -> ServerHost:
        return LocalHost(lambda: datetime.now(UTC), tmp_path)


def test_link_in_the_place_of_a_folder_is_not_followed(place: str, own: Permissions) -> None:
    elsewhere = Path(place, "elsewhere")
    elsewhere.mkdir(mode=0o700)
    Path(place, "home").symlink_to(elsewhere)
    with pytest.raises(Refused) as refusal:
        make_folder(Folder(f"{place}/home", Permissions(0o755, own.owner, own.group)))
    assert refusal.value.code == "link_in_the_way"
    assert elsewhere.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another")
def test_account_cannot_lead_root_to_a_file_of_its_own_choice() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)  # the account gets as far as its home
        _write_through_a_link(Path(folder))


def _write_through_a_link(folder: Path) -> None:
    home, secrets = folder / "home", folder / "secrets"
    home.mkdir()
    secrets.mkdir(mode=0o700)
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    (home / ".config").symlink_to(secrets)
    file = HostFile(f"{home}/.config/config.toml", "x = 1\n", Permissions(0o600, "root", "root"))
    with pytest.raises(CodebError) as refusal:
        write_file(file)
    assert refusal.value.code == "file_not_writable"
    assert list(secrets.iterdir()) == []


@pytest.mark.parametrize(("owner", "code"), [("nobody-of-that-name", "account_missing")])
def test_file_of_an_account_that_is_missing_is_a_typed_error(
    place: str, owner: str, code: str
) -> None:
    with pytest.raises(CodebError) as error:
        write_file(HostFile(f"{place}/file", "", Permissions(0o600, owner, owner)))
    assert error.value.code == code
    assert list(Path(place).iterdir()) == []


def test_full_disk_is_a_typed_error_and_leaves_nothing_behind(
    place: str, own: Permissions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CodebError) as error:
        write_file(HostFile(f"{place}/file", "text", own))
    assert (error.value.code, error.value.exit_code) == ("disk_full", 4)
    assert list(Path(place).iterdir()) == []
