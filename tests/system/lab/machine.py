"""The server as the host sees it: a disk, a systemd-nspawn process, a cgroup and a link."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .boot import PLAIN_DIRECTORIES, Boot, plain_directory
from .commands import complete, contained
from .slot import PREFIX, Slot

BOOT_SECONDS = 120.0
SHUTDOWN_SECONDS = 120.0
# The server brings its own end of the link up, as one with a static address would.
NETWORK_UNIT = """\
[Unit]
Description=Address of the lab's link to its host
Before=network.target network-online.target
Wants=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip address replace {address}/{prefix} dev host0
ExecStart=ip link set host0 up
ExecStart=ip route replace default via {gateway}

[Install]
WantedBy=multi-user.target network-online.target
"""


class BootFailed(RuntimeError):
    """The server did not come up; the message holds the end of its console."""


@dataclass(slots=True)
class Machine:
    """A server's hardware. `prepare` its disk once, then `start` it any number of times."""

    slot: Slot
    boot: Boot
    power: subprocess.Popen[bytes] | None = None
    init: int | None = None

    @classmethod
    def prepare(cls, slot: Slot, lower: Path) -> "Machine":
        """A machine whose disk holds what `lower` holds; what it writes stays in the slot."""
        layer = slot.directory
        for name in ("upper", "work", "root", *map(plain_directory, PLAIN_DIRECTORIES)):
            (layer / name).mkdir(parents=True)
        overlay = _overlay_works(lower, layer)
        if not overlay:  # as where this host's own disk is an overlay
            copy = ["cp", "--archive", "--reflink=auto", f"{lower}/.", str(layer / "root")]
            subprocess.run(copy, check=True)
        _add_network_unit(layer / ("upper" if overlay else "root"), slot)
        boot = Boot(
            name=slot.name,
            lower=str(lower),
            layer=str(layer),
            cgroup=str(slot.cgroup),
            link=slot.name,
            overlay=overlay,
        )
        return cls(slot, boot)

    def start(self) -> None:
        """Boot, and wait until systemd has started everything. Raises BootFailed."""
        self.slot.cgroup.mkdir(exist_ok=True)
        with self._console.open("ab") as console:
            self.power = subprocess.Popen(
                contained(self.boot.argv()),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop the server
            )
        deadline = time.monotonic() + BOOT_SECONDS
        while not self._is_up(self.power.pid):
            if self.power.poll() is not None or time.monotonic() > deadline:
                raise BootFailed(f"{self.slot.name} did not boot; its console:\n{self.console()}")
            time.sleep(0.05)  # nothing outside can wait for the systemd of a container to answer
        self._connect()

    def shut_down(self) -> None:
        """Power off as an operator would, and wait for the end."""
        complete([*self.enter(), "systemctl", "--no-block", "poweroff"]).or_fail()
        self._wait_until_off()

    def cut_power(self) -> None:
        """End everything at once; what was written stays. No error when it is off."""
        self.slot.kill()
        self._wait_until_off()
        # the kernel takes the link away with its namespace, but later than the next boot needs it
        complete(["ip", "link", "delete", self.slot.name])

    def enter(self, *options: str) -> list[str]:
        """The start of a command that runs in the server's namespaces."""
        if self.init is None:
            raise RuntimeError(f"{self.slot.name} is not running")
        namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
        return ["nsenter", "--target", str(self.init), *namespaces, *options, "--"]

    def console(self, lines: int = 30) -> str:
        """The last lines the server wrote to its console."""
        text = self._console.read_text(errors="replace") if self._console.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    @property
    def _console(self) -> Path:
        return self.slot.directory / "console.log"

    def _is_up(self, outermost: int) -> bool:
        self.init = _init_process(outermost)
        if self.init is None:
            return False
        state = complete([*self.enter(), "systemctl", "is-system-running", "--wait"])
        return state.stdout.strip() in {"running", "degraded"}

    def _connect(self) -> None:
        """Give this host its end of the link; a new one comes with every boot."""
        address = f"{self.slot.host_address}/{PREFIX}"
        complete(["ip", "address", "replace", address, "dev", self.slot.name]).or_fail()
        complete(["ip", "link", "set", self.slot.name, "up"]).or_fail()

    def _wait_until_off(self) -> None:
        self.init = None
        if self.power is not None:
            self.power.wait(SHUTDOWN_SECONDS)
            self.power = None


def _add_network_unit(disk: Path, slot: Slot) -> None:
    text = NETWORK_UNIT.format(
        address=slot.server_address, prefix=PREFIX, gateway=slot.host_address
    )
    units = disk / "etc/systemd/system"
    for wants in ("multi-user.target.wants", "network-online.target.wants"):
        (units / wants).mkdir(parents=True, exist_ok=True)
        (units / wants / "lab-network.service").symlink_to("../lab-network.service")
    (units / "lab-network.service").write_text(text)


def _init_process(outermost: int) -> int | None:
    """The server's PID 1, seen from this host; None while there is none.

    The outermost process is unshare, its child is nspawn, and one of nspawn's is the server's.
    """
    try:
        for nspawn in _children(outermost):
            for pid in _children(nspawn):
                if _namespaced_pids(pid)[2:] == ["1"]:
                    return pid
    except FileNotFoundError:  # one ended while we looked
        pass
    return None


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _namespaced_pids(pid: int) -> list[str]:
    """The ids of one process in each PID namespace that holds it, this host's first."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line for line in status if line.startswith("NSpid:")).split()[1:]


def _overlay_works(lower: Path, layer: Path) -> bool:
    """Whether the kernel can overlay these directories, tried in a namespace of its own."""
    branches = f"lowerdir={lower},upperdir={layer / 'upper'},workdir={layer / 'work'}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", branches, str(layer / "root")]
    return complete(["unshare", "--mount", "--", *mount]).returncode == 0
