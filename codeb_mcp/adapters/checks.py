"""Runs the checks of a project as its CI would, in a sandbox."""

import shutil
import tempfile
import time
from pathlib import Path

from codeb_mcp.adapters.process import run, run_alone
from codeb_mcp.adapters.sandbox import Confined, Sandbox
from codeb_mcp.domain.healing import Check, CheckRun, Tree
from codeb_mcp.domain.watching import Told
from codeb_mcp.planning.heal_request import harmless

LONGEST_OUTPUT = 20_000
COPY_SECONDS = 300
_SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
# bundlers and test runners keep caches in here: it must be writable, and nobody else's
_WRITABLE = "node_modules"


class SandboxedChecks:
    """`Checks` with bash, as GitHub's runner starts it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def run(
        self, check: Check, tree: Tree, *, seconds: float, network: bool, told: Told
    ) -> CheckRun:
        """Run one check to its end, at most `seconds`; its output is masked."""
        started = time.monotonic()
        await self._lend(tree)
        with tempfile.TemporaryDirectory(prefix="codeb-check-") as home:
            confined = Confined((*_SHELL, check.command), tree, network=network)
            ended = await run_alone(
                await self._sandbox.argv(confined),
                env=await self._sandbox.environment(tree, Path(home)),
                cwd=tree.folder,
                seconds=seconds,
                together=True,
                on_line=told,
            )
        output = harmless(ended.stdout, LONGEST_OUTPUT)
        return CheckRun(check, ended.returncode, output, time.monotonic() - started)

    async def _lend(self, tree: Tree) -> None:
        for name in tree.lent:
            target, source = tree.folder / name, tree.home / name
            if target.is_symlink() or (target.exists() and any(target.iterdir())):
                continue
            if target.name == _WRITABLE:
                shutil.rmtree(target, ignore_errors=True)
                copy = ("cp", "-a", "--reflink=auto", "--", str(source), str(target))
                await run(copy, seconds=COPY_SECONDS)
            elif not await self._sandbox.works():
                target.rmdir() if target.exists() else None
                target.symlink_to(source)
