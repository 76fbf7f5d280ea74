"""The lab itself: that the server is a real one, and that it leaves nothing behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import Timeout

from tests.system.lab import NoUserSession, Server
from tests.system.lab import rootfs as recipe
from tests.system.lab.machine import Machine
from tests.system.lab.services import User
from tests.system.lab.slot import Slot

# Boots a server, names it, and would stop it at the end of its input.
BOOT_AND_WAIT = """\
import sys
import time
from tests.system.lab import Server

with Server.boot() as server:
    server.write("/root/left-behind", "by a run that was killed")
    print(server.name, flush=True)
    sys.stdin.read()
"""


def slot_of(name: str) -> Slot:
    """The place on this host of the server with this name."""
    return Slot.numbered(int(name.removeprefix("codeb-lab")))


def left_on_host(slot: Slot) -> list[Path]:
    """What a server left on this host. What is there for another's server was not left."""
    try:
        with slot.lock.acquire(timeout=0):
            return slot.traces()
    except Timeout:
        return []


def has_processes(slot: Slot) -> bool:
    """Whether anything of the slot's server still runs."""
    events = slot.cgroup / "cgroup.events"
    return events.exists() and "populated 1" in events.read_text()


def test_server_boots_with_every_unit_running(lab_host: None) -> None:
    with Server.boot() as fresh:
        failed = fresh.run(["systemctl", "--failed", "--plain", "--no-legend"]).stdout
        assert failed == ""
        assert fresh.run(["systemctl", "is-system-running"]).stdout == "running\n"
        assert fresh.run(["ps", "-o", "comm=", "1"]).stdout == "systemd\n"


def test_command_gets_its_arguments_input_and_environment_unchanged(
    server: Server, user: User
) -> None:
    script = 'printf "%s|" "$@"; printf "%s|%s|" "$GREETING" "$PWD"; cat'
    words = ["a b", "$HOME", "%n", "%%", '"', ""]
    ended = server.run_as(
        user.name,
        ["sh", "-c", script, "sh", *words],
        input="from stdin",
        env={"GREETING": "hello $USER"},
        cwd="/var/tmp",
    )
    assert ended.stdout == 'a b|$HOME|%n|%%|"||hello $USER|/var/tmp|from stdin'


def test_failed_command_tells_its_exit_code_and_error(server: Server, user: User) -> None:
    ended = server.run_as(user.name, ["sh", "-c", "echo why >&2; exit 7"], check=False)
    assert (ended.returncode, ended.stderr) == (7, "why\n")
    with pytest.raises(AssertionError, match="why"):
        server.run(["sh", "-c", "echo why >&2; exit 7"])


def test_command_that_takes_too_long_is_ended(server: Server, user: User) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        server.run_as(user.name, ["sleep", "4242"], timeout=0.5)
    assert server.run(["pgrep", "--full", "^sleep 4242"], check=False).returncode == 1


def test_session_on_stdio_is_clean_and_ends_with_its_input(server: Server, user: User) -> None:
    command = server.command_as(user.name, ["cat"], {"PYTHONUNBUFFERED": "1"})
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        for line in (b'{"id": 1}\n', b"\x00\xff\r\n"):
            session.stdin.write(line)
            session.stdin.flush()
            assert session.stdout.readline() == line
        session.stdin.close()
        assert session.stdout.read() == b""
        assert session.wait(10) == 0


def test_written_file_belongs_to_its_owner_and_is_read_back(server: Server, user: User) -> None:
    path = f"{user.home}/.config/lab/deep/secret"
    server.write(path, "s3cret\n", mode=0o600, owner=user.name)
    described = server.run(["stat", "-c", "%U:%G %a", path, f"{user.home}/.config/lab"]).stdout
    assert described.splitlines() == ["codeb:codeb 600", "codeb:codeb 755"]
    assert server.read(path) == server.path_inside(path).read_text() == "s3cret\n"


def test_user_without_linger_has_no_session(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.system.lab.server.SESSION_SECONDS", 0.2)
    with pytest.raises(NoUserSession, match="loginctl enable-linger nobody"):
        server.run_as("nobody", ["true"])


@pytest.mark.parametrize("power_cut", [False, True], ids=["reboot", "power-cut"])
def test_disk_survives(server: Server, user: User, power_cut: bool) -> None:
    paths = {"/etc/lab-kept": "on the overlay", f"{user.home}/kept": "on a plain directory"}
    for path, text in paths.items():
        server.write(path, text)
    server.run(["sync"])
    init_before = server.path_inside("/")
    server.reboot(power_cut=power_cut)
    assert {path: server.read(path) for path in paths} == paths
    assert server.path_inside("/") != init_before
    assert server.run_as(user.name, ["whoami"]).stdout == f"{user.name}\n"


def test_second_server_is_a_fresh_one_and_leaves_nothing(server: Server) -> None:
    server.write("/root/mine", "")
    with Server.boot() as second:
        assert second.address != server.address
        assert second.run(["ls", "/root", "/home"]).stdout == "/home:\n\n/root:\n"
        assert len(slot_of(second.name).traces()) == 3
    assert left_on_host(slot_of(second.name)) == []
    second.stop()
    assert server.read("/root/mine") == ""


def test_interrupted_boot_leaves_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    slots: list[Slot] = []

    def interrupt(machine: Machine) -> None:
        slots.append(machine.slot)
        raise KeyboardInterrupt

    monkeypatch.setattr(Machine, "_connect", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Server.boot()
    assert [left_on_host(slot) for slot in slots] == [[]]


def test_server_of_a_killed_run_dies_and_its_place_is_cleaned(server: Server) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BOOT_AND_WAIT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as run:
        assert run.stdout is not None
        slot = slot_of(run.stdout.readline().strip())
        run.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while has_processes(slot) and time.monotonic() < deadline:
        time.sleep(0.05)  # the kernel ends them; this is the interval of the poll
    assert not has_processes(slot)
    with Server.boot() as next_one:
        assert next_one.run(["ls", "/root"]).stdout == ""
    assert left_on_host(slot) == []


def test_changed_recipe_is_another_root_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe.recipe_hash()
    monkeypatch.setattr(recipe, "PACKAGES", (*recipe.PACKAGES, "hello"))
    assert recipe.recipe_hash() != before


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "sources.list.d/debian.sources",
            "Types: deb\nURIs: http://mirror.example/debian/\nSuites: trixie\n",
            "http://mirror.example/debian/",
        ),
        (
            "sources.list",
            "# a comment\ndeb [signed-by=/k] https://mirror.example/debian trixie main\n",
            "https://mirror.example/debian",
        ),
        ("sources.list", "deb http://archive.example/ubuntu noble main\n", None),
        ("sources.list.d/other.list", "deb https://vendor.example/apt stable main\n", None),
    ],
)
def test_mirror_is_the_one_of_the_host(
    tmp_path: Path, name: str, text: str, expected: str | None
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert recipe.host_mirror(tmp_path) == expected
