"""What a container may use and reach: limits, capabilities, volumes. Nothing unless asked for."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from codeb_mcp.domain.names import shown
from codeb_mcp.errors import InvalidRequest

_VOLUME = re.compile(r"[a-z0-9][a-z0-9_]{0,30}")
_PATH = re.compile(r"(?:/[A-Za-z0-9._-]{1,100}){1,12}")
_MEMORY = re.compile(r"([1-9][0-9]{0,11})([bkmg]?)", re.IGNORECASE)
_CPUS = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,2})?")
_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_OF_THE_KERNEL = ("/proc", "/sys", "/dev")
SMALLEST_MEMORY = 6 * 1024**2
"""Bytes. Below that not even the container's runtime starts."""

# What Docker and Podman give to every container, and no more: none of them reaches the host.
CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)


class VolumeName(str):
    """A volume's own name, such as `data`. No hyphen, so that Podman's name tells whose it is."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _VOLUME.fullmatch(text):
            raise InvalidRequest(
                f"volume name {shown(text)} is not valid",
                hint="use 1 to 31 lower-case letters, digits and underscores, such as data",
                code="invalid_volume",
            )
        return super().__new__(cls, text)


class MountPath(str):
    """An absolute path inside a container: `/var/lib/data`."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        parts = text.split("/")
        if not _PATH.fullmatch(text) or "." in parts or ".." in parts:
            raise InvalidRequest(
                f"path {shown(text)} is not one that a volume can be mounted at",
                hint="use an absolute path of letters, digits and . _ -, such as /var/lib/data",
                code="invalid_mount_path",
            )
        if any(PurePosixPath(text).is_relative_to(place) for place in _OF_THE_KERNEL):
            raise InvalidRequest(
                f"{text} belongs to the kernel, and no volume can be mounted there",
                hint="choose a folder of the application's, such as /var/lib/data",
                code="invalid_mount_path",
            )
        return super().__new__(cls, text)


class Capability(str):
    """A Linux capability that may be asked for, without `CAP_`."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        name = text.upper().removeprefix("CAP_")
        if name not in CAPABILITIES:
            raise InvalidRequest(
                f"capability {shown(text)} cannot be asked for",
                hint=f"those that can: {', '.join(CAPABILITIES)}",
                code="invalid_capability",
            )
        return super().__new__(cls, name)


@dataclass(frozen=True, slots=True, order=True)
class Volume:
    """A volume of each environment's own, and where it is mounted. Its text is `data:/path`."""

    name: VolumeName
    path: MountPath

    def __str__(self) -> str:
        return f"{self.name}:{self.path}"

    @classmethod
    def parse(cls, text: str) -> "Volume":
        """`data:/var/lib/data` as a volume, or InvalidRequest."""
        name, colon, path = text.partition(":")
        if not colon:
            raise InvalidRequest(
                f"volume {shown(text)} has no path",
                hint="use name:/path, such as data:/var/lib/data",
                code="invalid_volume",
            )
        return cls(VolumeName(name), MountPath(path))


def parse_memory(text: str) -> int:
    """`512m`, `1g`, `64k` or a number of bytes, as bytes."""
    found = _MEMORY.fullmatch(text)
    size = int(found[1]) * _UNITS[found[2].lower()] if found else 0
    if not SMALLEST_MEMORY <= size <= 2**50:
        raise InvalidRequest(
            f"memory limit {shown(text)} is not valid",
            hint="use a number with k, m or g, at least 6m, such as 512m",
            code="invalid_limit",
        )
    return size


def memory_text(size: int) -> str:
    """Bytes in the largest unit that leaves no rest: `512m`."""
    for unit in ("g", "m", "k"):
        if size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return str(size)


def parse_cpus(text: str) -> float:
    """A number of processors: `0.5`, `2`."""
    cpus = float(text) if _CPUS.fullmatch(text) else 0.0
    if not 0.01 <= cpus <= 1024:
        raise InvalidRequest(
            f"CPU limit {shown(text)} is not valid",
            hint="use a number of processors with at most two decimals, such as 0.5",
            code="invalid_limit",
        )
    return cpus


def parse_pids(text: str) -> int:
    """A number of processes and threads."""
    pids = int(text) if text.isascii() and text.isdecimal() and len(text) <= 7 else 0
    if not 1 <= pids <= 4_194_304:
        raise InvalidRequest(
            f"limit of processes {shown(text)} is not valid",
            hint="use a whole number of processes and threads, such as 256",
            code="invalid_limit",
        )
    return pids


@dataclass(frozen=True, slots=True)
class Confinement:
    """`memory` is in bytes, `cpus` in processors, `pids` counts processes and threads.

    None leaves a limit to Podman, which allows 2048 processes and sets no other limit. All
    capabilities but those named are dropped. `read_only` is the root file system; `/tmp` and
    `/run` stay writable.
    """

    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    capabilities: tuple[Capability, ...] = ()
    read_only: bool = False
    volumes: tuple[Volume, ...] = ()

    def __post_init__(self) -> None:
        names = [str(volume.name) for volume in self.volumes]
        paths = [str(volume.path) for volume in self.volumes]
        for what, values in (("name", names), ("path", paths)):
            if again := sorted({value for value in values if values.count(value) > 1}):
                raise InvalidRequest(
                    f"two volumes have the {what} {again[0]}",
                    hint="give each volume a name and a path of its own",
                    code="invalid_volume",
                )

    def document(self) -> dict[str, object]:
        """As plain data, without what is not asked for."""
        found: dict[str, object] = {
            "memory": self.memory,
            "cpus": self.cpus,
            "pids": self.pids,
            "capabilities": [str(each) for each in self.capabilities],
            "readOnly": self.read_only,
            "volumes": [str(each) for each in self.volumes],
        }
        return {name: value for name, value in found.items() if value}

    @classmethod
    def of_document(cls, found: object) -> "Confinement":
        """The confinement of a `document`. InvalidRequest for anything that is none."""
        if not isinstance(found, dict) or not found.keys() <= _KEYS:
            raise InvalidRequest(
                f"{shown(found)} says nothing about a container's limits",
                hint=f"use an object with {', '.join(sorted(_KEYS))}",
                code="invalid_confinement",
            )
        given = {name: found.get(name) for name in ("memory", "cpus", "pids")}
        texts = {name: None if value is None else str(value) for name, value in given.items()}
        return cls(
            memory=None if texts["memory"] is None else parse_memory(texts["memory"]),
            cpus=None if texts["cpus"] is None else parse_cpus(texts["cpus"]),
            pids=None if texts["pids"] is None else parse_pids(texts["pids"]),
            capabilities=parse_capabilities(_texts(found.get("capabilities"))),
            read_only=found.get("readOnly") is True,
            volumes=tuple(Volume.parse(text) for text in _texts(found.get("volumes"))),
        )


_KEYS = frozenset({"memory", "cpus", "pids", "capabilities", "readOnly", "volumes"})


def parse_capabilities(texts: Iterable[str]) -> tuple[Capability, ...]:
    """Capabilities in one order, each once."""
    return tuple(sorted({Capability(text) for text in texts}))


def _texts(found: object) -> list[str]:
    return [str(each) for each in found] if isinstance(found, list) else []
