"""`codeb local` as an installed command on a server: rootless, rootful, and over a reboot."""

import json
import uuid
from typing import Any

import pytest

from tests.system.lab import Server
from tests.system.lab.images import base_image
from tests.system.lab.product import Product
from tests.system.lab.services import User


class Local:
    """`codeb local` of one account, in a folder of the test's own."""

    def __init__(self, server: Server, account: str, product: Product, port: int) -> None:
        self.server = server
        self.account = account
        self.codeb = product.codeb
        home = f"/var/tmp/codeb-{account}-{uuid.uuid4().hex[:8]}"  # kept over a reboot
        self.env = {"CODEB_HOME": home, "CODEB_HTTP_PORT": str(port)}

    def run(self, *arguments: str, check: bool = True) -> str:
        """Its standard output."""
        argv = [self.codeb, "local", *arguments]
        return self.server.run_as(self.account, argv, env=self.env, check=check).stdout

    def status(self) -> Any:
        return json.loads(self.run("status", "--json"))


@pytest.mark.parametrize("account", ["root", "codeb"])
def test_an_account_runs_its_own_podman_and_caddy(
    server: Server, user: User, product: Product, account: str
) -> None:
    assert user.name == "codeb"
    local = Local(server, account, product, 8090)
    try:
        local.run("start")
        status = local.status()
        assert (status["running"], status["problems"]) == (True, [])
        assert all(service["answers"] for service in status["services"])
    finally:
        local.run("stop")
    assert not local.status()["running"]


def test_containers_run_again_after_a_reboot_once_somebody_asks(
    server: Server, user: User, product: Product
) -> None:
    local = Local(server, user.name, product, 8091)
    image = base_image(server, user.name)
    local.run("start")
    name = f"after-reboot-{uuid.uuid4().hex[:8]}"
    podman = ["podman", "run", "--detach", f"--name={name}", "--stop-signal=KILL"]
    release = [f"--label=dev.codeb.home={local.env['CODEB_HOME']}", "--label=dev.codeb.slot=blue"]
    server.run_as(user.name, [*podman, *release, image, "/bin/sleep", "1000"])
    state = ["podman", "inspect", "--format={{.State.Status}}", name]
    try:
        server.reboot()
        assert server.run_as(user.name, state).stdout.strip() != "running"
        local.run("start")
        assert server.run_as(user.name, state).stdout.strip() == "running"
    finally:
        local.run("stop", check=False)
        server.run_as(user.name, ["podman", "rm", "--force", "--time=0", name], check=False)
