"""The unit files that codeb gives to Quadlet: checked before they are installed, and read back."""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codeb_mcp.adapters.files import sweep, sync_folder, write_atomic
from codeb_mcp.adapters.process import run
from codeb_mcp.domain.host import LABEL
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.errors import HostNotReady, Refused, SystemFailed
from codeb_mcp.planning.quadlet import MARK, unit_name

_GENERATORS = (
    Path("/usr/lib/systemd/system-generators/podman-system-generator"),
    Path("/usr/libexec/podman/quadlet"),
    Path("/usr/lib/podman/quadlet"),
)
_LABEL_LINE = re.compile(rf'^Label="{re.escape(LABEL)}\.([a-z]+)=(.*)"$', re.MULTILINE)
_OURS = "codeb-*.container"
_IMAGE_LINE = re.compile(r"^Image=(.*)$", re.MULTILINE)


def unit_folder(environ: Mapping[str, str]) -> Path:
    """Where Quadlet looks for this account's units."""
    if os.geteuid() == 0:
        return Path("/etc/containers/systemd")
    config = environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "containers" / "systemd"


@dataclass(frozen=True, slots=True)
class InstalledUnit:
    """A unit file of ours: what its labels say, and the image it runs."""

    path: Path
    text: str
    release: int
    spec_digest: str
    image: str


class UnitFiles:
    """Codeb's files in the folder that Quadlet reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, key: EnvironmentKey, slot: Slot) -> Path:
        """Where the slot's unit is, or would be."""
        return self._folder / unit_name(key.container(slot))

    def read(self, key: EnvironmentKey, slot: Slot) -> InstalledUnit | None:
        """The slot's unit, None when there is none. Refused when it is not one of ours."""
        path = self.path(key, slot)
        try:
            text = path.read_text()
        except FileNotFoundError:
            return None
        labels = dict(_LABEL_LINE.findall(text))
        wanted = {"project": key.project, "environment": key.environment, "slot": str(slot)}
        if not text.startswith(MARK) or not wanted.items() <= labels.items():
            raise Refused(
                f"{path} exists and was not written by codeb",
                hint="rename it, or deploy under another project name",
                code="foreign_unit",
            )
        image = _IMAGE_LINE.search(text)
        return InstalledUnit(
            path,
            text,
            release=int(labels.get("release", "0")),
            spec_digest=labels.get("spec", ""),
            image=image[1] if image else "",
        )

    def owned(self, home: str) -> tuple[tuple[EnvironmentKey, Slot], ...]:
        """The places of all units of that codeb folder."""
        found = []
        for path in self._folder.glob("codeb-*.container"):
            name = path.name.removesuffix(".container").removeprefix("codeb-")
            slug, _, word = name.rpartition("-")
            key = EnvironmentKey.of_slug(slug)
            if key is None or word not in list(Slot):
                continue
            try:
                unit = self.read(key, Slot(word))
            except Refused:  # a stranger's, whatever it is called
                continue
            if unit is not None and dict(_LABEL_LINE.findall(unit.text)).get("home") == home:
                found.append((key, Slot(word)))
        return tuple(found)

    def write(self, key: EnvironmentKey, slot: Slot, text: str) -> None:
        """Install or replace the slot's unit; only for who is alone at changing units."""
        sweep(self._folder, _OURS)
        write_atomic(self.path(key, slot), text)

    def remove(self, key: EnvironmentKey, slot: Slot) -> None:
        """Take the slot's unit away; absent is fine. As for `write`."""
        sweep(self._folder, _OURS)
        path = self.path(key, slot)
        if path.exists():
            path.unlink()
            sync_folder(path.parent)


async def check_unit(name: str, text: str) -> str:
    """Have Podman's own generator read the unit; gives what it makes of it.

    SystemFailed with what it says against it.
    """
    generator = _generator()
    with tempfile.TemporaryDirectory(prefix="codeb-unit-") as folder:
        write_atomic(Path(folder) / name, text)
        ended = await run(
            [str(generator), *(() if os.geteuid() == 0 else ("--user",)), "--dryrun"],
            env={"QUADLET_UNIT_DIRS": folder},
            seconds=30,
            check=False,
        )
    service = name.removesuffix(".container") + ".service"
    if ended.returncode != 0 or f"---{service}---" not in ended.stdout:
        reasons = [line for line in ended.stderr.splitlines() if "error" in line.lower()]
        raise SystemFailed(
            f"Quadlet does not accept {name}: {(reasons or [ended.last_error])[0]}",
            hint="update Podman; Quadlet needs 4.4 or newer, and these units 5.0 or newer",
            code="unit_rejected",
        )
    return ended.stdout.partition(f"---{service}---")[2]


def _generator() -> Path:
    for path in _GENERATORS:
        if path.exists():
            return path
    raise HostNotReady(
        f"Podman's Quadlet is not on this host: there is no {_GENERATORS[0]}",
        hint="install Podman 5 or newer (Debian 13 has it), or set runtime to podman",
        code="quadlet_missing",
    )
