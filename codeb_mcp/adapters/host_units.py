"""Units of a server: the system's, and those of an account's own systemd."""

import time
from pathlib import Path

import anyio

from codeb_mcp.adapters.process import Completed, run
from codeb_mcp.domain.masking import mask
from codeb_mcp.domain.server import Account, Unit
from codeb_mcp.errors import SystemFailed

START_SECONDS = 120.0
ANSWER_SECONDS = 30.0
POLL_SECONDS = 0.05


async def systemctl(
    account: Account | None, *words: str, seconds: float = 60.0, check: bool = True
) -> Completed:
    """`systemctl`, of the system or of an account."""
    if account is None:
        return await run(["systemctl", "--no-ask-password", *words], seconds=seconds, check=check)
    argv = ["runuser", "-u", account.name, "--", "systemctl", "--user", "--no-ask-password"]
    bus = f"unix:path={account.runtime_folder}/bus"
    environment = {"XDG_RUNTIME_DIR": account.runtime_folder, "DBUS_SESSION_BUS_ADDRESS": bus}
    return await run([*argv, *words], env=environment, seconds=seconds, check=check)


async def start_unit(unit: Unit) -> None:
    """Have it run with its files as they are, now and at boot, and wait until it answers."""
    await systemctl(unit.account, "daemon-reload")
    await systemctl(unit.account, "enable", unit.name)
    await systemctl(unit.account, "reset-failed", unit.name, check=False)
    if unit.name.endswith(".socket"):
        # a socket cannot be opened anew while its service has it
        service = unit.name.replace(".socket", ".service")
        await systemctl(unit.account, "stop", unit.name, service, seconds=START_SECONDS)
    ended = await systemctl(unit.account, "restart", unit.name, seconds=START_SECONDS, check=False)
    if ended.returncode != 0 or not await _answers(unit):
        raise await _failed(unit)


async def enable_linger(account: Account) -> None:
    """Start the account's systemd now and at boot, and wait for it."""
    await run(["loginctl", "enable-linger", account.name])
    # a manager that was there before its bus was installed has none
    manager = f"user@{account.uid}.service"
    await run(["systemctl", "start", manager], seconds=START_SECONDS)
    bus = f"{account.runtime_folder}/bus"
    if not _exists(bus):
        await run(["systemctl", "restart", manager], seconds=START_SECONDS)
    end = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < end:
        if _exists(bus):
            return
        await anyio.sleep(POLL_SECONDS)
    raise SystemFailed(
        f"the systemd of {account.name} did not start within {ANSWER_SECONDS:g} s",
        hint=f"see why: journalctl -u {manager}",
        code="linger_failed",
    )


async def _answers(unit: Unit) -> bool:
    """Whether it opens its socket and its port, or has none, within half a minute."""
    end = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < end:
        socket = unit.socket is None or _exists(unit.socket.path)
        if socket and (unit.port is None or await _accepts(unit.port)):
            return True
        await anyio.sleep(POLL_SECONDS)
    return False


def _exists(path: str) -> bool:
    return Path(path).exists()


async def _accepts(port: int) -> bool:
    try:
        async with await anyio.connect_tcp("127.0.0.1", port):
            return True
    except OSError:
        return False


async def _failed(unit: Unit) -> SystemFailed:
    which = "--user-unit" if unit.account else "--unit"
    words = ("--quiet", "--no-pager", "--output=cat", "--lines=3", f"{which}={unit.name}")
    said = await run(["journalctl", *words], seconds=10, check=False)
    last = mask(" / ".join(said.stdout.split("\n")).strip(" /"))[-400:]
    of = f" --user -M {unit.account.name}@" if unit.account else ""
    return SystemFailed(
        f"{unit.name} does not run and answer: {last or 'the journal says nothing'}",
        hint=f"see more: systemctl{of} status {unit.name}; then run this again",
        code="unit_failed",
    )
