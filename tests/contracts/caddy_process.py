"""A real Caddy in a temporary folder, whose configuration each test sets."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from codeb_mcp.adapters.caddy_version import caddy_binary


@dataclass(frozen=True)
class CaddyProcess:
    """A running Caddy. `socket` is its admin endpoint."""

    folder: Path
    pid: int

    @property
    def socket(self) -> Path:
        return self.folder / "admin.sock"

    @property
    def admin(self) -> str:
        return f"unix/{self.socket}"

    @property
    def log(self) -> str:
        return (self.folder / "caddy.log").read_text()

    def request(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Speak to the admin endpoint past everything of ours."""
        transport = httpx.HTTPTransport(uds=str(self.socket))
        with httpx.Client(transport=transport, base_url="http://caddy", timeout=10) as client:
            return client.request(method, path, json=body)

    def load(self, apps: Mapping[str, Any] | None) -> None:
        """Start anew from these apps; None leaves no configuration at all."""
        if apps is None and self.config() is not None:
            self.request("DELETE", "/config/").raise_for_status()
        elif apps is not None:
            config = {"admin": {"listen": self.admin}, "apps": apps}
            self.request("POST", "/load", config).raise_for_status()

    def config(self) -> Any:
        """The configuration as it stands."""
        return self.request("GET", "/config/").json()

    @property
    def writes(self) -> int:
        """How many changes it was asked for. Caddy notes a request before it answers."""
        requests = (line for line in self.log.splitlines() if '"msg":"received request"' in line)
        return sum('"method":"GET"' not in line for line in requests)


@contextmanager
def caddy(binary: Path | None = None) -> Iterator[CaddyProcess]:
    """Run one. Its folder is short, for a unix socket's path may not be long."""
    folder = Path(tempfile.mkdtemp(prefix="caddy-"))
    environment = {
        **os.environ,
        "XDG_CONFIG_HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "CADDY_ADMIN": f"unix/{folder}/admin.sock",
    }
    config = folder / "initial.json"
    config.write_text(json.dumps({"admin": {"listen": environment["CADDY_ADMIN"]}}))
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(
            [str(binary or caddy_binary()), "run", "--config", str(config)],
            env=environment,
            stdout=log,
            stderr=log,
        )
    running = CaddyProcess(folder, process.pid)
    try:
        _wait_until_answering(running, process)
        yield running
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def _wait_until_answering(running: CaddyProcess, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            running.request("GET", "/config/")
        except httpx.TransportError:
            time.sleep(0.02)  # polling for the endpoint: there is nothing to wait on
        else:
            return
    raise RuntimeError(f"Caddy did not start: {running.log}")
