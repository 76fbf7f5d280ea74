"""The distribution's packages, by apt."""

import re
import time

import anyio

from codeb_mcp.adapters.process import Completed, run
from codeb_mcp.errors import CodebError, HostNotReady, SystemFailed

UPDATE_SECONDS = 180.0
INSTALL_SECONDS = 1800.0
LOCK_SECONDS = 300.0
"""How long another apt is waited for: a fresh server upgrades itself at its first boot."""
LOCK_POLL_SECONDS = 2.0
_ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l", "LC_ALL": "C.UTF-8"}
_OPTIONS = ("-qq", "-o", "Dpkg::Use-Pty=0", "-o", "Acquire::Retries=2", "-o", "APT::Color=0")


async def installed(names: tuple[str, ...]) -> frozenset[str]:
    """Those of the packages that are installed whole."""
    if not names:
        return frozenset()
    shown = await run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Abbrev}\n", *names],
        check=False,
    )
    words = (line.split() for line in shown.stdout.splitlines())
    return frozenset(each[0] for each in words if each[1:] == ["ii"])


async def install(names: tuple[str, ...]) -> None:
    """Install packages without recommendations, after finishing what was interrupted.

    Raises HostNotReady when another apt or a full disk is in the way, else SystemFailed.
    """
    finish = ("dpkg", "--force-confdef", "--force-confold", "--configure", "--pending")
    words = ("--yes", "--no-install-recommends", "install", *names)
    await _carried_out(finish, INSTALL_SECONDS)
    await _carried_out(("apt-get", *_OPTIONS, "update"), UPDATE_SECONDS)
    await _carried_out(("apt-get", *_OPTIONS, *words), INSTALL_SECONDS)


async def _carried_out(argv: tuple[str, ...], seconds: float) -> None:
    """Run it to its end, after any other apt's."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            ended = await run(argv, env=_ENVIRONMENT, seconds=seconds, check=False)
        except SystemFailed as slow:
            raise _failed(slow.message) from None
        if ended.returncode == 0:
            return
        error = _error(ended)
        if error.code != "apt_locked" or time.monotonic() > end:
            raise error
        await anyio.sleep(LOCK_POLL_SECONDS)


def _error(ended: Completed) -> CodebError:
    text = f"{ended.stdout}\n{ended.stderr}"
    said = " ".join(re.findall(r"^E: (.*)$", text, re.MULTILINE)[:3]) or ended.last_error
    if "No space left on device" in text or "enough free space" in text:
        return HostNotReady(
            f"the disk is full, so packages cannot be installed: {said}",
            hint="make room (apt-get clean, journalctl --vacuum-size=100M), then run this again",
            code="disk_full",
        )
    if "lock" in text and ("is held by process" in text or "is locked by another" in text):
        return HostNotReady(
            f"another program has been installing packages for {LOCK_SECONDS:g} s: {said}",
            hint="wait until it ends, then run this again",
            code="apt_locked",
        )
    return _failed(f"{ended.argv[0]} failed (exit {ended.returncode}): {said}")


def _failed(message: str) -> SystemFailed:
    return SystemFailed(
        message,
        hint="see that the server reaches its package mirror (apt-get update), then run this "
        "again: it goes on where it stopped",
        code="apt_failed",
    )
