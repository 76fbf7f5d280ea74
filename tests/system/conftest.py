"""The lab as fixtures: one server for the whole session, with everything on it.

Under pytest-xdist run with `--dist loadgroup`: all these tests are one group, so that one worker
boots one server. Any other way of distributing works as well, at the price of a server (with a
name, addresses and a disk of its own) per worker.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.lab import Server, missing_requirements
from tests.system.lab.acme import Pebble, install_pebble
from tests.system.lab.product import Product, install_product
from tests.system.lab.services import (
    Caddy,
    PowerDNS,
    Registry,
    User,
    add_user,
    install_caddy,
    install_powerdns,
    install_registry,
)
from tests.system.sites import EmbeddedSite, LabSite, Site, TlsSite
from tests.system.sites.tls import caddy_of_its_own

HERE = Path(__file__).parent
# The first test of a session waits for all it needs to be built, once per machine.
FIRST_TEST_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Lab:
    """The server and how to reach what runs on it."""

    server: Server
    user: User
    powerdns: PowerDNS
    registry: Registry
    caddy: Caddy


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this directory, so that none can forget to."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.system)
            item.add_marker(pytest.mark.xdist_group("lab"))
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(FIRST_TEST_SECONDS))


@pytest.fixture(scope="session")
def lab_host() -> None:
    """A host that can run the lab. Skips elsewhere, but fails where the lab is required."""
    missing = missing_requirements()
    if missing is None:
        return
    if os.environ.get("CI") or os.environ.get("CODEB_REQUIRE_SYSTEM"):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def lab(lab_host: None) -> Iterator[Lab]:
    """A booted server with an account, PowerDNS, a registry and Caddy, gone after the session."""
    with Server.boot() as server:
        user = add_user(server)
        yield Lab(
            server,
            user,
            install_powerdns(server),
            install_registry(server),
            install_caddy(server, user.name),
        )


@pytest.fixture(scope="session")
def server(lab: Lab) -> Server:
    """The lab's server."""
    return lab.server


@pytest.fixture(scope="session")
def user(lab: Lab) -> User:
    """The account that runs rootless containers and Caddy."""
    return lab.user


@pytest.fixture(scope="session")
def powerdns(lab: Lab) -> PowerDNS:
    """PowerDNS on the server, without zones at first."""
    return lab.powerdns


@pytest.fixture(scope="session")
def registry(lab: Lab) -> Registry:
    """The image registry on the server."""
    return lab.registry


@pytest.fixture(scope="session")
def caddy(lab: Lab) -> Caddy:
    """Caddy on the server, with nothing but its admin endpoint at first."""
    return lab.caddy


@pytest.fixture(scope="session")
def product(lab: Lab) -> Product:
    """The product on the server, installed from a wheel of this tree."""
    return install_product(lab.server)


@pytest.fixture(scope="module")
def embedded(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSite]:
    """codeb as it runs without any set-up, on this host, gone after the module.

    Not longer: each storage counts addresses for itself, so containers of two at once may get
    the same one on Podman's bridge.
    """
    with EmbeddedSite.opened(tmp_path_factory.mktemp("embedded")) as site:
        yield site


@pytest.fixture(scope="session")
def lab_site(lab: Lab, product: Product) -> LabSite:
    """codeb for the rootless account of the lab."""
    return LabSite(lab.server, lab.user, lab.powerdns, lab.registry, lab.caddy, product)


@pytest.fixture(scope="session")
def pebble(lab: Lab) -> Pebble:
    """A certificate authority on the server."""
    return install_pebble(lab.server, lab.powerdns.nameserver)


@pytest.fixture(scope="module")
def tls_site(lab: Lab, product: Product, pebble: Pebble) -> Iterator[TlsSite]:
    """codeb of the same account with TLS on; Caddy has its former sites back afterwards."""
    with caddy_of_its_own(lab.server, lab.caddy):
        yield TlsSite(
            lab.server, lab.user, lab.powerdns, lab.registry, lab.caddy, product, pebble=pebble
        )


@pytest.fixture(params=["podman", "quadlet"])
def site(request: pytest.FixtureRequest) -> Site:
    """Either of the two, by the runtime that starts its containers."""
    found: Site = request.getfixturevalue("embedded" if request.param == "podman" else "lab_site")
    return found
