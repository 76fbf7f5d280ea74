"""A server in memory, as strict as a real one about what has to be there first."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.server import (
    Account,
    ApiState,
    Copy,
    Folder,
    Found,
    FoundAccount,
    FoundFile,
    FoundUnit,
    HostFile,
    NameServer,
    Permissions,
    Program,
    Survey,
    System,
    Unit,
    Wanted,
)
from codeb_mcp.errors import Locked, Refused, SystemFailed
from codeb_mcp.planning.server_files import CADDY_PROGRAM, DATABASE

CADDY = Copy("/opt/codeb/bin/caddy", CADDY_PROGRAM, "caddy-digest")
ROOT = Permissions(0o755, "root", "root")


def fresh_survey() -> Survey:
    """A Debian 13 as a provider hands it over, with a codeb that every account can run."""
    return Survey(
        system=System("debian", "13", "Debian GNU/Linux 13 (trixie)", systemd=True),
        account=None,
        free_uid=1000,
        free_subordinate_id=100_000,
        addresses=("1.1.1.1", "2606:4700::1111"),
        config="",
        key=None,
        owners_name_server=None,
        program=Program("/opt/codeb", "0.1.0"),
        caddy=CADDY,
        listeners=(),
        free_bytes=20_000_000_000,
        clock_right=True,
        bridge_down=False,
        firewall="",
    )


class FakeServer:
    """Implements `ServerHost`. `gives_ids`: whether `useradd` gives subordinate ids."""

    def __init__(self, survey: Survey | None = None, *, gives_ids: bool = True) -> None:
        self.surveyed = survey or fresh_survey()
        self.packages: set[str] = set()
        self.paths: dict[str, FoundFile] = {}
        self.links: dict[str, str] = {}
        self.units: dict[str, FoundUnit] = {}
        self.program_version: str | None = None
        self.zone = False
        self.done: list[str] = []
        self._gives_ids = gives_ids
        self._clock = 0.0
        self._held = False

    def tick(self) -> float:
        """The next moment."""
        self._clock += 1
        return self._clock

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Hold it."""
        if self._held:
            raise Locked("another set-up of this server runs (process 1, since then)")
        self._held = True
        try:
            yield
        finally:
            self._held = False

    async def survey(self) -> Survey:
        """With the settings and the key that were written meanwhile."""
        account = self.surveyed.account
        config = account and self.paths.get(f"{account.account.codeb_home}/config.toml")
        key = self._key()
        return replace(
            self.surveyed,
            config=(config.text if config else None) or self.surveyed.config,
            key=Secret(key) if key else self.surveyed.key,
        )

    def _key(self) -> str:
        config = self.paths.get("/etc/powerdns/pdns.d/codeb.conf")
        lines = (config.text or "").splitlines() if config else []
        return next((line[8:] for line in lines if line.startswith("api-key=")), "")

    async def look(self, wanted: Wanted) -> Found:
        """All there is."""
        pdns = self.units.get("pdns.service", FoundUnit())
        api: ApiState = "answers" if pdns.active else "silent"
        return Found(
            packages=frozenset(self.packages) & frozenset(wanted.packages),
            paths=dict(self.paths),
            links=dict(self.links),
            units={unit: self.units.get(unit.name, FoundUnit()) for unit in wanted.units},
            program_version=self.program_version,
            database=DATABASE in self.paths,
            api=api,
            zone=self.zone and api == "answers",
        )

    async def install_packages(self, names: tuple[str, ...]) -> None:
        """As apt, PowerDNS starts by itself, with what configuration there is."""
        self.done.append("install_packages")
        self.packages |= set(names)
        if "pdns-server" in names:
            self.units["pdns.service"] = FoundUnit(True, True, since=self.tick())

    async def create_account(self, account: Account) -> None:
        """Without linger."""
        self.done.append("create_account")
        ids = self._gives_ids and "uidmap" in self.packages
        self.surveyed = replace(
            self.surveyed, account=FoundAccount(account, False, ids, ids), free_uid=account.uid + 1
        )

    async def add_subordinate_ids(
        self,
        account: Account,  # noqa: ARG002 - Protocol
        first: int,  # noqa: ARG002 - Protocol
        count: int,  # noqa: ARG002 - Protocol
        *,
        uids: bool,
        gids: bool,
    ) -> None:
        """Both or either."""
        self.done.append("add_subordinate_ids")
        there = self._account()
        changed = replace(
            there,
            subordinate_uids=there.subordinate_uids or uids,
            subordinate_gids=there.subordinate_gids or gids,
        )
        self.surveyed = replace(self.surveyed, account=changed)

    async def enable_linger(self, account: Account) -> None:  # noqa: ARG002 - Protocol
        """Needs user sessions."""
        self.done.append("enable_linger")
        self._require("dbus-user-session" in self.packages, "there are no user sessions")
        there = replace(self._account(), lingers=True)
        self.surveyed = replace(self.surveyed, account=there)

    async def install_program(self, program: Program) -> None:
        """Needs Python's venv."""
        self.done.append("install_program")
        self._require("python3-venv" in self.packages, "there is no venv")
        self.program_version = program.version

    async def copy_program(self, copy: Copy) -> None:
        """By digest."""
        self.done.append("copy_program")
        self.paths[copy.path] = FoundFile(ROOT, self.tick(), digest=copy.digest)

    async def make_link(self, path: str, target: str) -> None:
        """Not over a file."""
        self.done.append("make_link")
        if path in self.paths:
            raise Refused(f"{path} is there and is not codeb's", code="foreign_file")
        self.links[path] = target

    async def make_folder(self, folder: Folder) -> None:
        """Its owner has to be there."""
        self.done.append("make_folder")
        self._require_owner(folder.permissions)
        self.paths[folder.path] = FoundFile(folder.permissions, self.tick())

    async def write_file(self, file: HostFile) -> None:
        """Its owner has to be there."""
        self.done.append("write_file")
        self._require_owner(file.permissions)
        self.paths[file.path] = FoundFile(file.permissions, self.tick(), file.text)

    async def create_database(self) -> None:
        """Needs PowerDNS's schema."""
        self.done.append("create_database")
        self._require("pdns-backend-sqlite3" in self.packages, "there is no schema")
        self.paths[DATABASE] = FoundFile(Permissions(0o640, "pdns", "pdns"), self.tick())

    async def start_unit(self, unit: Unit) -> None:
        """Needs what it reads, and an account's own needs its systemd."""
        self.done.append("start_unit")
        for path in unit.files:
            self._require(path in self.paths, f"{unit.name} misses {path}")
        if unit.account is not None:
            self._require(self._account().lingers, f"{unit.account.name} has no systemd")
        if unit.name == "pdns.service" and unit.files:
            self._require(DATABASE in self.paths, "there is no database")
        self.units[unit.name] = FoundUnit(True, True, since=self.tick())
        if unit.socket is not None:
            permissions = unit.socket.permissions
            owner = permissions.owner or "somebody"
            self.paths[unit.socket.path] = FoundFile(replace(permissions, owner=owner), self.tick())

    async def create_zone(self, name_server: NameServer) -> None:
        """Needs the API."""
        self.done.append("create_zone")
        there = self.units.get("pdns.service", FoundUnit())
        config = self.paths.get("/etc/powerdns/pdns.d/codeb.conf")
        read = config is not None and config.changed_at < there.since
        self._require(there.active and (read or not name_server.ours), "PowerDNS has no API")
        self.zone = True

    def _account(self) -> FoundAccount:
        there = self.surveyed.account
        assert there is not None
        return there

    def _require_owner(self, permissions: Permissions) -> None:
        account = self.surveyed.account
        known = {"root", *([account.account.name] if account else [])}
        if "pdns-server" in self.packages:
            known.add("pdns")
        # in a test of files alone the owner is whoever runs it
        if self.done[:1] == ["install_packages"]:
            self._require({permissions.owner, permissions.group} <= known, "no such account")

    def _require(self, condition: bool, otherwise: str) -> None:
        if not condition:
            raise SystemFailed(otherwise)
