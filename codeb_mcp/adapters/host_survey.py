"""What a machine is like, before anything is wanted of it."""

import json
import os
import platform
import shutil
import stat
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from codeb_mcp.adapters.caddy_version import caddy_binary
from codeb_mcp.adapters.embedded import bridge_is_stale
from codeb_mcp.adapters.host_account import find_account, free_subordinate_id, free_uid
from codeb_mcp.adapters.host_files import found_at, sha256
from codeb_mcp.adapters.host_listeners import listeners
from codeb_mcp.adapters.owners_powerdns import CODEB_CONFIG, key_in, owners_name_server
from codeb_mcp.adapters.process import run
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.server import (
    ACCOUNT,
    Copy,
    FoundAccount,
    Program,
    Survey,
    System,
)
from codeb_mcp.planning.server_files import CADDY_PROGRAM, SERVICE_PORT

PORTS = (53, 80, 443, 8081, SERVICE_PORT)
PREFIX = "/opt/codeb"
DISTRIBUTION = "codeb-mcp"


async def survey_machine() -> Survey:
    """Look at everything once. Changes nothing."""
    addresses = await _addresses()
    clock = await _clock_right()
    firewall = await _firewall()
    survey = await in_thread(_survey)(addresses, clock, firewall)
    there = survey.account
    if there is None or not there.lingers:
        return survey
    # one that is just ending has its sockets still, and starts nothing any more
    lingers = await _is_active(f"user@{there.account.uid}.service")
    return replace(survey, account=replace(there, lingers=lingers))


async def _is_active(unit: str) -> bool:
    return (await run(["systemctl", "is-active", "--quiet", unit], check=False)).returncode == 0


def _survey(
    addresses: tuple[str, ...], clock_right: bool, firewall: Literal["ufw", "firewalld", ""]
) -> Survey:
    account = find_account(ACCOUNT)
    config = _config(account)
    caddy = caddy_binary()
    return Survey(
        system=_system(),
        account=account,
        free_uid=free_uid(),
        free_subordinate_id=free_subordinate_id(),
        addresses=addresses,
        config=config,
        key=_key(config),
        owners_name_server=owners_name_server(),
        program=_program(),
        caddy=Copy(str(caddy), CADDY_PROGRAM, sha256(caddy)),
        listeners=listeners(PORTS),
        free_bytes=shutil.disk_usage("/var").free,
        clock_right=clock_right,
        bridge_down=bridge_is_stale(),
        firewall=firewall,
    )


def _system() -> System:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    return System(
        id=release.get("ID", ""),
        version=release.get("VERSION_ID", ""),
        name=release.get("PRETTY_NAME", ""),
        systemd=Path("/run/systemd/system").is_dir(),
    )


def _config(account: FoundAccount | None) -> str:
    if account is None:
        return ""
    there = found_at(Path(account.account.codeb_home, "config.toml"), text=True)
    return (there.text or "") if there else ""


def _key(config: str) -> Secret | None:
    """From codeb's settings, or from PowerDNS's, where a set-up was interrupted between the two."""
    with suppress(tomllib.TOMLDecodeError):
        if key := tomllib.loads(config).get("powerdns_key"):
            return Secret(str(key))
    return key_in(CODEB_CONFIG)


async def _addresses() -> tuple[str, ...]:
    """The addresses of the interfaces that lead out, IPv4 first."""
    found: list[str] = []
    for family in ("-4", "-6"):
        routes = await _ip(family, "route", "show", "default")
        leading_out = {route.get("dev") for route in routes}
        for link in await _ip(family, "address", "show", "scope", "global"):
            # an address that the words above leave out is an empty object
            shown = link.get("addr_info", []) if link.get("ifname") in leading_out else []
            found += [each["local"] for each in shown if each and not each.get("temporary")]
    return tuple(found)


async def _ip(*words: str) -> list[dict[str, Any]]:
    ended = await run(["ip", "-json", *words], check=False)
    shown = ended.stdout.strip()
    return json.loads(shown) if ended.returncode == 0 and shown else []


async def _clock_right() -> bool:
    """A container has its host's clock, and nothing inside could keep it."""
    asked = await run(["timedatectl", "show", "--property=NTPSynchronized", "--value"], check=False)
    if asked.stdout.strip() == "yes":
        return True
    asked = await run(["systemd-detect-virt", "--container", "--quiet"], check=False)
    return asked.returncode == 0


async def _firewall() -> Literal["ufw", "firewalld", ""]:
    if _ufw_is_on():
        return "ufw"
    return "firewalld" if await _is_active("firewalld.service") else ""


def _ufw_is_on() -> bool:
    try:
        return "ENABLED=yes" in Path("/etc/ufw/ufw.conf").read_text().splitlines()
    except OSError:
        return False


def _program() -> Program:
    """The codeb that runs now, if every account can run it; else one to be installed from it."""
    version = metadata.version(DISTRIBUTION)
    if all(_open_to_all(path) for path in _parts_of_this_program()):
        return Program(sys.prefix, version)
    return Program(PREFIX, version, _source(version))


def _parts_of_this_program() -> Iterator[Path]:
    yield Path(sys.prefix, "bin", "codeb-mcp")
    yield Path(sys.executable).resolve()
    yield Path(__file__)


def _open_to_all(path: Path) -> bool:
    """Whether every account can read it, and none but root can change it."""
    try:
        steps = [each.stat() for each in (path.resolve(), *path.resolve().parents)]
    except OSError:
        return False
    return all(
        seen.st_uid == 0
        and not (seen.st_mode & stat.S_IWOTH and not seen.st_mode & stat.S_ISVTX)
        and seen.st_mode & (stat.S_IXOTH if stat.S_ISDIR(seen.st_mode) else stat.S_IROTH)
        for seen in steps
    ) and os.access(path, os.R_OK)


def _source(version: str) -> str:
    """What pip installs this codeb from: the folder or file it came from, else the index."""
    text = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    if not text:
        return f"{DISTRIBUTION}=={version}"
    origin = json.loads(text)
    url = str(origin["url"])
    if commit := origin.get("vcs_info", {}).get("commit_id"):
        return f"{DISTRIBUTION} @ git+{url}@{commit}"
    return url
