"""How far a machine is as it is wanted."""

from datetime import UTC, datetime
from pathlib import Path

from codeb_mcp.adapters import host_packages
from codeb_mcp.adapters.caddy_admin import CaddyAdmin
from codeb_mcp.adapters.caddy_version import require_new_enough
from codeb_mcp.adapters.host_files import found_at, link_at
from codeb_mcp.adapters.host_units import systemctl
from codeb_mcp.adapters.powerdns import PowerDns
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.server import ApiState, Found, FoundFile, FoundUnit, NameServer, Unit, Wanted
from codeb_mcp.errors import CodebError
from codeb_mcp.planning.server_files import DATABASE
from codeb_mcp.settings import Settings

STAMP = ".codeb-version"
_PROPERTIES = "ActiveState,UnitFileState,NeedDaemonReload,ActiveEnterTimestamp"


async def look_at(wanted: Wanted) -> Found:
    """Look at everything that is wanted. Changes nothing."""
    units = {unit: await _unit(unit) for unit in wanted.units}
    api, zone = await _api(wanted.name_server)
    return Found(
        packages=await host_packages.installed(wanted.packages),
        paths=await in_thread(_paths)(wanted),
        links={path: to for path in wanted.links if (to := link_at(Path(path))) is not None},
        units=units,
        program_version=_version(Path(wanted.program.prefix, STAMP)),
        database=_is_database(Path(DATABASE)),
        api=api,
        zone=zone,
        caddy_problem="" if wanted.own_caddy else await _caddy_problem(wanted.caddy_admin),
    )


def name_server_client(name_server: NameServer) -> PowerDns:
    """PowerDNS's API, with the key of that name server."""
    return PowerDns(
        Settings.model_validate(
            {
                "home": "/",
                "base_domain": name_server.zone,
                "dns": "powerdns",
                "powerdns_url": name_server.url,
                "powerdns_key": name_server.key.reveal(),
                "addresses": name_server.addresses,
                "nameservers": name_server.nameservers,
            }
        )
    )


def _paths(wanted: Wanted) -> dict[str, FoundFile]:
    texts = {file.path for file in wanted.files}
    digests = {copy.path for copy in wanted.copies}
    sockets = {unit.socket.path for unit in wanted.units if unit.socket}
    folders = {folder.path for folder in wanted.folders}
    found = {
        path: found_at(Path(path), text=path in texts, digest=path in digests)
        for path in texts | digests | sockets | folders
    }
    return {path: there for path, there in found.items() if there is not None}


async def _unit(unit: Unit) -> FoundUnit:
    """Of an account without a systemd, or that is not there, nothing is found."""
    shown = await systemctl(
        unit.account,
        *("show", "--timestamp=us+utc", f"--property={_PROPERTIES}", unit.name),
        check=False,
    )
    values = dict(line.partition("=")[::2] for line in shown.stdout.splitlines())
    return FoundUnit(
        enabled=values.get("UnitFileState") == "enabled",
        active=values.get("ActiveState") == "active",
        stale=values.get("NeedDaemonReload") == "yes",
        since=_seconds(values.get("ActiveEnterTimestamp", "")),
    )


def _seconds(text: str) -> float:
    """systemd's `Tue 2026-11-24 20:00:43.123456 UTC`; 0 for a unit that was never active."""
    try:
        parsed = datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S.%f UTC")  # noqa: DTZ007 - UTC below
    except ValueError:
        return 0.0
    return parsed.replace(tzinfo=UTC).timestamp()


async def _api(name_server: NameServer | None) -> tuple[ApiState, bool]:
    if name_server is None:
        return "silent", False
    try:
        return "answers", await name_server_client(name_server).has_zone()
    except CodebError as error:
        return ("refuses the key" if error.code == "powerdns_key_refused" else "silent"), False


async def _caddy_problem(admin: str) -> str:
    try:
        await require_new_enough(CaddyAdmin(admin, "systemctl start caddy"), None)
    except CodebError as error:
        return str(error)
    return ""


def _version(stamp: Path) -> str | None:
    try:
        return stamp.read_text().strip()
    except OSError:
        return None


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(15) == b"SQLite format 3"
    except OSError:
        return False
