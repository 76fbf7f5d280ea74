"""PowerDNS's configuration files: whether its owner set it up, and the keys in them."""

from collections.abc import Iterator
from pathlib import Path

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.server import OwnersNameServer
from codeb_mcp.planning.server_wanted import PDNS_CONFIG

FOLDER = Path("/etc/powerdns")
CODEB_CONFIG = Path(PDNS_CONFIG)


def owners_name_server(folder: Path = FOLDER) -> OwnersNameServer | None:
    """The PowerDNS that somebody else configured; None when there is none.

    It is somebody's as soon as a file that is not codeb's says which backend it has.
    """
    values: dict[str, str] = {}
    source = ""
    for path in _files(folder):
        for name, value in _lines(path):
            if name == "launch" and value and not _unused_bind(path, folder):
                source = str(path)
            values[name] = value
    if not source:
        return None
    if values.get("api") not in ("yes", "on", "true") or not values.get("api-key"):
        return OwnersNameServer(source)
    host = values.get("webserver-address", "127.0.0.1").replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    port = values.get("webserver-port", "8081")
    return OwnersNameServer(source, f"http://{host}:{port}", Secret(values["api-key"]))


def key_in(path: Path) -> Secret | None:
    """The API key in a file, or None."""
    values = dict(_lines(path)) if path.exists() else {}
    return Secret(values["api-key"]) if values.get("api-key") else None


def _files(folder: Path) -> Iterator[Path]:
    """In the order in which PowerDNS reads them."""
    main = folder / "pdns.conf"
    paths = [main, *sorted((folder / "pdns.d").glob("*.conf"))]
    yield from (path for path in paths if path.is_file() and path.name != CODEB_CONFIG.name)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(errors="replace").splitlines():
        name, separator, value = line.partition("=")
        if separator and not name.lstrip().startswith("#"):
            yield name.strip().removesuffix("+").strip(), value.strip()


def _unused_bind(path: Path, folder: Path) -> bool:
    """Debian's package of the bind backend switches it on, with a file that names no zone."""
    named = folder / "named.conf"
    zones = named.read_text(errors="replace") if named.exists() else ""
    return path.name == "bind.conf" and "zone" not in zones
