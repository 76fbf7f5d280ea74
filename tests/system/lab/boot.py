"""Becomes the server: a program that prepares the mounts and execs systemd-nspawn.

It expects mount and PID namespaces of its own, so that nothing it mounts outlives the server.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

# Beyond nspawn's own list: what crun, fuse-overlayfs and pasta call to set up a container.
SYSTEM_CALLS = "bpf keyctl add_key request_key perf_event_open @mount @pkey"
# Podman keeps images and containers here. An overlay cannot be the upper layer of another, so
# these directories of the server are plain ones of the host.
PLAIN_DIRECTORIES = ("home", "var/lib/containers")


@dataclass(frozen=True, slots=True)
class Boot:
    """What is needed to boot: `lower` is read only, everything written lands below `layer`."""

    name: str
    lower: str
    layer: str
    cgroup: str
    link: str
    overlay: bool

    def argv(self) -> list[str]:
        """The command that becomes the server, to be run in namespaces of its own."""
        return [sys.executable, __file__, json.dumps(asdict(self))]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of what `argv` passes on."""
        return cls(**json.loads(text))

    def become_server(self) -> None:
        """Never returns: replaces this process by systemd-nspawn."""
        Path(self.cgroup, "cgroup.procs").write_text("0")  # this process
        # systemd 257 refuses cgroup v1, and the hybrid layout some hosts still have
        _run("umount", "--lazy", "/sys/fs/cgroup")
        _run("mount", "-t", "cgroup2", "none", "/sys/fs/cgroup")
        root = self._mount_root()
        # netavark writes sysctls of the server's own network namespace
        os.environ["SYSTEMD_NSPAWN_API_VFS_WRITABLE"] = "1"
        os.execvp("systemd-nspawn", self._nspawn(root))  # noqa: S606 - argv, and no shell

    def _mount_root(self) -> str:
        root = f"{self.layer}/root"
        if self.overlay:
            branches = (
                f"lowerdir={self.lower},upperdir={self.layer}/upper,workdir={self.layer}/work"
            )
            _run("mount", "-t", "overlay", "overlay", "-o", branches, root)
        return root

    def _nspawn(self, root: str) -> list[str]:
        return [
            *("systemd-nspawn", "--quiet", "--boot", "--directory", root),
            *("--machine", self.name, "--hostname", self.name),
            *("--register=no", "--keep-unit", "--console=read-only"),
            *("--capability=all", f"--system-call-filter={SYSTEM_CALLS}"),
            *("--resolv-conf=off", f"--network-veth-extra={self.link}:host0"),
            *(f"--bind={self.layer}/{plain_directory(d)}:/{d}" for d in PLAIN_DIRECTORIES),
        ]


def plain_directory(path: str) -> str:
    """The name below the layer of the directory that the server has at `path`."""
    return path.replace("/", "-")


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True)


if __name__ == "__main__":
    Boot.parse(sys.argv[1]).become_server()
