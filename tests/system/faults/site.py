"""The lab's codeb with a relay in front of each system that it talks to."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.system.sites import LabSite

SYSTEMS = ("podman", "caddy", "powerdns", "registry")
FAULTS = ("refused", "timeout", "slow", "500", "reset", "garbage")

PROGRAM = "/opt/codeb-faults/relay.py"
DNS_PORT, REGISTRY_PORT = 18081, 15005
INSECURE = f'[[registry]]\nlocation = "127.0.0.1:{REGISTRY_PORT}"\ninsecure = true\n'


class Faulty(LabSite):
    """The same site, reached through relays that can be told to misbehave."""

    def __init__(self, site: LabSite) -> None:
        self.__dict__.update(vars(site))
        runtime = f"/run/user/{self.user.uid}"
        self._ends = {
            "podman": (f"{runtime}/faulty-podman.sock", self.user.podman_socket),
            "caddy": (f"{runtime}/faulty-caddy.sock", self.caddy.admin_socket),
            "powerdns": (str(DNS_PORT), self.powerdns.url.rpartition(":")[2]),
            "registry": (str(REGISTRY_PORT), self.registry.location.rpartition(":")[2]),
        }
        self.server.write(PROGRAM, (Path(__file__).parent / "relay.py").read_text())
        self.server.write("/etc/containers/registries.conf.d/faulty.conf", INSECURE)
        for system in SYSTEMS:
            self._stop(system)
            self._start(system, "none")

    def command(self, **variables: str) -> list[str]:
        env = {
            "CODEB_PODMAN_SOCKET": self._ends["podman"][0],
            "CODEB_CADDY_ADMIN": f"unix/{self._ends['caddy'][0]}",
            "CODEB_POWERDNS_URL": f"http://127.0.0.1:{DNS_PORT}",
            "CODEB_PULL_TIMEOUT": "5",
            **variables,
        }
        return self.server.command_as(self.user.name, [self.product.codeb_mcp], env)

    def publish(self, image: str) -> str:
        return super().publish(image).replace(self.registry.location, f"127.0.0.1:{REGISTRY_PORT}")

    @contextlib.contextmanager
    def fault(self, system: str, fault: str) -> Iterator[None]:
        """The system misbehaves while the block runs."""
        self._stop(system)
        if fault != "refused":
            self._start(system, fault)
        try:
            yield
        finally:
            self._stop(system)
            self._start(system, "none")

    def close(self) -> None:
        """End the relays."""
        for system in SYSTEMS:
            self._stop(system)

    def _start(self, system: str, fault: str) -> None:
        listen, target = self._ends[system]
        relay = [self.product.python, "-I", PROGRAM, fault, listen, target]
        unit = ["systemd-run", "--user", "--quiet", "--collect", f"--unit=faulty-{system}"]
        self.server.run_as(self.user.name, [*unit, *relay])
        listening = ["sh", "-c", f"until ss -Hlnx -lnt | grep -q '{_shown(listen)}'; do :; done"]
        self.server.run_as(self.user.name, listening, timeout=30)

    def _stop(self, system: str) -> None:
        stop = ["systemctl", "--user", "stop", f"faulty-{system}.service"]
        self.server.run_as(self.user.name, stop, check=False)


def _shown(listen: str) -> str:
    return listen if listen.startswith("/") else f"127.0.0.1:{listen} "
