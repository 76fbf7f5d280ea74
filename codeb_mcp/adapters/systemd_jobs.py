"""Scheduled jobs under systemd: a Quadlet unit that ends, and a timer that starts it."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codeb_mcp.adapters.files import sync_folder, write_atomic
from codeb_mcp.adapters.process import run
from codeb_mcp.adapters.quadlet_units import check_unit, unit_folder
from codeb_mcp.adapters.systemd import Systemd
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.host import LABEL
from codeb_mcp.domain.job import JobName, JobState, Schedule, invalid_schedule
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.task import JobSpec
from codeb_mcp.errors import Refused, SystemFailed
from codeb_mcp.planning.job_units import job_timer, job_unit
from codeb_mcp.planning.quadlet import MARK, service_name, unit_name

_SPEC = re.compile(rf'^Label="{re.escape(LABEL)}\.spec=([0-9a-f]+)"$', re.MULTILINE)
_NEXT = re.compile(r"^ *Next elapse: (.*)$", re.MULTILINE)


def timer_folder(environ: Mapping[str, str]) -> Path:
    """Where systemd looks for this account's own units."""
    if os.geteuid() == 0:
        return Path("/etc/systemd/system")
    config = environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "systemd" / "user"


class SystemdJobs:
    """`Jobs` for this account. Its unit files are in `units`, its timers in `timers`."""

    supported = True

    def __init__(self, units: Path | None = None, timers: Path | None = None) -> None:
        self._units = units or unit_folder(os.environ)
        self._timers = timers or timer_folder(os.environ)
        self._systemd = Systemd()

    async def installed(self, key: EnvironmentKey) -> dict[str, str]:
        """The environment's jobs that are installed: name to digest."""
        return await in_thread(self._installed)(key)

    async def check(self, schedule: Schedule) -> str:
        """When the schedule would come next, in words. InvalidRequest when it is none."""
        ended = await run(
            ["systemd-analyze", "calendar", "--iterations=1", "--", schedule],
            env={"LC_ALL": "C.UTF-8"},
            seconds=10,
            check=False,
        )
        if ended.returncode != 0:
            raise invalid_schedule(schedule, ended.last_error)
        found = _NEXT.search(ended.stdout)
        if found is None or found[1].strip() == "never":
            raise invalid_schedule(schedule, "that never comes")
        return found[1].strip()

    async def install(self, spec: JobSpec) -> None:
        """Have the job run by its schedule, replacing what was installed under its name."""
        name = spec.task.key.job(spec.name)
        await self.check(spec.schedule)
        unit, timer = job_unit(spec), job_timer(spec)
        await check_unit(unit_name(name), unit)
        await in_thread(_make_folder)(spec.log_path)
        async with self._systemd.changing_units():
            await in_thread(self._write)(name, unit, timer)
            await self._systemd.reload()
        await self._systemd.start_timer(f"{name}.timer")

    async def remove(self, key: EnvironmentKey, name: JobName) -> None:
        """Stop the job and remove its units; absent is fine."""
        unit = key.job(name)
        if not any(path.exists() for path in self._paths(unit)):
            return
        await self._systemd.stop_timer(f"{unit}.timer")
        await self._systemd.stop(service_name(unit))
        async with self._systemd.changing_units():
            await in_thread(self._remove)(unit)
            await self._systemd.reload()
        await self._systemd.forget_failures(service_name(unit))

    async def state(self, key: EnvironmentKey, name: JobName) -> JobState:
        """How an installed job stands."""
        unit = key.job(name)
        timer = await self._systemd.show(
            f"{unit}.timer", ("NextElapseUSecRealtime", "LastTriggerUSec")
        )
        wanted = ("ActiveState", "Result", "ExecMainStatus", "ExecMainStartTimestamp")
        service = await self._systemd.show(service_name(unit), wanted)
        began = service.get("ExecMainStartTimestamp", "")
        running = service.get("ActiveState") == "activating"
        status = service.get("ExecMainStatus", "")
        return JobState(
            next_run=timer.get("NextElapseUSecRealtime", ""),
            last_run=began or timer.get("LastTriggerUSec", ""),
            result="running" if running else service.get("Result", "") if began else "",
            exit_code=int(status) if began and not running and status.isdecimal() else None,
        )

    async def run(self, key: EnvironmentKey, name: JobName) -> JobState:
        """Run an installed job now, and wait until it has ended."""
        service = service_name(key.job(name))
        ended = await self._systemd.start_and_wait(service)
        state = await self.state(key, name)
        if ended.returncode != 0 and state.result in ("", "success"):
            raise SystemFailed(
                f"systemd could not start {service}: {ended.last_error}",
                hint=f"see more: journalctl --user-unit {service}",
                code="start_failed",
            )
        return state

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self._units / unit_name(name), self._timers / f"{name}.timer"

    def _installed(self, key: EnvironmentKey) -> dict[str, str]:
        found = {}
        for path in sorted(self._units.glob(f"{key.job('*')}.container")):
            text = path.read_text()
            spec = _SPEC.search(text)
            timer = self._timers / f"{path.stem}.timer"
            # half of a job, as a crash leaves it, is as none: it is installed anew
            digest = spec[1] if spec and timer.exists() else ""
            if text.startswith(MARK):
                found[path.stem.removeprefix(key.job(""))] = digest
        return found

    def _write(self, name: str, unit: str, timer: str) -> None:
        for path, text in zip(self._paths(name), (unit, timer), strict=True):
            if path.exists() and not path.read_text().startswith(MARK):
                raise Refused(
                    f"{path} exists and was not written by codeb",
                    hint="rename it, or give the job another name",
                    code="foreign_unit",
                )
            write_atomic(path, text)

    def _remove(self, name: str) -> None:
        for path in self._paths(name):
            if path.exists():
                path.unlink()
                sync_folder(path.parent)


class NoJobs:
    """`Jobs` where nothing keeps time: Podman alone has no timers."""

    supported = False

    async def installed(self, *_: object, **__: object) -> dict[str, str]:
        """None."""
        return {}

    async def _refuse(self, *_: object, **__: object) -> Any:
        raise Refused(
            "scheduled jobs are timers of systemd, and the runtime podman does without systemd",
            hint="set runtime to quadlet; or have cron run: codeb run PROJECT --env ENV -- COMMAND",
            code="jobs_need_systemd",
        )

    check = install = remove = state = run = _refuse


def _make_folder(log_path: str) -> None:
    Path(log_path).parent.mkdir(parents=True, exist_ok=True)
