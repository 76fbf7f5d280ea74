"""Copies of backups somewhere else, through rclone, which knows S3, SFTP and many more."""

from pathlib import Path

from codeb_mcp.adapters.process import run
from codeb_mcp.errors import SystemFailed

_COPY_SECONDS = 24 * 3600.0
_SECONDS = 300.0
_SETTINGS = ("--retries=3", "--low-level-retries=3", "--contimeout=20s")


class RcloneRemote:
    """`OffSite` at `remote:path`; its login is in rclone's own configuration, not here."""

    def __init__(self, place: str) -> None:
        self._place = place.rstrip("/")

    async def copy(self, path: Path) -> None:
        """Put a copy of the file there, and make sure that it is the same.

        Raises SystemFailed (`copy_failed`) otherwise.
        """
        target = self._at(path.name)
        copied = await run(
            ["rclone", "copyto", *_SETTINGS, "--", str(path), target],
            seconds=_COPY_SECONDS,
            check=False,
        )
        if copied.returncode != 0:
            raise self._failed(path.name, copied.last_error)
        # not every place keeps checksums: the bytes themselves are compared
        compared = await run(
            [
                "rclone",
                "check",
                *_SETTINGS,
                "--download",
                "--one-way",
                f"--include=/{path.name}",
                "--",
                str(path.parent),
                self._place,
            ],
            seconds=_COPY_SECONDS,
            check=False,
        )
        if compared.returncode != 0:
            raise self._failed(path.name, compared.last_error)

    async def fetch(self, name: str, folder: Path) -> Path:
        """Bring a file of that name into `folder`."""
        path = folder / name
        await run(
            ["rclone", "copyto", *_SETTINGS, "--", self._at(name), str(path)],
            seconds=_COPY_SECONDS,
        )
        return path

    async def remove(self, name: str) -> None:
        """Remove the copy of that name; absent is fine."""
        listed = await run(["rclone", "lsf", *_SETTINGS, "--", self._place], seconds=_SECONDS)
        if name in listed.stdout.splitlines():
            await run(["rclone", "deletefile", *_SETTINGS, "--", self._at(name)], seconds=_SECONDS)

    def _at(self, name: str) -> str:
        joint = "" if self._place.endswith(":") else "/"
        return f"{self._place}{joint}{name}"

    def _failed(self, name: str, why: str) -> SystemFailed:
        return SystemFailed(
            f"{name} could not be copied to {self._place}: {why}",
            hint=f"see that this works: rclone lsf {self._place}; the next backup copies it too",
            code="copy_failed",
        )
