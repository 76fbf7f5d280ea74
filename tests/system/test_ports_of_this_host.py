"""What only the kernel's own tables show about a port."""

import socket
import subprocess
from collections.abc import Iterator

import pytest

from codeb_mcp.adapters.probe import HttpProbe

PORT = 3597


@pytest.fixture(params=["where somebody listens", "where nobody listens"])
def stale_rule(lab_host: None, request: pytest.FixtureRequest) -> Iterator[None]:
    """A NAT rule as a killed Podman leaves behind; what it leads to answers or refuses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if request.param == "where nobody listens":
            listener.close()
        redirect = ["--to-ports", str(port)]
        rule = ["OUTPUT", "-d", "127.0.0.1/32", "-p", "tcp", "--dport", str(PORT)]
        rule += ["-j", "REDIRECT", *redirect]
        subprocess.run(["iptables", "-w", "-t", "nat", "-I", *rule], check=True)
        try:
            yield
        finally:
            subprocess.run(["iptables", "-w", "-t", "nat", "-D", *rule], check=True)


def test_port_that_a_stale_rule_leads_elsewhere_is_not_free(stale_rule: None) -> None:
    assert not HttpProbe().port_is_free(PORT)


def test_port_is_free_again_without_the_rule() -> None:
    assert HttpProbe().port_is_free(PORT)
