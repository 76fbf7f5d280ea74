"""Podman's API service of the tests' own, with a storage of its own, on this host."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.mounts import unmount_below

START_SECONDS = 20.0
# Where root may not raise limits, Podman's own defaults are refused: `setrlimit: not permitted`.
CONFIG = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "{runtime}"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


class ServiceFailed(RuntimeError):
    """The service did not come up; the message holds what it said."""


def missing_podman() -> str | None:
    """Why the service cannot run on this machine; None when it can."""
    if os.geteuid() != 0:
        return "Podman is tested as root, with a storage of its own: run pytest as root"
    programs = ("podman", "busybox", _runtime())
    missing = [name for name in programs if shutil.which(name) is None]
    return f"programs are missing: {', '.join(missing)}" if missing else None


@contextmanager
def podman_service(folder: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """The service's socket, and the environment that its clients need. It ends with the block."""
    config = folder / "containers.conf"
    config.write_text(CONFIG.format(runtime=_runtime()))
    environment = {"CONTAINERS_CONF": str(config)}
    # a socket's path may have no more than 107 bytes, which pytest's folders come close to
    with tempfile.TemporaryDirectory(prefix="codeb-podman-") as short:
        socket_path = Path(short) / "podman.sock"
        storage = ["podman", f"--root={folder / 'root'}", f"--runroot={short}/run"]
        with (folder / "service.log").open("wb") as log:
            service = subprocess.Popen(
                [*storage, "system", "service", "--time=0", f"unix://{socket_path}"],
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
            )
        try:
            _wait_for(socket_path, service, folder / "service.log")
            yield socket_path, environment
        finally:
            try:
                _end(service, storage, {**os.environ, **environment})
            finally:
                # or neither pytest nor anybody else could remove the folders
                unmount_below(folder)
                unmount_below(Path(short))


def _runtime() -> str:
    """crun refuses the cgroup v1 layout, runc takes both."""
    return "crun" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "runc"


def _wait_for(path: Path, service: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not path.exists():
        if service.poll() is not None or time.monotonic() > deadline:
            raise ServiceFailed(f"Podman's service did not start: {log.read_text()[-2000:]}")
        time.sleep(0.02)  # until the service has made its socket, which nothing announces


def _end(service: subprocess.Popen[bytes], storage: list[str], env: dict[str, str]) -> None:
    # through Podman, which also unmounts and takes the network apart; what fails is no reason
    # to leave the service running
    subprocess.run([*storage, "rm", "--all", "--force", "--time=0"], env=env, check=False)
    service.terminate()
    service.wait(timeout=30)
    subprocess.run([*storage, "rmi", "--all", "--force"], env=env, check=False)
