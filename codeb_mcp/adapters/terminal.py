"""One-off containers on this process's own terminal, by the `podman` command."""

import sys
from collections.abc import Mapping

import anyio

from codeb_mcp.adapters.podman_client import Podman
from codeb_mcp.adapters.process import run, run_here
from codeb_mcp.domain.task import Task
from codeb_mcp.planning.confined import run_arguments

_SECONDS_TO_END = 5
_REMOVAL_SECONDS = 60.0


class PodmanTerminal:
    """`Terminal` over the server that `podman` leads to."""

    def __init__(self, podman: Podman, environment: Mapping[str, str]) -> None:
        self._podman = podman
        self._environment = environment

    async def run(self, task: Task, name: str) -> int:
        """Run it to its end; gives its exit code. The container is gone afterwards, always."""
        await self._podman.ping()
        terminal = sys.stdin.isatty() and sys.stdout.isatty()
        words = run_arguments(task, name, terminal=terminal)
        try:
            return await run_here(
                self._argv(*words), env=self._environment, on_signal=lambda: self._remove(name)
            )
        finally:
            with anyio.CancelScope(shield=True):
                await self._remove(name)

    async def _remove(self, name: str) -> None:
        argv = self._argv("rm", "--force", "--ignore", f"--time={_SECONDS_TO_END}", name)
        await run(argv, env=self._environment, seconds=_REMOVAL_SECONDS, check=False)

    def _argv(self, *words: str) -> list[str]:
        return ["podman", f"--url={self._podman.url}", *words]
