"""The root file system of the lab: Debian 13 from debootstrap, built once per recipe."""

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from .commands import contained
from .requirements import lab_dir

SUITE = "trixie"
PACKAGES = (
    # an init, and user sessions under it
    "systemd",
    "systemd-sysv",
    "dbus",
    "dbus-user-session",
    "libpam-systemd",
    # rootless containers
    "podman",
    "crun",
    "netavark",
    "aardvark-dns",
    "uidmap",
    "passt",
    "slirp4netns",
    "fuse-overlayfs",
    "catatonit",
    "docker-registry",
    # names
    "pdns-server",
    "pdns-backend-sqlite3",
    "sqlite3",
    "bind9-dnsutils",
    # certificates
    "pebble",
    # what the product and its tests use besides
    "iproute2",
    "iptables",
    "nftables",
    "procps",
    "curl",
    "ca-certificates",
    "git",
    "python3",
    "python3-venv",
    "busybox-static",
)
FILES = {
    # Podman asks for more files and processes than a root without CAP_SYS_RESOURCE may give,
    # and a nested cgroup has no pids controller and no keyring.
    "etc/containers/containers.conf.d/lab.conf": (
        "[containers]\n"
        'default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\n'
        "pids_limit = 0\n"
        "keyring = false\n"
    ),
    # pasta, the network of rootless containers, opens the tun device as an ordinary user
    "etc/tmpfiles.d/lab-tun.conf": "c! /dev/net/tun 0666 root root - 10:200\n",
}
# Debian starts these as installed. Services are the tests' to configure and start, and nothing
# can be fetched by the timers.
NOT_STARTED = (
    "multi-user.target.wants/pdns.service",
    "multi-user.target.wants/docker-registry.service",
    "timers.target.wants/apt-daily.timer",
    "timers.target.wants/apt-daily-upgrade.timer",
)
# What the smallest image of a provider has; nothing of what codeb works with is there.
BARE_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "iproute2", "ca-certificates", "curl", "procps"),
    # codeb itself is a Python program
    *("python3", "python3-venv"),
    # the web server of the tests' image
    "busybox-static",
)
# It needs modprobe and the host's modules, so it can only fail here and degrade the system.
MASKED = ("systemd-modules-load.service",)


class BuildFailed(RuntimeError):
    """debootstrap did not finish; the message holds the end of its log."""


def rootfs(*, bare: bool = False) -> Path:
    """The root file system of this recipe, built first when it is not there (a minute or two).

    With `bare`, one without any of the systems that codeb works with. Nothing may write to it:
    servers run on a layer of their own.
    """
    built = lab_dir() / "rootfs" / recipe_hash(bare=bare)
    with FileLock(f"{built.parent}.lock"):
        if not built.is_dir():
            _build(built, BARE_PACKAGES if bare else PACKAGES)
    return built


def recipe_hash(*, bare: bool = False) -> str:
    """Sixteen hex digits that change whenever what would be built changes."""
    packages = BARE_PACKAGES if bare else PACKAGES
    recipe = [SUITE, sorted(packages), FILES, NOT_STARTED, MASKED]
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


def _build(built: Path, packages: tuple[str, ...]) -> None:
    partial = built.with_suffix(".partial")
    remove_tree(partial)  # what an interrupted build left
    partial.mkdir(parents=True)
    log = partial.with_suffix(".log")
    with log.open("wb") as output:
        command = contained(_debootstrap(partial, packages))
        ended = subprocess.run(command, stdout=output, stderr=output, check=False)
    if ended.returncode != 0:
        raise BuildFailed(f"debootstrap of {SUITE} failed, from {log}:\n{_tail(log)}")
    _configure(partial)
    partial.rename(built)


def _debootstrap(target: Path, packages: tuple[str, ...]) -> list[str]:
    mirror = host_mirror()
    return [
        "debootstrap",
        "--variant=minbase",
        f"--include={','.join(packages)}",
        SUITE,
        str(target),
        *([mirror] if mirror else []),
    ]


def _configure(root: Path) -> None:
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    units = root / "etc/systemd/system"
    for name in NOT_STARTED:
        (units / name).unlink(missing_ok=True)
    for name in MASKED:
        (units / name).symlink_to("/dev/null")
    # every server gets an identity of its own at its first boot
    (root / "etc/machine-id").write_text("")


def host_mirror(sources: Path = Path("/etc/apt")) -> str | None:
    """The Debian mirror this machine installs from; None leaves the choice to debootstrap."""
    return next(_debian_mirrors(sources), None)


def _debian_mirrors(sources: Path) -> Iterator[str]:
    for path in sorted(sources.glob("sources.list.d/*.sources")):
        for line in path.read_text().splitlines():
            if line.startswith("URIs:"):
                yield from filter(_is_debian, line.removeprefix("URIs:").split())
    lists = [sources / "sources.list", *sorted(sources.glob("sources.list.d/*.list"))]
    for path in filter(Path.is_file, lists):
        for line in path.read_text().splitlines():
            if match := re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)", line):
                yield from filter(_is_debian, [match[1]])


def _is_debian(uri: str) -> bool:
    return uri.startswith(("http://", "https://")) and uri.rstrip("/").endswith("/debian")


def _tail(log: Path, lines: int = 10) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def remove_tree(path: Path) -> None:
    """Remove a directory that containers wrote to, whatever modes and owners they left there."""
    if path.exists():
        subprocess.run(["rm", "-rf", "--one-file-system", os.fspath(path)], check=True)
