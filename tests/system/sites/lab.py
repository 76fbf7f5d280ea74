"""A server: rootless Quadlet units under systemd, a system's Caddy, PowerDNS, an image registry."""

import json
from pathlib import Path

from tests.system.lab import Server
from tests.system.lab.images import base_image
from tests.system.lab.product import Product
from tests.system.lab.services import Caddy, PowerDNS, Registry, User

from .site import CONFIG, Ended, Site, Snapshot, caddy_config, routes_of

UNITS = {"caddy": "caddy.service", "powerdns": "pdns.service"}


class LabSite(Site):
    """codeb for the rootless account of a booted Debian 13."""

    name = "quadlet"
    base_domain = "codeb.test"
    folder = "codeb"

    def __init__(
        self,
        server: Server,
        user: User,
        powerdns: PowerDNS,
        registry: Registry,
        caddy: Caddy,
        product: Product,
    ) -> None:
        self.server, self.user, self.product = server, user, product
        self.registry, self.powerdns, self.caddy = registry, powerdns, caddy
        self.home = f"{user.home}/.local/state/{self.folder}"
        settings = {
            **CONFIG,
            "runtime": "quadlet",
            "base_domain": self.base_domain,
            "podman_socket": user.podman_socket,
            "caddy_admin": f"unix/{caddy.admin_socket}",
            "http_port": 80,
            "dns": "powerdns",
            "powerdns_url": powerdns.url,
            "powerdns_key": powerdns.api_key,
            "addresses": [server.address],
            **self.settings(),
        }
        text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
        server.write(f"{self.home}/config.toml", text, mode=0o600, owner=user.name)
        base_image(server, user.name)

    def settings(self) -> dict[str, object]:
        """What differs from the settings of other sites."""
        return {}

    def command(self, **variables: str) -> list[str]:
        environment = {"CODEB_HOME": self.home, **variables}
        return self.server.command_as(self.user.name, [self.product.codeb_mcp], environment)

    def url(self) -> str:
        return f"http://{self.server.address}"

    def podman(self, *argv: str, stdin: bytes | None = None) -> str:
        return self.server.run_as(self.user.name, ["podman", *argv], input=stdin).stdout

    def codeb(self, *argv: str) -> str:
        """Run `codeb` as the account and give its output."""
        environment = {"CODEB_HOME": self.home}
        return self.server.run_as(
            self.user.name, [self.product.codeb, *argv], env=environment
        ).stdout

    def try_codeb(self, *argv: str, stdin: bytes = b"") -> Ended:
        command = [self.product.codeb, *argv]
        ended = self.server.run_as(self.user.name, command, input=stdin, check=False)
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def sql(self, statement: str) -> None:
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])"
        argv = [self.product.python, "-c", code, f"{self.home}/registry.db", statement]
        self.server.run_as(self.user.name, argv)

    def admin_socket(self) -> Path:
        return self.server.path_inside(self.caddy.admin_socket)

    def publish(self, image: str) -> str:
        reference = f"{self.registry.location}/{image.removeprefix('localhost/')}"
        self.podman("push", "--quiet", image, reference)
        self.podman("rmi", image)
        return reference

    def snapshot(self) -> Snapshot:
        names = self.podman("ps", "--all", "--format", "{{.Names}}").split()
        units = f"{self.user.home}/.config/containers/systemd"
        allocations = json.loads(self.codeb("ports", "--json"))["allocations"]
        config = caddy_config(self.admin_socket())
        return Snapshot(
            containers=frozenset(name for name in names if name.startswith("codeb-")),
            units=frozenset(self._files(units)),
            routes=routes_of(config),
            records=frozenset(self._records()),
            ports=frozenset(f"{each['project']} {each['port']}" for each in allocations),
            markers=frozenset(self._files(f"{self.home}/live")),
        )

    def _files(self, folder: str) -> list[str]:
        found = self.server.run(["find", folder, "-type", "f"], check=False)
        return found.stdout.split()

    def _records(self) -> list[str]:
        zones = self.server.run(["pdnsutil", "list-all-zones"], check=False).stdout.split()
        if self.base_domain not in zones:
            return []
        listed = self.server.run(["pdnsutil", "list-zone", self.base_domain]).stdout
        # the zone itself is made once and stays
        own = ("$", f"{self.base_domain}\t", f"ns1.{self.base_domain}\t")
        return [line for line in listed.splitlines() if not line.startswith(own)]

    def stop_system(self, system: str) -> None:
        if system == "podman":
            units = ["podman.socket", "podman.service"]
            self.server.run_as(self.user.name, ["systemctl", "--user", "stop", *units])
        else:
            self.server.run(["systemctl", "stop", UNITS[system]])

    def start_system(self, system: str) -> None:
        if system == "podman":
            self.server.run_as(self.user.name, ["systemctl", "--user", "start", "podman.socket"])
        else:
            self.server.run(["systemctl", "start", UNITS[system]])
