"""The systemd that runs units for this account: the user's own, or the system's for root."""

import os
import pwd
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from codeb_mcp.adapters.process import Completed, run
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.errors import HostNotReady, Locked, SystemFailed

_UNREACHABLE = ("failed to connect to", "system has not been booted with systemd", "host is down")
_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "NRestarts",
    "ExecMainStatus",
    "SourcePath",
)
_RELOAD_SECONDS = 120.0
_JOB_SECONDS = 180.0
_LONGEST_STOP = 700.0
_LONGEST_RUN = 24 * 3600.0


class Systemd:
    """`systemctl` for this account. Works without a login session, such as from a service."""

    def __init__(self) -> None:
        self._uid = os.getuid()
        self._scope = () if self._uid == 0 else ("--user",)
        self._runtime = Path("/run" if self._uid == 0 else f"/run/user/{self._uid}")
        self._environment = {} if self._uid == 0 else session_environment(os.environ, self._uid)

    async def reload(self) -> None:
        """Make systemd run its generators and read the units again."""
        self._checked(await self._systemctl("daemon-reload", seconds=_RELOAD_SECONDS))

    @asynccontextmanager
    async def changing_units(self) -> AsyncIterator[None]:
        """Alone among codeb's processes: unit files change, then systemd reads them.

        Without it a reload could find the files of another's half-finished change.
        """
        lock = FileLock(self._runtime / "codeb-units.lock", thread_local=False)
        try:
            await in_thread(lock.acquire)(timeout=_RELOAD_SECONDS)
        except Timeout:
            raise Locked(
                "another deploy has been changing systemd's units for two minutes",
                hint="try again; see what hangs: systemctl list-jobs",
                code="units_locked",
            ) from None
        except OSError as error:
            raise self._down(f"{self._runtime}: {error.strerror}") from None
        try:
            yield
        finally:
            lock.release()

    async def restart(self, unit: str) -> Completed:
        """Start the unit, or stop and start it; how that ended is left to the caller."""
        await self.forget_failures(unit)
        return self._reached(await self._systemctl("restart", unit, seconds=_JOB_SECONDS))

    async def stop(self, unit: str) -> None:
        """Stop the unit and wait until it has; one that is not there is fine."""
        ended = self._reached(await self._systemctl("stop", unit, seconds=_LONGEST_STOP))
        if ended.returncode != 0 and "not loaded" not in ended.stderr:
            self._checked(ended)

    async def forget_failures(self, unit: str) -> None:
        """Clear the unit's failed state and its start limit; a unit without any is fine."""
        self._reached(await self._systemctl("reset-failed", unit, seconds=_RELOAD_SECONDS))

    async def start_timer(self, unit: str) -> None:
        """Have the timer run, now by what its file says and after every boot."""
        self._checked(await self._systemctl("enable", unit, seconds=_RELOAD_SECONDS))
        self._checked(await self._systemctl("restart", unit, seconds=_JOB_SECONDS))

    async def stop_timer(self, unit: str) -> None:
        """Have the timer run no more, and forget when it last did; absent is fine."""
        for verb, *words in (("disable", "--now"), ("clean", "--what=state")):
            self._reached(await self._systemctl(verb, *words, unit, seconds=_RELOAD_SECONDS))

    async def start_and_wait(self, unit: str) -> Completed:
        """Start a unit that ends by itself, and wait until it has; how is left to the caller."""
        await self.forget_failures(unit)
        return self._reached(await self._systemctl("start", unit, seconds=_LONGEST_RUN))

    async def show(self, unit: str, properties: Sequence[str] = _PROPERTIES) -> dict[str, str]:
        """The unit's properties that tell how it stands; a unit that is not there has some too."""
        (shown,) = await self.show_all(unit, properties=properties)
        return shown

    async def show_all(
        self, *units: str, properties: Sequence[str] = _PROPERTIES
    ) -> list[dict[str, str]]:
        """As `show`, of several units in that order."""
        wanted = ",".join(properties)
        ended = self._checked(await self._systemctl("show", f"--property={wanted}", *units))
        return [
            {name: value for name, _, value in (line.partition("=") for line in text.splitlines())}
            for text in ended.stdout.strip("\n").split("\n\n")
        ]

    async def journal(self, unit: str, identifier: str, since: float) -> tuple[str, ...]:
        """What was written to the journal as `identifier` and part of the unit since that time.

        Nothing where the journal cannot be read.
        """
        which = "--unit" if self._uid == 0 else "--user-unit"
        ended = await run(
            [
                *("journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=50"),
                *(f"--since=@{since:.3f}", f"{which}={unit}", f"--identifier={identifier}"),
            ],
            env=self._environment,
            seconds=10,
            check=False,
        )
        return tuple(ended.stdout.splitlines()) if ended.returncode == 0 else ()

    async def _systemctl(self, verb: str, *words: str, seconds: float = 30.0) -> Completed:
        argv = ["systemctl", *self._scope, "--no-ask-password", verb, *words]
        return await run(argv, env=self._environment, seconds=seconds, check=False)

    def _reached(self, ended: Completed) -> Completed:
        said = ended.stderr.lower()
        if ended.returncode != 0 and any(sign in said for sign in _UNREACHABLE):
            raise self._down(ended.last_error)
        return ended

    def _checked(self, ended: Completed) -> Completed:
        if self._reached(ended).returncode != 0:
            raise SystemFailed(
                f"systemctl {ended.argv[-1]} failed: {ended.last_error}",
                hint=f"run it by hand to see more: {' '.join(ended.argv)}",
                code="systemctl_failed",
            )
        return ended

    def _down(self, reason: str) -> HostNotReady:
        if self._uid == 0:
            return HostNotReady(
                f"systemd cannot be reached: {reason}",
                hint="set runtime to podman on a host that systemd did not boot",
                code="systemd_down",
            )
        user = _user_name(self._uid)
        return HostNotReady(
            f"the systemd of user {user} cannot be reached: {reason}",
            hint=f"start it, now and at boot: loginctl enable-linger {user}",
            code="systemd_user_down",
        )


def session_environment(environ: Mapping[str, str], uid: int) -> dict[str, str]:
    """What a user's session has and a service or `su` lacks: where its bus and sockets are."""
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    bus = environ.get("DBUS_SESSION_BUS_ADDRESS") or f"unix:path={runtime}/bus"
    return {"XDG_RUNTIME_DIR": runtime, "DBUS_SESSION_BUS_ADDRESS": bus}


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
