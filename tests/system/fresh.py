"""A server as a provider hands it over, and what the tests of its set-up do on it."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from tests.system.lab import Server
from tests.system.lab.commands import Completed
from tests.system.lab.product import Product

DOMAIN = "codeb.test"
ACCOUNT = "codeb"
HOME = "/home/codeb"

# Carries out one step of a set-up, and is then killed as by a power cut. Ends as usual, and says
# so, when there is no step left.
ONE_STEP_THEN_KILLED = """
import os, signal, sys
import anyio
from codeb_mcp import wiring
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.server import Choices

choices = Choices(DomainName(sys.argv[1]), (sys.argv[2],), tls="off")

class Killed:
    def __init__(self, host):
        self.host = host

    def __getattr__(self, name):
        real = getattr(self.host, name)
        if name in ("alone", "survey", "look"):
            return real

        async def step(*words, **more):
            await real(*words, **more)
            print(name, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

        return step

async def main():
    setup = wiring.open_server_setup()
    setup._host = Killed(setup._host)
    await setup.carry_out(choices, (await setup.plan(choices)).digest)

anyio.run(main)
print("settled")
"""

# An agent's call over HTTP, with the token of the service.
CALL = """
import json, sys
import anyio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

async def main():
    token = open(sys.argv[1]).read().strip()
    headers = {"Authorization": f"Bearer {token}"}
    async with create_mcp_http_client(headers=headers) as http:
        transport = streamable_http_client("http://127.0.0.1:8765/mcp", http_client=http)
        async with Client(transport) as client:
            answer = await client.call_tool(sys.argv[2], json.loads(sys.argv[3]))
            print(json.dumps([answer.is_error, answer.structured_content, str(answer.content)]))

anyio.run(main)
"""


@dataclass(frozen=True)
class FreshServer:
    """A bare server with the product in /opt/codeb, and apt that reaches a mirror."""

    server: Server
    product: Product

    def codeb(self, *argv: str, check: bool = True, timeout: float = 300) -> Completed:
        """Run `codeb` as root."""
        return self.server.run([self.product.codeb, *argv], check=check, timeout=timeout)

    def setup(self, *argv: str, check: bool = True) -> Completed:
        """`codeb server setup` with what this server has to be told."""
        told = ("--domain", DOMAIN, "--address", self.server.address, "--tls", "off")
        return self.codeb("server", "setup", *told, *argv, check=check)

    def planned(self) -> list[str]:
        """The kinds of the steps that set-up would take now, without being told anything again."""
        view = json.loads(self.codeb("server", "setup", "--plan", "--json").stdout)
        return [step["kind"] for step in view["steps"]]

    def error(self, ended: Completed) -> dict[str, Any]:
        """The error of a command that was called with --json."""
        error: dict[str, Any] = json.loads(ended.stdout)["error"]
        return error

    def wrong(self) -> dict[str, dict[str, str]]:
        """The parts that are not right, by name."""
        ended = self.codeb("server", "check", "--json", check=False)
        view = json.loads(ended.stdout)
        assert ended.returncode == (0 if view["right"] else 4)
        return {part["name"]: part for part in view["parts"] if not part["right"]}

    def one_step(self) -> str:
        """Carry out one step and be killed; the step's name, or `settled`."""
        argv = [self.product.python, "-c", ONE_STEP_THEN_KILLED, DOMAIN, self.server.address]
        ended = self.server.run(argv, check=False, timeout=300)
        last = ended.stdout.split()[-1:] or [ended.stderr[-2000:]]
        assert (ended.returncode == 0) == (last == ["settled"]), ended
        return last[0]

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """An agent's call of the HTTP service."""
        token = f"{HOME}/.local/state/codeb/token"
        argv = [self.product.python, "-c", CALL, token, tool, json.dumps(arguments)]
        failed, content, text = json.loads(self.server.run(argv).stdout)
        assert not failed, text
        assert isinstance(content, dict)
        return content

    def page(self, name: str) -> str:
        """What a visitor gets, who asks this server for the name's address first."""
        dig = ["dig", "+short", "+time=5", f"@{self.server.address}", name, "A"]
        address = subprocess.run(dig, capture_output=True, text=True, check=True).stdout.strip()
        assert address == self.server.address
        curl = ["curl", "-sS", "--fail", "--max-time", "10", "--resolve", f"{name}:80:{address}"]
        asked = subprocess.run(
            [*curl, f"http://{name}/"], capture_output=True, text=True, check=True
        )
        return asked.stdout
