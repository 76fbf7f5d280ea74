"""One booted server: commands in it as root or as a user, files, reboot, and its end."""

import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Self

from .commands import CLEAN_ENV, Completed, assignments, complete
from .machine import Machine
from .rootfs import rootfs
from .slot import Slot

SESSION_SECONDS = 15.0


class NoUserSession(RuntimeError):
    """The user has no systemd of their own: they neither linger nor are logged in."""


class Server:
    """A Debian server of the test's own. `boot` one; `stop` it, or leave its `with` block."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._uids: dict[str, int] = {}

    @classmethod
    def boot(cls, *, bare: bool = False) -> Self:
        """Boot a fresh server, `bare` as a provider hands it over.

        Builds the root file system first where there is none yet.
        """
        lower = rootfs(bare=bare)
        slot = Slot.acquire()
        try:
            machine = Machine.prepare(slot, lower)
            machine.start()
        except BaseException:  # an interrupt, too, must not leave a server running
            slot.release()
            raise
        return cls(machine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def name(self) -> str:
        """The server's host name."""
        return self._machine.slot.name

    @property
    def address(self) -> str:
        """The IPv4 address at which this host reaches the server's ports."""
        return str(self._machine.slot.server_address)

    @property
    def host_address(self) -> str:
        """The IPv4 address at which the server reaches this host's ports."""
        return str(self._machine.slot.host_address)

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | bytes | None = None,  # noqa: A002 - named as in subprocess.run
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        check: bool = True,
        timeout: float = 120.0,
    ) -> Completed:
        """Run a command as root. `timeout` is in seconds.

        Raises CommandFailed with `check`, and TimeoutExpired once the command has been ended.
        """
        return self.run_as(
            "root", argv, input=input, env=env, cwd=cwd, check=check, timeout=timeout
        )

    def run_as(
        self,
        user: str,
        argv: Sequence[str],
        *,
        input: str | bytes | None = None,  # noqa: A002 - named as in subprocess.run
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        check: bool = True,
        timeout: float = 120.0,
    ) -> Completed:
        """Run a command in the user's own systemd session, else as `run` does.

        Raises NoUserSession when the user does not linger.
        """
        unit = _unit_name()
        try:
            ended = complete(
                self._unit_argv(user, argv, env, cwd, unit), stdin=input, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            complete([*self._session(user), "systemctl", *_manager(user), "stop", unit])
            raise
        return ended.or_fail() if check else ended

    def command_as(
        self,
        user: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        *,
        cwd: str | None = None,
    ) -> list[str]:
        """The command to spawn on this host for one session on stdin and stdout in the server."""
        return self._unit_argv(user, argv, env, cwd, _unit_name())

    def write(
        self, path: str, text: str | bytes, *, mode: int = 0o644, owner: str = "root"
    ) -> None:
        """Write a file. Directories made on the way belong to `owner` too."""
        parent = str(PurePosixPath(path).parent)
        self._enter("runuser", "-u", owner, "--", "mkdir", "-p", "--", parent)
        group = self._enter("id", "-gn", owner).stdout.strip()
        ownership = (f"--owner={owner}", f"--group={group}", f"--mode={mode:o}")
        install = ["install", *ownership, "--no-target-directory", "--", "/dev/stdin", path]
        complete([*self._machine.enter(), *install], stdin=text).or_fail()

    def read(self, path: str) -> str:
        """The text of a file. Raises CommandFailed when there is none."""
        return self._enter("cat", "--", path).stdout

    def path_inside(self, path: str) -> Path:
        """The path on this host of a file or socket of the server, until it next reboots.

        An absolute symbolic link on the way would be followed on this host: `read` those.
        """
        init = self._machine.enter()[2]
        return Path(f"/proc/{init}/root") / path.lstrip("/")

    def console(self, lines: int = 30) -> str:
        """The last lines the server wrote to its console."""
        return self._machine.console(lines)

    def reboot(self, *, power_cut: bool = False) -> None:
        """Shut down and boot again on the same disk; a power cut shuts nothing down first."""
        if power_cut:
            self._machine.cut_power()
        else:
            self._machine.shut_down()
        self._machine.start()

    def stop(self) -> None:
        """End the server and remove all it left on this host. Doing so twice is no error."""
        try:
            self._machine.cut_power()
        finally:
            self._machine.slot.release()

    def _enter(self, *argv: str) -> Completed:
        """As root beside the server's own processes: quick, and asks nothing of its systemd."""
        return complete([*self._machine.enter(), *argv]).or_fail()

    def _unit_argv(
        self,
        user: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None,
        cwd: str | None,
        unit: str,
    ) -> list[str]:
        """Through systemd: logind and Podman refuse callers outside the server's own cgroups."""
        return [
            *self._session(user),
            *("systemd-run", *_manager(user), f"--unit={unit}", "--quiet", "--wait", "--pipe"),
            *("--collect", "--service-type=exec", "--expand-environment=no"),
            # what a command leaves running (podman run --detach) stays, as after an SSH session
            "--property=KillMode=process",
            *(f"--setenv={assignment}" for assignment in assignments(env or {})),
            *([f"--working-directory={cwd}"] if cwd else []),
            *("--", *argv),
        ]

    def _session(self, user: str) -> list[str]:
        """The start of a command that talks to the user's systemd (root's is the system's)."""
        if user == "root":
            return [*self._machine.enter(), "env", "-i", *assignments(CLEAN_ENV)]
        uid = self._uid(user)
        self._wait_for_session(user, uid)
        env = {**CLEAN_ENV, "XDG_RUNTIME_DIR": f"/run/user/{uid}"}
        identity = (f"--setuid={uid}", f"--setgid={uid}")
        return [*self._machine.enter(*identity), "env", "-i", *assignments(env)]

    def _uid(self, user: str) -> int:
        if user not in self._uids:
            self._uids[user] = int(self._enter("id", "-u", user).stdout)
        return self._uids[user]

    def _wait_for_session(self, user: str, uid: int) -> None:
        """logind starts lingering users' sessions on its own time, boot or not."""
        deadline = time.monotonic() + SESSION_SECONDS
        while not self.path_inside(f"/run/user/{uid}/bus").exists():
            if time.monotonic() > deadline:
                raise NoUserSession(f"{user} has no session: run loginctl enable-linger {user}")
            time.sleep(0.02)  # the interval of the poll


def _manager(user: str) -> list[str]:
    return [] if user == "root" else ["--user"]


def _unit_name() -> str:
    return f"lab-{uuid.uuid4().hex}.service"
