"""A slot: the name, cgroup, addresses and directory of one server on this host.

A slot belongs to whoever holds its lock, which the kernel frees when that process dies. So what
a new holder finds in it was left by a run that was killed, and may be cleaned away.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from filelock import FileLock, Timeout

from .commands import complete
from .requirements import lab_dir
from .rootfs import remove_tree

SLOTS = 16
# Four addresses a slot, in a corner of 10.0.0.0/8 that nothing else is likely to use.
NETWORK = IPv4Network("10.213.77.0/26")
PREFIX = 30
# The locks are the host's and not CODEB_LAB_DIR's, as cgroups and links are.
LOCKS = Path("/run/lock")


class NoFreeSlot(RuntimeError):
    """As many servers as the lab has names for run on this host already."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One place for a server; `acquire` it, and `release` it at the end."""

    number: int
    lock: FileLock

    @classmethod
    def acquire(cls) -> "Slot":
        """The first free slot. Whatever killed runs left in any other is cleaned, too."""
        slots = [cls.numbered(number) for number in range(SLOTS)]
        free = next(filter(cls.take, slots), None)
        for slot in slots:
            if slot.traces() and slot.take():
                slot.release()
        if free is not None:
            return free
        raise NoFreeSlot(f"{SLOTS} servers of the lab run on this host; stop one and try again")

    @classmethod
    def numbered(cls, number: int) -> "Slot":
        """The slot of that number, whoever has it."""
        return cls(number, FileLock(LOCKS / f"codeb-lab{number}.lock"))

    def take(self) -> bool:
        """Hold the slot, clean of what a killed run left; False when another holds it."""
        if self.lock.is_locked:
            return False
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            return False
        try:
            self.clean()
        except BaseException:
            self.lock.release()
            raise
        return True

    def traces(self) -> list[Path]:
        """What there is on this host of a server in this slot."""
        places = (self.cgroup, self.directory, Path("/sys/class/net", self.name))
        return [path for path in places if path.exists()]

    @property
    def name(self) -> str:
        """The server's host name, and the name of its cgroup and of its link on the host."""
        return f"codeb-lab{self.number}"

    @property
    def directory(self) -> Path:
        """Everything the server writes is below this directory."""
        return lab_dir() / "servers" / str(self.number)

    @property
    def cgroup(self) -> Path:
        """A cgroup v2 that holds every process of the server."""
        return _cgroup2() / self.name

    @property
    def host_address(self) -> IPv4Address:
        """This host, as the server sees it."""
        return NETWORK[self.number * 4 + 1]

    @property
    def server_address(self) -> IPv4Address:
        """The server, as this host sees it."""
        return NETWORK[self.number * 4 + 2]

    def kill(self) -> None:
        """End every process of the server at once, and wait until they are gone."""
        if not self.cgroup.is_dir():
            return
        (self.cgroup / "cgroup.kill").write_text("1")
        _wait_while(
            lambda: "populated 1" in (self.cgroup / "cgroup.events").read_text(),
            f"processes in {self.cgroup} did not end",
        )
        for path in sorted(self.cgroup.rglob("*/"), reverse=True):
            path.rmdir()
        self.cgroup.rmdir()

    def clean(self) -> None:
        """Remove processes, link and files; what is not there is no error."""
        self.kill()
        # the kernel removes the link, too, some time after the server's last process
        link = Path("/sys/class/net", self.name)
        if link.exists():
            complete(["ip", "link", "delete", self.name])
        _wait_while(link.exists, f"the link {self.name} did not go")
        remove_tree(self.directory)

    def release(self) -> None:
        """Clean, and let another have the slot."""
        try:
            self.clean()
        finally:
            self.lock.release()


def _wait_while(condition: Callable[[], bool], otherwise: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{otherwise} within {seconds:g} s")
        time.sleep(0.02)  # the kernel announces neither; this is the interval of the poll


def _cgroup2() -> Path:
    unified = Path("/sys/fs/cgroup/unified")
    return unified if unified.is_dir() else Path("/sys/fs/cgroup")
