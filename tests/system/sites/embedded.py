"""The embedded default: this host's Podman and codeb's own Caddy, in a folder of their own."""

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from examples.demo import busybox_root
from tests.system.mounts import unmount_below

from .site import CONFIG, Ended, Site, Snapshot, caddy_config, routes_of

BIN = Path(sys.executable).parent
CODEB_MCP = BIN / "codeb-mcp"
BASE = "localhost/busybox"


class EmbeddedSite(Site):
    """codeb as it runs without any set-up, as root."""

    name = "podman"
    base_domain = "localhost"

    def __init__(self, folder: Path, **more: object) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.http_port = _free_port()
        self.home.mkdir(parents=True)
        settings = {**CONFIG, "http_port": self.http_port, **more}
        text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
        (self.home / "config.toml").write_text(text)
        # images and containers of the tests stay out of this host's own store
        storage = folder / "storage.conf"
        storage.write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/graph"\n'
            f'runroot = "{folder}/run"\n'
        )
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "CODEB_HOME": str(self.home),
            "CONTAINERS_STORAGE_CONF": str(storage),
        }

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, **settings: object) -> Iterator[Self]:
        """A running site, removed afterwards, also when it did not come up."""
        site = cls(folder, **settings)
        try:
            site.codeb("local", "start")
            site.podman("import", "-", BASE, stdin=busybox_root())
            yield site
        finally:
            site.close()

    def close(self) -> None:
        """Remove everything: containers, processes, storage."""
        try:
            self.codeb("local", "start")
            self.codeb("local", "stop", "--containers", "--yes")
        finally:
            unmount_below(self.folder)
        shutil.rmtree(self.folder)

    def command(self, **variables: str) -> list[str]:
        return ["env", *(f"{each}={text}" for each, text in variables.items()), str(CODEB_MCP)]

    def environment(self) -> Mapping[str, str]:
        return self._environment

    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def codeb(self, *argv: str) -> str:
        """Run `codeb` and give its output."""
        return _run([str(BIN / "codeb"), *argv], self._environment)

    def try_codeb(self, *argv: str, stdin: bytes = b"", cwd: Path | None = None) -> Ended:
        ended = subprocess.run(
            [str(BIN / "codeb"), *argv],
            env=self._environment,
            cwd=cwd,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=300,
        )
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def endpoint(self, service: str) -> str:
        """Where `podman` or `caddy` answers, as `codeb local status` says."""
        services = json.loads(self.codeb("local", "status", "--json"))["services"]
        return next(str(each["endpoint"]) for each in services if each["name"] == service)

    def podman(self, *argv: str, stdin: bytes | None = None) -> str:
        podman_socket = self.endpoint("podman")
        return _run(["podman", "--url", f"unix://{podman_socket}", *argv], self._environment, stdin)

    def sql(self, statement: str) -> None:
        with contextlib.closing(sqlite3.connect(self.home / "registry.db")) as registry:
            registry.executescript(statement)

    def admin_socket(self) -> Path:
        return Path(self.endpoint("caddy").removeprefix("unix/"))

    def publish(self, image: str) -> str:
        return image

    def snapshot(self) -> Snapshot:
        names = self.podman("ps", "--all", "--format", "{{.Names}}").split()
        allocations = json.loads(self.codeb("ports", "--json"))["allocations"]
        live = self.home / "live"
        return Snapshot(
            containers=frozenset(name for name in names if name.startswith("codeb-")),
            units=frozenset(),
            routes=routes_of(caddy_config(self.admin_socket())),
            records=frozenset(),
            ports=frozenset(f"{each['project']} {each['port']}" for each in allocations),
            markers=frozenset(str(path) for path in live.rglob("*") if path.is_file()),
        )

    def stop_system(self, system: str) -> None:
        raise NotImplementedError(f"codeb itself keeps {system} alive here")

    def start_system(self, system: str) -> None:
        raise NotImplementedError(f"codeb itself keeps {system} alive here")


def _run(argv: list[str], environment: Mapping[str, str], stdin: bytes | None = None) -> str:
    ended = subprocess.run(
        argv, env=environment, input=stdin or b"", capture_output=True, check=False, timeout=300
    )
    assert ended.returncode == 0, f"{argv}: {ended.stderr.decode()}{ended.stdout.decode()}"
    return ended.stdout.decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
