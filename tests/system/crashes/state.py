"""What is on the host of one project, seen with other means than codeb's own."""

import contextlib
import http.client
import json
import os
import socket
import sqlite3
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codeb_mcp.adapters.embedded import endpoints_of
from codeb_mcp.settings import Settings, load_settings

JSON = {"Content-Type": "application/json"}


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
    networks: list[str]
    volumes: list[str]
    variables: list[str]
    domains: list[str]
    renewing: list[str]
    under_way: list[int]
    interrupted: int
    half_written: list[str]
    page: str


def state_of(project: str) -> State:
    """Look at everything."""
    settings = load_settings()
    slug = f"{project}-staging"
    config = _caddy(settings)
    units = Path.home() / ".config/containers/systemd"
    folders = [units, settings.live_folder, settings.home / "env", settings.run_folder / "locks"]
    return State(
        containers=_containers(settings, slug),
        units=sorted(path.name for path in units.glob(f"codeb-{slug}-*")),
        services=_services(settings, slug),
        routes=_routes(config, slug),
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
        networks=[
            name
            for name in _podman(settings, "network", "ls", "--format", "{{.Name}}")
            if name == f"codeb-{project}"
        ],
        volumes=[
            name
            for name in _podman(settings, "volume", "ls", "--format", "{{.Name}}")
            if name.startswith(f"codeb-{slug}-")
        ],
        variables=sorted(path.name for path in (settings.home / "env").glob(f"{slug}*")),
        domains=[
            row[0]
            for row in _rows(
                settings,
                "SELECT domains.name FROM domains JOIN environments ON id = environment_id "
                "WHERE project = ? AND NOT is_primary",
                project,
            )
        ],
        renewing=_renewing(config),
        under_way=[row[0] for row in _rows(settings, "SELECT id FROM calls")],
        interrupted=len(_rows(settings, "SELECT id FROM audit WHERE outcome = 'interrupted'")),
        half_written=sorted(
            str(path) for folder in folders for path in folder.rglob(".*") if path.is_file()
        ),
        page=_page(settings, project),
    )


def problems_of(state: State, page: str, *, domains: int, variables: int) -> list[str]:
    """What is wrong with a host that should serve `page`, or (empty) hold nothing of it.

    `domains` is how many further domains it should have, `variables` how many files of them.
    """
    seen = asdict(state)
    if not page:
        history = ("interrupted", *(["variables"] if variables else []))
        left = {name: value for name, value in seen.items() if value and name not in history}
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
        "networks": len(state.networks) != 1,
        "volumes": len(state.volumes) != 1,
        "variables": len(state.variables) != variables,
        "domains": len(state.domains) != domains,
        "records": len(state.records) not in (0, 1 + domains),
        "renewing": bool(state.renewing),
        "under_way": bool(state.under_way),
        "half_written": bool(state.half_written),
    }
    return [f"{name} are {seen[name]!r}" for name, is_wrong in wrong.items() if is_wrong]


def _podman(settings: Settings, *argv: str) -> list[str]:
    socket_path = endpoints_of(settings).podman_socket
    ended = subprocess.run(
        ["podman", "--url", f"unix://{socket_path}", *argv],
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.splitlines()


def _containers(settings: Settings, slug: str) -> list[str]:
    # as JSON: what templates call a state is another with each version
    found = json.loads("".join(_podman(settings, "ps", "--all", "--format", "json")) or "[]")
    return sorted(
        f"{name} {each['State']}"
        for each in found
        for name in each["Names"]
        if name.startswith(f"codeb-{slug}-")
    )


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


def _caddy(settings: Settings) -> dict[str, Any]:
    admin = endpoints_of(settings).caddy_admin.removeprefix("unix/")
    connection = _UnixConnection(admin)
    connection.request("GET", "/config/")
    config = json.loads(connection.getresponse().read()) or {}
    connection.close()
    return dict(config)


def look_often() -> None:
    """Have Caddy look each second for certificates that are due, so that nobody waits for it."""
    admin = endpoints_of(load_settings()).caddy_admin.removeprefix("unix/")
    connection = _UnixConnection(admin)
    connection.request("POST", "/config/apps/tls/automation/renew_interval", '"1s"', JSON)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


def _routes(config: dict[str, Any], slug: str) -> list[str]:
    servers = ((config.get("apps") or {}).get("http") or {}).get("servers") or {}
    ids = [route.get("@id") for server in servers.values() for route in server.get("routes") or ()]
    return sorted(each for each in ids if each == f"codeb-{slug}")


def _renewing(config: dict[str, Any]) -> list[str]:
    """The hosts whose certificates are being renewed by hand."""
    automation = ((config.get("apps") or {}).get("tls") or {}).get("automation") or {}
    policies = [each for each in automation.get("policies") or () if "renewal_window_ratio" in each]
    return sorted(host for each in policies for host in each.get("subjects") or ())


def _records(settings: Settings, project: str) -> list[str]:
    if settings.dns != "powerdns" or settings.powerdns_key is None:
        return []
    names = [
        f"{label}.{settings.base_domain}." for label in (f"staging.{project}", f"also-{project}")
    ]
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
    return sorted(f"{each['name']} {each['type']}" for each in sets if each["name"] in names)


def _rows(settings: Settings, query: str, *parameters: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(settings.registry_file)) as connection:
        return connection.execute(query, parameters).fetchall()


class _TlsConnection(http.client.HTTPConnection):
    """To this host's Caddy, under the name that a visitor uses; who signed is not asked here."""

    def __init__(self, host: str) -> None:
        super().__init__("127.0.0.1", 443, timeout=10)
        self._server_name = host

    def connect(self) -> None:
        super().connect()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock, server_hostname=self._server_name)


def _plain_connection(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=10)


def _page(settings: Settings, project: str) -> str:
    """What a visitor gets; nothing where Caddy has no such site."""
    host = f"staging.{project}.{settings.base_domain}"
    secure = settings.tls == "auto"
    connection = _TlsConnection(host) if secure else _plain_connection(settings.http_port)
    try:
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        return answer.read().decode()
    except ConnectionRefusedError:
        return ""
    finally:
        connection.close()
