"""Podman's settings for hosts on which its own defaults cannot work."""

import os
import resource
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

from codeb_mcp.adapters.files import write_atomic
from codeb_mcp.settings import Settings

CAP_SYS_RESOURCE = 24
_WRITTEN_BY_THE_HOST = (
    "/etc/containers/containers.conf",
    "/etc/containers/containers.conf.d",
    "~/.config/containers/containers.conf",
    "~/.config/containers/containers.conf.d",
)


def podman_environment(settings: Settings) -> dict[str, str]:
    """What to add to the environment of a `podman` that codeb runs; nothing on a usual host.

    The file it may name is written by `write_containers_conf`.
    """
    return {"CONTAINERS_CONF": str(_file(settings))} if _needed(settings) else {}


def write_containers_conf(settings: Settings) -> None:
    """Write the file that `podman_environment` names, if it names one."""
    if _needed(settings):
        write_atomic(_file(settings), "\n".join(_lines()) + "\n")


def _file(settings: Settings) -> Path:
    return settings.run_folder / "containers.conf"


def _needed(settings: Settings) -> bool:
    """Never where the host's owner has settings, since ours would replace them all."""
    if settings.podman_socket is not None or "CONTAINERS_CONF" in os.environ:
        return False
    if any(_has_settings(file) for path in _WRITTEN_BY_THE_HOST for file in _files(path)):
        return False
    return _cgroup_v1() or not _may_raise_limits()


def _files(path: str) -> list[Path]:
    place = Path(path).expanduser()
    return sorted(place.glob("*.conf")) if place.is_dir() else [place]


def _has_settings(file: Path) -> bool:
    try:
        return bool(tomllib.loads(file.read_text()))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def _lines() -> Iterator[str]:
    yield "[containers]"
    if not _may_raise_limits():
        # Podman asks for a million files, which root without that capability may not have.
        yield f"default_ulimits = [{_limit('nofile')}, {_limit('nproc')}]"
    yield "[engine]"
    if _cgroup_v1() and shutil.which("runc"):
        # crun refuses the hybrid layout of cgroup v1.
        yield 'runtime = "runc"'
    if not Path("/run/systemd/system").is_dir():
        yield 'cgroup_manager = "cgroupfs"'
        yield 'events_logger = "file"'


def _limit(name: str) -> str:
    _, hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))
    # Podman lowers its own limits to the kernel's defaults, beyond which it cannot go again.
    highest = {"nofile": 1_048_576, "nproc": 32_768}[name]
    value = highest if hard == resource.RLIM_INFINITY else min(hard, highest)
    return f'"{name}={value}:{value}"'


def _cgroup_v1() -> bool:
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def _may_raise_limits() -> bool:
    """Without root, Podman itself stays within the limits that it has."""
    if os.geteuid() != 0:
        return True
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1)
    return True
