"""Who listens on a port of this machine, from /proc alone: a fresh server may lack every tool."""

import ipaddress
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from codeb_mcp.domain.server import Listener

_TABLES: tuple[tuple[str, Literal["tcp", "udp"], str], ...] = (
    ("tcp", "tcp", "0A"),
    ("tcp6", "tcp", "0A"),
    ("udp", "udp", "07"),
    ("udp6", "udp", "07"),
)
"""The table, its protocol, and the state that means listening."""


def listeners(ports: Collection[int], proc: Path = Path("/proc")) -> tuple[Listener, ...]:
    """The sockets that listen on these ports, with the process and the unit that hold them."""
    found = [each for table in _TABLES for each in _table(proc, *table, ports)]
    holders = _holders(proc, {inode for *_, inode in found}) if found else {}
    return tuple(
        Listener(protocol, address, port, *_named(proc, holders.get(inode)))
        for protocol, address, port, inode in found
    )


def _table(
    proc: Path, name: str, protocol: Literal["tcp", "udp"], state: str, ports: Collection[int]
) -> Iterator[tuple[Literal["tcp", "udp"], str, int, str]]:
    try:
        lines = (proc / "net" / name).read_text().splitlines()[1:]
    except FileNotFoundError:  # a kernel without IPv6
        return
    for line in lines:
        fields = line.split()
        host, _, port = fields[1].partition(":")
        if fields[3] == state and int(port, 16) in ports:
            yield protocol, _address(host), int(port, 16), fields[9]


def _address(text: str) -> str:
    """The kernel writes each group of four bytes in the order of the processor (little-endian)."""
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _holders(proc: Path, inodes: set[str]) -> dict[str, int]:
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    holders: dict[str, int] = {}
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile
            for descriptor in os.scandir(folder / "fd"):
                target = str(Path(descriptor.path).readlink())
                if target in wanted:
                    holders.setdefault(wanted[target], int(folder.name))
    return holders


def _named(proc: Path, pid: int | None) -> tuple[str, int | None, str]:
    if pid is None:
        return "", None, ""
    try:
        name = (proc / str(pid) / "comm").read_text().strip()
        groups = (proc / str(pid) / "cgroup").read_text()
    except OSError:
        return "", pid, ""
    units = re.findall(r"[^/\n]+\.(?:service|socket)(?=/|$)", groups, re.MULTILINE)
    return name, pid, units[-1] if units else ""
