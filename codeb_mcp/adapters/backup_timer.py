"""Backups by a schedule, under systemd."""

import os
import sys
from pathlib import Path

from codeb_mcp.adapters.files import sync_folder, write_atomic
from codeb_mcp.adapters.systemd import Systemd
from codeb_mcp.adapters.systemd_jobs import SystemdJobs, timer_folder
from codeb_mcp.domain.job import Schedule
from codeb_mcp.errors import Refused
from codeb_mcp.planning.backup_units import NAME, backup_service, backup_timer
from codeb_mcp.planning.quadlet import MARK

_COMMAND = ("-m", "codeb_mcp.cli", "backup", "run")


class BackupTimer:
    """`Timetable` of one codeb folder, in this account's systemd."""

    def __init__(self, home: Path, folder: Path | None = None) -> None:
        self._home = home
        self._folder = folder or timer_folder(os.environ)
        self._systemd = Systemd()

    async def set(self, schedule: Schedule) -> str:
        """Make backups by that schedule from now on; when next, in words."""
        coming = await SystemdJobs().check(schedule)
        service = backup_service((sys.executable, *_COMMAND), str(self._home))
        async with self._systemd.changing_units():
            self._write("service", service)
            self._write("timer", backup_timer(schedule))
            await self._systemd.reload()
        await self._systemd.start_timer(f"{NAME}.timer")
        return coming

    async def clear(self) -> None:
        """Make none by a schedule; absent is fine."""
        paths = [self._path(kind) for kind in ("timer", "service")]
        if not any(path.exists() for path in paths):
            return
        await self._systemd.stop_timer(f"{NAME}.timer")
        async with self._systemd.changing_units():
            for path in paths:
                path.unlink(missing_ok=True)
            sync_folder(self._folder)
            await self._systemd.reload()

    async def coming(self) -> str:
        """When backups are made next, in words; empty where there is no schedule."""
        if not self._path("timer").exists():
            return ""
        shown = await self._systemd.show(f"{NAME}.timer", ("NextElapseUSecRealtime",))
        return shown.get("NextElapseUSecRealtime", "")

    def _write(self, kind: str, text: str) -> None:
        path = self._path(kind)
        if path.exists() and not path.read_text().startswith(MARK):
            raise Refused(
                f"{path} exists and was not written by codeb",
                hint="rename it, then call again",
                code="foreign_unit",
            )
        write_atomic(path, text)

    def _path(self, kind: str) -> Path:
        return self._folder / f"{NAME}.{kind}"


class NoTimer:
    """`Timetable` where nothing keeps time: Podman alone has no timers."""

    async def set(self, schedule: Schedule) -> str:
        """Refused."""
        raise Refused(
            f"backups {schedule} need a timer of systemd, and the runtime podman does without",
            hint="set runtime to quadlet; or have cron run: codeb backup run",
            code="schedule_needs_systemd",
        )

    async def clear(self) -> None:
        """There is none."""

    async def coming(self) -> str:
        """Never."""
        return ""
