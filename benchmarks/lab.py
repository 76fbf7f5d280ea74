"""A booted server with codeb on it, for benchmarks."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.lab import Server
from tests.system.lab.product import install_product
from tests.system.lab.services import (
    add_user,
    install_caddy,
    install_powerdns,
    install_registry,
)
from tests.system.sites import LabSite


@contextmanager
def lab_site() -> Iterator[LabSite]:
    """The server, gone afterwards."""
    with Server.boot() as server:
        user = add_user(server)
        yield LabSite(
            server,
            user,
            install_powerdns(server),
            install_registry(server),
            install_caddy(server, user.name),
            install_product(server),
        )
