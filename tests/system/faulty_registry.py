"""An image registry that asks for a login, and a proxy before it that fails on demand.

Both run in the lab's server. The proxy is told by a file what to do to the next requests, and
writes down every request that it got.
"""

import base64
import json
from dataclasses import dataclass

from tests.system.lab import Server
from tests.system.lab.services import wait_for_http

USER = "puller"
PASSWORD = "correct horse"
HTPASSWD = f"{USER}:$2y$05$KCc8byYHds1nLcUkg9ZF7OVUoYAph/laQikCfYQ2NsdAV66j4wmxe\n"
BEHIND = "127.0.0.1:5001"
BEFORE = "127.0.0.1:5002"
OTHER = "127.0.0.1:5003"
"""The same registry under another name, for which there is no login."""

CONFIG = f"""\
version: 0.1
storage:
  filesystem:
    rootdirectory: /var/lib/login-registry
http:
  addr: {BEHIND}
auth:
  htpasswd:
    realm: lab
    path: /etc/docker/login-registry.htpasswd
"""
INSECURE = "".join(
    f'[[registry]]\nlocation = "{location}"\ninsecure = true\n'
    for location in (BEHIND, BEFORE, OTHER)
)
PROXY = r"""
import asyncio, json, pathlib, sys

FOLDER = pathlib.Path("/run/faulty-registry")
LOGIN = sys.argv[1].encode()
BEHIND = 5001

def next_fault(path):
    file = FOLDER / "fault"
    fault = json.loads(file.read_text()) if file.exists() else {}
    if not fault or fault["part"] not in path or fault["times"] < 1:
        return ""
    fault["times"] -= 1
    file.write_text(json.dumps(fault))
    return fault["kind"]

async def answer(writer, status, *headers):
    lines = [f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "Connection: close", "", ""]
    writer.write("\r\n".join(lines).encode())

async def serve(reader, writer):
    try:
        first = await reader.readexactly(1)
        if first == b"\x16":  # a TLS handshake, which would be waited for in vain
            return
        head = first + await reader.readuntil(b"\r\n\r\n")
        method, path = head.decode().split(" ", 2)[:2]
        port = writer.get_extra_info("sockname")[1]
        login = LOGIN in head
        fault = next_fault(path) if method == "GET" else ""
        with (FOLDER / "log").open("a") as log:
            log.write(json.dumps([port, method, path, login, fault]) + "\n")
        match fault:
            case "429":
                return await answer(writer, "429 Too Many Requests", "Retry-After: 1")
            case "500":
                return await answer(writer, "500 Internal Server Error")
            case "reset":
                return writer.transport.abort()
            case "mute":
                return await asyncio.sleep(3600)
        behind, onward = await asyncio.open_connection("127.0.0.1", BEHIND)
        keep = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        onward.write(b"\r\n".join([keep[0], b"Connection: close", *keep[1:]]))
        body = b""
        while data := await behind.read(65536):
            body += data
        onward.close()
        if fault == "cut":
            writer.write(body[: len(body) // 2])
            await writer.drain()
            return writer.transport.abort()
        if fault == "corrupt":
            body = body[:-100] + bytes(byte ^ 1 for byte in body[-100:])
        if fault in ("slow", "drip"):
            piece = len(body) // {"slow": 4, "drip": 12}[fault] + 1
            for start in range(0, len(body), piece):
                writer.write(body[start : start + piece])
                await writer.drain()
                await asyncio.sleep(0.7)
            return
        writer.write(body)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()

async def main():
    FOLDER.mkdir(exist_ok=True)
    for port in (5002, 5003):
        await asyncio.start_server(serve, "127.0.0.1", port, limit=1 << 20)
    await asyncio.sleep(1e9)

asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that the proxy got."""

    port: int
    method: str
    path: str
    with_login: bool
    fault: str


class FaultyRegistry:
    """The registry and the proxy, installed on a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        server.write("/etc/docker/login-registry.yml", CONFIG)
        server.write("/etc/docker/login-registry.htpasswd", HTPASSWD)
        server.write("/etc/containers/registries.conf.d/login-registry.conf", INSECURE)
        server.write("/usr/local/lib/faulty-registry.py", PROXY)
        self._start("login-registry", "docker-registry", "serve", "/etc/docker/login-registry.yml")
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self._start("faulty-registry", "python3", "/usr/local/lib/faulty-registry.py", login)
        for location in (BEHIND, BEFORE):
            login = f"{USER}:{PASSWORD.replace(' ', '%20')}"
            wait_for_http(server, f"http://{login}@{location}/v2/")

    def _start(self, unit: str, *argv: str) -> None:
        self.server.run(["systemd-run", f"--unit={unit}", "--collect", *argv])

    def stop(self) -> None:
        """End both."""
        self.server.run(["systemctl", "stop", "login-registry", "faulty-registry"])

    def fail(self, kind: str, part: str = "/blobs/", times: int = 1) -> None:
        """Do this to the next GETs of paths with `part` in them, and forget what was seen."""
        fault = {"kind": kind, "part": part, "times": times}
        self.server.write("/run/faulty-registry/fault", json.dumps(fault))
        self.server.write("/run/faulty-registry/log", "")

    def seen(self) -> list[Seen]:
        """The requests since then."""
        lines = self.server.read("/run/faulty-registry/log").splitlines()
        return [Seen(*json.loads(line)) for line in lines]
