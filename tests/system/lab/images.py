"""Small images for the tests, built and pushed inside the server: no registry can be reached."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .server import Server

BASE_IMAGE = "localhost/busybox:latest"
APPLETS = ("sh", "httpd", "wget", "cat", "ls", "sleep", "echo", "env", "id", "nc", "true", "false")
# httpd ignores SIGTERM as PID 1, which would cost ten seconds at every stop
CONTAINERFILE = """\
FROM {base}
COPY www /www
STOPSIGNAL SIGKILL
CMD [{command}]
"""
SERVE = ("/bin/sh", "-c", "exec httpd -f -p ${PORT:-8080} -h /www")


@dataclass(frozen=True, slots=True)
class Pushed:
    """An image in a registry: `reference` names it by tag, `pinned` by its digest."""

    reference: str
    digest: str

    @property
    def pinned(self) -> str:
        """The reference that can never mean another image."""
        return f"{self.reference.rpartition(':')[0]}@{self.digest}"


def base_image(server: Server, user: str) -> str:
    """A busybox of a few megabytes, imported when the user has none yet. Returns its name."""
    exists = ["podman", "image", "exists", BASE_IMAGE]
    if server.run_as(user, exists, check=False).returncode != 0:
        server.run_as(user, ["podman", "import", "-", BASE_IMAGE], input=_busybox_tar(server))
    return BASE_IMAGE


def web_image(
    server: Server,
    user: str,
    tag: str,
    page: str = "hello from the lab\n",
    *,
    files: Mapping[str, str] | None = None,
    command: Sequence[str] = SERVE,
) -> str:
    """Build an image that serves `page` at `/` on `$PORT` (8080), and return its name.

    `GET /health` answers too. `files` (path below the root to text) adds to these; `command`
    replaces the web server: `("/bin/false",)` makes an image that ends at once.
    """
    base = base_image(server, user)
    context = server.run_as(user, ["mktemp", "--directory"]).stdout.strip()
    quoted = ", ".join(f'"{word}"' for word in command)
    server.write(
        f"{context}/Containerfile", CONTAINERFILE.format(base=base, command=quoted), owner=user
    )
    for name, text in {"index.html": page, "health": "ok\n", **(files or {})}.items():
        server.write(f"{context}/www/{name}", text, owner=user)
    name = f"localhost/{tag}" if ":" in tag else f"localhost/{tag}:latest"
    server.run_as(user, ["podman", "build", "--quiet", "--tag", name, context])
    server.run_as(user, ["rm", "-r", context])
    return name


def push_image(server: Server, user: str, image: str, registry: str = "127.0.0.1:5000") -> Pushed:
    """Push `localhost/NAME:TAG` to the registry as `NAME:TAG`."""
    reference = f"{registry}/{image.removeprefix('localhost/')}"
    digest_file = server.run_as(user, ["mktemp"]).stdout.strip()
    server.run_as(
        user, ["podman", "push", "--quiet", "--digestfile", digest_file, image, reference]
    )
    digest = server.read(digest_file).strip()
    server.run_as(user, ["rm", digest_file])
    return Pushed(reference, digest)


def _busybox_tar(server: Server) -> bytes:
    binary = server.path_inside("/usr/bin/busybox").read_bytes()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for directory in ("bin", "tmp", "www"):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if directory == "tmp" else 0o755
            tar.addfile(entry)
        busybox = tarfile.TarInfo("bin/busybox")
        busybox.mode, busybox.size = 0o755, len(binary)
        tar.addfile(busybox, io.BytesIO(binary))
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()
