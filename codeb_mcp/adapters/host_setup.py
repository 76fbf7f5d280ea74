"""The machine that codeb runs on, as `ServerHost`: Debian or Ubuntu, as root."""

import json
import os
import pwd
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from codeb_mcp.adapters import host_files, host_packages, host_units
from codeb_mcp.adapters.files import write_atomic
from codeb_mcp.adapters.host_account import find_account
from codeb_mcp.adapters.host_look import STAMP, look_at, name_server_client
from codeb_mcp.adapters.host_survey import survey_machine
from codeb_mcp.adapters.process import run
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.server import (
    Account,
    Copy,
    Folder,
    Found,
    HostFile,
    NameServer,
    Program,
    Survey,
    Unit,
    Wanted,
)
from codeb_mcp.errors import HostNotReady, Locked
from codeb_mcp.planning.server_files import DATABASE

SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
PIP_SECONDS = 900.0


class LocalHost:
    """Implements `ServerHost`. `run_folder` holds the lock; only root may write there."""

    def __init__(self, now: Callable[[], datetime], run_folder: Path = Path("/run")) -> None:
        self._now = now
        self._lock = run_folder / "codeb-server-setup.lock"
        self._note = self._lock.with_suffix(".json")

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Hold the machine; the lock ends with this process."""
        lock = FileLock(self._lock, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise self._locked() from None
        try:
            since = self._now().isoformat(timespec="seconds")
            with suppress(OSError):  # the lock is held all the same: the note is for people
                write_atomic(self._note, json.dumps({"pid": os.getpid(), "since": since}), 0o600)
            yield
        finally:
            with suppress(OSError):
                self._note.unlink(missing_ok=True)
            lock.release()

    def _locked(self) -> Locked:
        try:
            holder = json.loads(self._note.read_text())
        except (OSError, ValueError):
            holder = {"pid": "?", "since": "just now"}
        return Locked(
            f"another set-up of this server runs (process {holder['pid']}, "
            f"since {holder['since']})",
            hint="wait until it ends and run this again; the lock ends with that process",
        )

    async def survey(self) -> Survey:
        """Look at the machine. Raises HostNotReady for anybody but root."""
        if os.geteuid() != 0:
            raise HostNotReady(
                "setting a server up, and checking all of it, needs root",
                hint="run it as root, or with sudo",
                code="needs_root",
            )
        return await survey_machine()

    async def look(self, wanted: Wanted) -> Found:
        """Look at what is wanted of it."""
        return await look_at(wanted)

    async def install_packages(self, names: tuple[str, ...]) -> None:
        """By apt."""
        await host_packages.install(names)

    async def create_account(self, account: Account) -> None:
        """By `useradd`, or what one that was interrupted left out."""
        try:
            there = pwd.getpwnam(account.name)
        except KeyError:
            words = ("--create-home", "--home-dir", account.home, "--shell", "/bin/bash")
            ids = ("--uid", str(account.uid), "--user-group")
            await run(["useradd", *words, *ids, account.name])
            return
        if find_account(account.name) is None:
            await run(["groupadd", "--gid", str(there.pw_gid), account.name])

    async def add_subordinate_ids(
        self, account: Account, first: int, count: int, *, uids: bool, gids: bool
    ) -> None:
        """By `usermod`."""
        ids = f"{first}-{first + count - 1}"
        words = [f"--add-sub{kind}s={ids}" for kind, add in (("uid", uids), ("gid", gids)) if add]
        await run(["usermod", *words, account.name])

    async def enable_linger(self, account: Account) -> None:
        """By `loginctl`."""
        await host_units.enable_linger(account)

    async def install_program(self, program: Program) -> None:
        """A virtual environment of its own; the stamp says that it is whole."""
        pip = [f"{program.prefix}/bin/pip", "--quiet", "--disable-pip-version-check", "install"]
        await run(["/usr/bin/python3", "-m", "venv", "--clear", program.prefix], seconds=300)
        await run([*pip, "--compile", program.source or ""], seconds=PIP_SECONDS)
        await in_thread(write_atomic)(Path(program.prefix, STAMP), f"{program.version}\n")

    async def copy_program(self, copy: Copy) -> None:
        """Beside its place, then renamed."""
        await in_thread(host_files.copy_program)(copy)

    async def make_link(self, path: str, target: str) -> None:
        """In one step."""
        await in_thread(host_files.make_link)(Path(path), target)

    async def make_folder(self, folder: Folder) -> None:
        """As whoever owns what is above it."""
        host_files.make_folder(folder)

    async def write_file(self, file: HostFile) -> None:
        """As whoever owns its folder."""
        host_files.write_file(file)

    async def create_database(self) -> None:
        """Made elsewhere with PowerDNS's own schema, then put in its place."""
        await in_thread(_create_database)()

    async def start_unit(self, unit: Unit) -> None:
        """By `systemctl`."""
        await host_units.start_unit(unit)

    async def create_zone(self, name_server: NameServer) -> None:
        """Through the API."""
        await name_server_client(name_server).create_zone()


def _create_database() -> None:
    owner = pwd.getpwnam("pdns")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "database")
        connection = sqlite3.connect(made)
        try:
            connection.executescript(SCHEMA.read_text())
        finally:
            connection.close()
        host_files.place_file(made, Path(DATABASE), 0o640, (owner.pw_uid, owner.pw_gid))
