"""A sandbox for programs that work on code which is not trusted yet: bubblewrap, where there is.

Inside there is the system's software, read only, the tree in the place of the project, an empty
home and an empty /tmp; no other file of the host, no process of the host, and no network.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codeb_mcp.adapters.process import run
from codeb_mcp.domain.healing import Tree
from codeb_mcp.errors import CodebError

HOME = "/tmp/home"  # noqa: S108 - of the sandbox, which has a /tmp of its own
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# what programs need of /etc; no accounts' secrets, keys or configuration of services
_ETC = tuple(
    f"/etc/{name}"
    for name in (
        *("alternatives", "ca-certificates", "debian_version", "fonts", "group", "hosts"),
        *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types"),
        *("nsswitch.conf", "os-release", "passwd", "protocols", "python3", "resolv.conf"),
        *("services", "ssl", "timezone"),
    )
)


@dataclass(frozen=True, slots=True)
class Confined:
    """A command as it is to be run. `writable` and `shown` are (host path, path inside)."""

    argv: Sequence[str]
    tree: Tree
    shown: Sequence[Path] = ()
    network: bool = False
    more: Sequence[str] = field(default=())


class Sandbox:
    """Wraps commands. Without bubblewrap they run as they are, in the tree itself."""

    def __init__(self, tools: Sequence[Path] = (), program: str | None = "bwrap") -> None:
        self._tools = tuple(tools)
        self._program = program
        self._works: bool | None = None

    async def works(self) -> bool:
        """Whether bubblewrap is there and may make namespaces here."""
        if self._works is None:
            self._works = await self._try()
        return self._works

    async def _try(self) -> bool:
        if self._program is None or shutil.which(self._program) is None:
            return False
        try:
            await run((self._program, *_base(), *_walls(network=False), "true"), seconds=20)
        except CodebError:
            return False
        return True

    async def argv(self, confined: Confined) -> list[str]:
        """The command in its sandbox."""
        if not await self.works():
            return list(confined.argv)
        tree = confined.tree
        pythons = [each for name in tree.lent for each in python_behind(tree.home / name)]
        shown = [*_toolchains(os.environ), *pythons, *self._tools, *confined.shown]
        options = [str(self._program), *_base(), *_walls(network=confined.network)]
        for path in shown:
            options += ["--ro-bind-try", str(path), str(path)]
        options += ["--bind", str(tree.folder), str(tree.home)]
        for name in tree.lent:
            if not (tree.folder / name).exists() or not any((tree.folder / name).iterdir()):
                options += ["--ro-bind-try", str(tree.home / name), str(tree.home / name)]
        return [*options, *confined.more, "--chdir", str(tree.home), *confined.argv]

    async def place(self, tree: Tree) -> Path:
        """Where a command finds the tree."""
        return tree.home if await self.works() else tree.folder

    async def environment(self, tree: Tree, home: Path) -> dict[str, str]:
        """The whole environment of a command. `home` is its home where there is no sandbox."""
        inside = await self.works()
        bins = [str(tree.home / name / "bin") for name in tree.lent if "venv" in name]
        return {
            "PATH": ":".join([*bins, os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")]),
            "HOME": HOME if inside else str(home),
            "TMPDIR": "/tmp" if inside else str(home),  # noqa: S108 - of the sandbox
            "LANG": "C.UTF-8",
            "CI": "true",
            "NO_COLOR": "1",
        }


def _base() -> list[str]:
    options: list[str] = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            options += ["--ro-bind", name, name]
    for name in _ETC:
        options += ["--ro-bind-try", name, name]
    fresh = ["--tmpfs", "/tmp", "--tmpfs", "/var/tmp", "--dir", HOME]  # noqa: S108 - inside
    return [*options, "--proc", "/proc", "--dev", "/dev", *fresh]


def _walls(*, network: bool) -> list[str]:
    share = ["--share-net"] if network else []
    ends = ["--die-with-parent", "--new-session"]
    return ["--unshare-all", *share, *ends, "--cap-drop", "ALL"]


def _toolchains(environ: Mapping[str, str]) -> list[Path]:
    """The folders of PATH outside of /usr, with what is installed beside them.

    Of an account's home only what lies deep enough in it to be a program's own folder.
    """
    home = Path(environ.get("HOME", "/root"))
    found: list[Path] = []
    for each in environ.get("PATH", "").split(":"):
        folder = Path(each)
        if not folder.is_absolute() or folder.is_relative_to("/usr") or len(folder.parts) < 3:
            continue
        prefix = folder.parent
        near = home.is_relative_to(prefix) or len(prefix.parts) <= len(home.parts) + 1
        found.append(folder if near and prefix.is_relative_to(home.parent) else prefix)
        found += python_behind(prefix)
    return found


def python_behind(environment: Path) -> list[Path]:
    """The Python that a virtual environment was made from."""
    try:
        lines = (environment / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return []
    named = (line.partition("=") for line in lines)
    homes = [Path(value.strip()) for key, _, value in named if key.strip() == "home"]
    return [home.parent for home in homes if home.is_absolute() and len(home.parts) > 3]
