"""The product in the server, installed from a wheel of this tree as its users install it.

The server reaches no package index, so the wheels of the dependencies are fetched by this host,
once for each set of dependencies.
"""

import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from .requirements import lab_dir
from .rootfs import remove_tree
from .server import Server

REPOSITORY = Path(__file__).resolve().parents[3]
PREFIX = "/opt/codeb"
PYTHON = "3.13"  # Debian 13's
WHEELS = "/var/cache/codeb-wheels"
STAMP = f"{PREFIX}/installed-wheel"


class PipFailed(RuntimeError):
    """pip ended non-zero on this host; the message holds the end of what it said."""


@dataclass(frozen=True, slots=True)
class Product:
    """The installed commands, as paths in the server that every account may run."""

    codeb: str
    codeb_mcp: str
    python: str


def install_product(server: Server, project: Path = REPOSITORY) -> Product:
    """Install the wheel of `project` and what it depends on, replacing what is there.

    The wheel is built anew by every call; when it is the installed one, nothing else happens.
    """
    with tempfile.TemporaryDirectory() as built:
        wheel = build_wheel(project, Path(built))
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if server.run(["cat", STAMP], check=False).stdout != digest:
            _install(server, wheel, wheelhouse(wheel, project))
            server.write(STAMP, digest)
    return Product(
        codeb=f"{PREFIX}/bin/codeb",
        codeb_mcp=f"{PREFIX}/bin/codeb-mcp",
        python=f"{PREFIX}/bin/python",
    )


def build_wheel(project: Path, directory: Path) -> Path:
    """The wheel of `project`, built into `directory`."""
    _pip("wheel", "--no-deps", "--wheel-dir", str(directory), str(project))
    return next(directory.glob("*.whl"))


def wheelhouse(wheel: Path, project: Path) -> Path:
    """A directory with the wheels of everything that `wheel` needs in the server."""
    house = lab_dir() / "wheels" / _dependencies_hash(project)
    with FileLock(f"{house.parent}.lock"):
        if not house.is_dir():
            partial = house.with_suffix(".partial")
            remove_tree(partial)
            partial.mkdir(parents=True)
            target = ("--python-version", PYTHON, "--only-binary=:all:")
            _pip("download", *target, "--dest", str(partial), str(wheel))
            (partial / wheel.name).unlink()
            partial.rename(house)
    return house


def _dependencies_hash(project: Path) -> str:
    declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    key = [PYTHON, platform.machine(), declared.get("dependencies", [])]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]


def _install(server: Server, wheel: Path, house: Path) -> None:
    inside = server.path_inside(WHEELS)
    remove_tree(inside)
    shutil.copytree(house, inside)
    shutil.copy(wheel, inside)
    server.run(["python3", "-m", "venv", "--clear", PREFIX])
    offline = ("--no-index", "--find-links", WHEELS, "--disable-pip-version-check")
    # compiled here, because the accounts that run it may not write beside it
    pip = [f"{PREFIX}/bin/pip", "install", "--quiet", "--compile", *offline]
    server.run([*pip, f"{WHEELS}/{wheel.name}"], timeout=300)
    remove_tree(inside)


def _pip(*arguments: str) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    ended = subprocess.run([*pip, *arguments], capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise PipFailed(f"pip {arguments[0]} failed:\n{ended.stdout}{ended.stderr[-4000:]}")
