"""What is on the host of one project, seen with other means than codeb's own."""

import http.client
import json
import os
import socket
import sqlite3
import subprocess
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codeb_mcp.adapters.embedded import endpoints_of
from codeb_mcp.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class State:
    """Everything that a deploy of the project may leave on a host. All of it is sorted."""

    containers: list[str]
    units: list[str]
    services: list[str]
    routes: list[str]
    records: list[str]
    ports: list[int]
    markers: list[str]
    images: list[int]
    releases: list[list[Any]]
    half_written: list[str]
    page: str


def state_of(project: str) -> State:
    """Look at everything."""
    settings = load_settings()
    slug = f"{project}-staging"
    units = Path.home() / ".config/containers/systemd"
    folders = [units, settings.live_folder, settings.home / "env", settings.run_folder / "locks"]
    return State(
        containers=_containers(settings, slug),
        units=sorted(path.name for path in units.glob(f"codeb-{slug}-*")),
        services=_services(settings, slug),
        routes=_routes(settings, slug),
        records=_records(settings, project),
        ports=[
            row[0] for row in _rows(settings, "SELECT port FROM ports WHERE project = ?", project)
        ],
        markers=sorted(path.name for path in settings.live_folder.glob(f"{slug}/*")),
        images=_images(settings, project),
        releases=[
            list(row)
            for row in _rows(
                settings,
                "SELECT number, status FROM releases JOIN environments ON id = environment_id "
                "WHERE project = ? ORDER BY number",
                project,
            )
        ],
        half_written=sorted(
            str(path) for folder in folders for path in folder.rglob(".*") if path.is_file()
        ),
        page=_page(settings, project),
    )


def problems_of(state: State, page: str) -> list[str]:
    """What is wrong with a host that should serve `page`, or (empty) hold nothing at all."""
    if not page:
        left = {name: value for name, value in asdict(state).items() if value}
        return [f"left behind: {left}"] if left else []
    numbers = {
        status: [n for n, s in state.releases if s == status] for _, status in state.releases
    }
    served = numbers.get("live", []) + numbers.get("superseded", [])
    slot = "green" if state.markers else "blue"
    wrong = {
        "page": state.page != page,
        "containers": [name.rpartition("-")[2] for name in state.containers] != [f"{slot} running"],
        "units": bool(state.units) and len(state.units) != 1,
        "services": bool(state.units) and len(state.services) != 1,
        "routes": len(state.routes) != 1,
        "ports": len(state.ports) != 1,
        "releases": len(numbers.get("live", [])) != 1 or "starting" in numbers,
        "images": not set(state.images) <= set(served) or not state.images,
        "half_written": bool(state.half_written),
    }
    seen = asdict(state)
    return [f"{name} are {seen[name]!r}" for name, is_wrong in wrong.items() if is_wrong]


def _podman(settings: Settings, *argv: str) -> list[str]:
    socket_path = endpoints_of(settings).podman_socket
    ended = subprocess.run(
        ["podman", "--url", f"unix://{socket_path}", *argv],
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(ended.stdout.splitlines())


def _containers(settings: Settings, slug: str) -> list[str]:
    form = "{{.Names}} {{.State}}"
    names = f"name=^codeb-{slug}-"
    return _podman(settings, "ps", "--all", "--filter", names, "--format", form)


def _images(settings: Settings, project: str) -> list[int]:
    repository = f"localhost/codeb/{project}/staging"
    tags = _podman(settings, "images", "--format", "{{.Repository}} {{.Tag}}")
    return sorted(
        int(tag.removeprefix("r"))
        for name, _, tag in (line.partition(" ") for line in tags)
        if name == repository
    )


def _services(settings: Settings, slug: str) -> list[str]:
    if settings.runtime != "quadlet":
        return []
    scope = ["--user"] if os.geteuid() else []
    ended = subprocess.run(
        ["systemctl", *scope, "list-units", "--all", "--plain", "--no-legend", f"codeb-{slug}-*"],
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(line.split()[0] for line in ended.stdout.splitlines())


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def _routes(settings: Settings, slug: str) -> list[str]:
    admin = endpoints_of(settings).caddy_admin.removeprefix("unix/")
    connection = _UnixConnection(admin)
    connection.request("GET", "/config/")
    config = json.loads(connection.getresponse().read()) or {}
    connection.close()
    servers = ((config.get("apps") or {}).get("http") or {}).get("servers") or {}
    ids = [route.get("@id") for server in servers.values() for route in server.get("routes") or ()]
    return sorted(each for each in ids if each == f"codeb-{slug}")


def _records(settings: Settings, project: str) -> list[str]:
    if settings.dns != "powerdns" or settings.powerdns_key is None:
        return []
    name = f"staging.{project}.{settings.base_domain}."
    url = f"{settings.powerdns_url}/api/v1/servers/localhost/zones/{settings.base_domain}."
    request = urllib.request.Request(url)
    request.add_header("X-API-Key", settings.powerdns_key.get_secret_value())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            sets = json.load(answer)["rrsets"]
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return []
        raise
    return [each["type"] for each in sets if each["name"] == name]


def _rows(settings: Settings, query: str, project: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(settings.registry_file) as connection:
        return connection.execute(query, (project,)).fetchall()


def _page(settings: Settings, project: str) -> str:
    """What a visitor gets; nothing where Caddy has no such site."""
    host = f"staging.{project}.{settings.base_domain}"
    connection = http.client.HTTPConnection("127.0.0.1", settings.http_port, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        return answer.read().decode()
    except ConnectionRefusedError:
        return ""
    finally:
        connection.close()
