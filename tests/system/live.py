"""The application for load: keeps connections, has websockets, and ends as it should.

It is a Python program, on a base image with no more than the interpreter of the lab's Debian.
"""

import io
import platform
import tarfile
from pathlib import Path

from tests.system.lab.rootfs import rootfs
from tests.system.sites import Site

APPLICATION = Path(__file__).parent / "live_application"
BASE = "localhost/python"
# what `ldd python3` names; whatever needs more is not imported
LIBRARIES = ("libc.so.6", "libm.so.6", "libz.so.1", "libexpat.so.1")
LOADERS = {"x86_64": "lib64/ld-linux-x86-64.so.2", "aarch64": "lib/ld-linux-aarch64.so.1"}
LIBRARY = "usr/lib/python3.13"


def live_image(site: Site, tag: str, page: str) -> str:
    """Build the application with that page; gives the reference to deploy."""
    if BASE not in site.podman("images", "--format", "{{.Repository}}").split():
        site.podman("import", "-", BASE, stdin=_python(rootfs()))
    name = f"localhost/{tag}"
    site.podman("build", "--quiet", "--tag", name, "-", stdin=_context(page))
    return site.publish(name)


def _python(root: Path) -> bytes:
    machine = platform.machine()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(root / "usr/bin/python3.13", "usr/bin/python3")
        tar.add(root / LIBRARY, LIBRARY, filter=_needed)
        for name in LIBRARIES:
            tar.add((root / f"usr/lib/{machine}-linux-gnu/{name}").resolve(), f"usr/lib/{name}")
        loader = LOADERS[machine]
        tar.add((root / "usr" / loader).resolve(), loader)
    return buffer.getvalue()


def _needed(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    unneeded = ("/test/", "/idlelib/", "/pydoc_data/", "/ensurepip/", "/config-3.13")
    elsewhere = entry.issym()  # to what the distribution configures
    return None if elsewhere or any(each in f"{entry.name}/" for each in unneeded) else entry


def _context(page: str) -> bytes:
    files = {path.name: path.read_bytes() for path in APPLICATION.iterdir() if path.is_file()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in {**files, "page": page.encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
