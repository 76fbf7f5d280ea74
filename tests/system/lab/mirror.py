"""A package mirror that the server reaches: what it asks for, this host fetches and keeps.

The server leads nowhere but to its host. Its apt speaks to this as to any proxy, and checks the
archive's signatures itself, so nothing here can stand in for a package.
"""

import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import urlsplit

from .requirements import lab_dir
from .server import Server

PROXY_FILE = "/etc/apt/apt.conf.d/90lab-mirror"
FETCH_SECONDS = 60.0


@contextmanager
def package_mirror(server: Server) -> Iterator[None]:
    """While it lasts, apt in the server can install packages."""
    mirror = ThreadingHTTPServer((server.host_address, 0), _Handler)
    thread = threading.Thread(target=mirror.serve_forever, daemon=True)
    thread.start()
    proxy = f"http://{server.host_address}:{mirror.server_address[1]}"
    server.write(PROXY_FILE, f'Acquire::http::Proxy "{proxy}";\n')
    try:
        yield
    finally:
        server.run(["rm", PROXY_FILE])
        mirror.shutdown()
        mirror.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        try:
            path = _fetched(self.path)
        except urllib.error.HTTPError as error:
            self._empty(error.code)
            return
        except OSError:
            self._empty(502)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        with path.open("rb") as file:
            shutil.copyfileobj(file, self.wfile)

    def _empty(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is not the place."""


def _fetched(url: str) -> Path:
    """The file behind `url`. One whose name can never mean other bytes is fetched once."""
    folder = lab_dir() / "packages"
    folder.mkdir(exist_ok=True)
    name = urlsplit(url).path
    kept = folder / f"{sha256(url.encode()).hexdigest()[:16]}-{name.rpartition('/')[2][:80]}"
    if kept.exists() and (name.endswith(".deb") or "/by-hash/" in name):
        return kept
    with (
        urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer,
        NamedTemporaryFile(dir=folder, delete=False) as partial,
    ):
        shutil.copyfileobj(answer, partial)
    return Path(partial.name).replace(kept)
