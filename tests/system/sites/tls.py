"""The same server with TLS on: certificates from its own ACME authority, by its own PowerDNS."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.system.lab import Server
from tests.system.lab.acme import Pebble
from tests.system.lab.commands import Completed
from tests.system.lab.product import Product
from tests.system.lab.services import Caddy, PowerDNS, Registry, User

from .lab import LabSite
from .site import caddy_config


class TlsSite(LabSite):
    """codeb of the same account, in a folder of its own, with `tls = "auto"`."""

    base_domain = "secure.test"
    folder = "codeb-tls"

    def __init__(
        self,
        server: Server,
        user: User,
        powerdns: PowerDNS,
        registry: Registry,
        caddy: Caddy,
        product: Product,
        *,
        pebble: Pebble,
    ) -> None:
        self.pebble = pebble
        self._resolver = f"127.0.0.1:{powerdns.loopback_port}"
        super().__init__(server, user, powerdns, registry, caddy, product)
        self.trust = ssl.create_default_context(cadata=pebble.root_pem)

    def settings(self) -> dict[str, object]:
        return {
            "tls": "auto",
            "acme_directory": self.pebble.directory,
            "acme_root": self.pebble.https_root,
            "acme_email": "ops@secure.test",
            "resolvers": [self._resolver],
        }

    def url(self) -> str:
        return f"https://{self.server.address}"

    def curl(self, domain: str, *options: str, scheme: str = "https") -> Completed:
        """Ask for the domain from inside the server, trusting pebble's root and nothing else."""
        port = {"https": 443, "http": 80}[scheme]
        here = f"{domain}:{port}:{self.server.address}"
        trusted = ("--cacert", self.pebble.root, "--resolve", here)
        argv = ["curl", "-sS", "--max-time", "10", *trusted, *options, f"{scheme}://{domain}/"]
        return self.server.run(argv, check=False)

    def zone(self, name: str) -> None:
        """Make PowerDNS keep a zone, as its owner would."""
        self.server.run(["pdnsutil", "create-zone", name, f"ns1.{self.base_domain}"])

    def record(self, zone: str, name: str, kind: str, content: str) -> None:
        """Set a record past codeb."""
        label = name.removesuffix(f".{zone}")
        self.server.run(["pdnsutil", "replace-rrset", zone, label, kind, "60", content])

    def put_foreign_route(self, domain: str) -> None:
        """Have Caddy answer for a domain by a route that is not codeb's."""
        route = {"match": [{"host": [domain]}], "handle": [{"handler": "static_response"}]}
        path = "http://localhost/config/apps/http/servers/codeb/routes"
        transport = httpx.HTTPTransport(uds=str(self.server.path_inside(self.caddy.admin_socket)))
        with httpx.Client(transport=transport, timeout=30) as client:
            assert client.post(path, json=route).is_success

    def orders(self, domain: str) -> int:
        """How many lines pebble wrote of the domain: none where nobody asked for a certificate."""
        return sum(domain in line for line in self.pebble.log().splitlines())


@contextmanager
def caddy_of_its_own(server: Server, caddy: Caddy) -> Iterator[None]:
    """Empty Caddy's configuration for as long as it lasts, and put the one before back."""
    socket = server.path_inside(caddy.admin_socket)
    before = caddy_config(socket)
    _load(server, caddy, {"admin": before["admin"]})
    try:
        yield
    finally:
        _load(server, caddy, before)


def _load(server: Server, caddy: Caddy, config: object) -> None:
    transport = httpx.HTTPTransport(uds=str(server.path_inside(caddy.admin_socket)))
    with httpx.Client(transport=transport, timeout=30) as client:
        answer = client.post(
            "http://localhost/load",
            content=json.dumps(config),
            headers={"content-type": "application/json"},
        )
        assert answer.is_success, answer.text
