"""psql and redis-cli in a database's container, on this process's own terminal."""

import sys
from collections.abc import Mapping

from codeb_mcp.adapters.podman_client import Podman
from codeb_mcp.adapters.process import run_here
from codeb_mcp.domain.databases import Database, Engine
from codeb_mcp.domain.masking import Secret

_PASSWORD = "REDISCLI_AUTH"  # noqa: S105 - the name of a variable


class PodmanShell:
    """`DatabaseShell` over the `podman` command."""

    def __init__(self, podman: Podman, environment: Mapping[str, str]) -> None:
        self._podman = podman
        self._environment = environment

    async def run(self, database: Database, password: Secret) -> int:
        """Run it to its end; gives its exit code."""
        await self._podman.ping()
        argv = ["podman", f"--url={self._podman.url}", "exec", "--interactive"]
        if sys.stdin.isatty() and sys.stdout.isatty():
            argv.append("--tty")
        # only the variable's name is an argument, which everybody on the machine can see
        env = {**self._environment, _PASSWORD: password.reveal()}
        argv += [f"--env={_PASSWORD}", database.server.name, *_command(database)]
        return await run_here(argv, env=env, on_signal=_leave_it)


def _command(database: Database) -> tuple[str, ...]:
    name = database.id.name
    if database.id.engine is Engine.POSTGRES:
        # the image trusts its own socket, which only the container reaches
        return ("psql", f"--username={name}", f"--dbname={name}")
    return ("redis-cli", "--user", name)


async def _leave_it() -> None:
    """The terminal's signals reach the program by themselves."""
