"""What is backed up beside databases: codeb's own folder, and the files in volumes."""

import sqlite3
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

from codeb_mcp.adapters.piped import Command, CommandDump, CommandIntake
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.streams import Dump, Intake

REGISTRY = "registry.db"
KEPT = ("config.toml", "auth.json", "token", "env", "databases", "live")
"""What is in codeb's folder that cannot be made anew, beside the registry."""


class CodebState:
    """`State` of one codeb folder."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @asynccontextmanager
    async def dump(self) -> AsyncIterator[Dump]:
        """A tar of it, the registry as of one moment. What it needs meanwhile goes at the end."""
        with tempfile.TemporaryDirectory(prefix=".state.", dir=self._home) as folder:
            copies = await in_thread(self._copy_registry)(Path(folder))
            names = [name for name in KEPT if (self._home / name).exists()]
            argv = ("tar", "-cf", "-", "-C", str(self._home), *names, "-C", folder, *copies)
            yield CommandDump(Command(argv, "packing codeb's folder"))

    def intake(self, folder: Path) -> Intake:
        """Takes such a tar into an empty folder."""
        argv = ("tar", "-xpf", "-", "--no-same-owner", "-C", str(folder))
        return CommandIntake(Command(argv, "unpacking codeb's folder"))

    def _copy_registry(self, folder: Path) -> tuple[str, ...]:
        source = self._home / REGISTRY
        if not source.exists():
            return ()
        with (
            closing(sqlite3.connect(source)) as registry,
            closing(sqlite3.connect(folder / REGISTRY)) as copy,
        ):
            registry.backup(copy)
        return (REGISTRY,)


class PodmanVolumeData:
    """`VolumeData` by the `podman` command."""

    def __init__(self, url: str, environment: Mapping[str, str]) -> None:
        self._url = url
        self._environment = environment

    def dump(self, key: EnvironmentKey, volume: str) -> Dump:
        """A tar of a volume."""
        return CommandDump(self._command("export", key.volume(volume)))

    def intake(self, key: EnvironmentKey, volume: str) -> Intake:
        """Takes a tar into a volume that is there."""
        return CommandIntake(self._command("import", key.volume(volume), "-"))

    def _command(self, verb: str, volume: str, *words: str) -> Command:
        argv = ("podman", f"--url={self._url}", "volume", verb, volume, *words)
        return Command(argv, f"podman volume {verb} {volume}", self._environment)
