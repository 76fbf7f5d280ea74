"""Stand-ins for the official base images, made from Debian packages: no registry is reached.

One root file system with Node, npm, pnpm, yarn, Python, Go and Caddy in it is imported once and
named `node:24-slim`, `python:3.13-slim` and so on below `BASE`. It is what a mirror would hold, as
far as the Containerfiles of `codeb init` can tell.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

from filelock import FileLock

from tests.system.lab.commands import contained
from tests.system.lab.requirements import lab_dir
from tests.system.lab.rootfs import SUITE, BuildFailed, host_mirror, remove_tree
from tests.system.lab.services import caddy_binary

BASE = "localhost/library"
NAMES = ("node:24-slim", "python:3.13-slim", "golang:1.24", "caddy:2-alpine", "alpine:3.22")
PACKAGES = (
    "ca-certificates",
    "nodejs",
    "python3",
    "python3-pip",
    "python3-venv",
    "golang-go",
)
# Debian's npm is four hundred packages; the official images hold the one from npm's registry.
NPM_TOOLS = ("npm@10.9.4", "corepack@0.34.5")
MANAGERS = ("pnpm@10.20.0", "yarn@1.22.22")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def stand_in() -> Path:
    """The root file system as a tar, built first when it is not there (some minutes)."""
    recipe = json.dumps([SUITE, PACKAGES, NPM_TOOLS, MANAGERS])
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    built = lab_dir() / "stand-ins" / f"{digest}.tar"
    built.parent.mkdir(exist_ok=True)
    with FileLock(f"{built.parent}.lock"):
        if not built.exists():
            _build(built)
    return built


def _build(built: Path) -> None:
    root = built.with_suffix(".partial")
    remove_tree(root)
    root.mkdir()
    mirror = host_mirror()
    include = f"--include={','.join(PACKAGES)}"
    argv = ["debootstrap", "--variant=minbase", include, SUITE, str(root)]
    _run(contained([*argv, *([mirror] if mirror else [])]))
    _add_npm(root)
    shutil.copy(caddy_binary(), root / "usr/bin/caddy")
    (root / "usr/bin/python").symlink_to("python3")
    # the networks of some machines have an authority of their own
    shutil.copy(CERTIFICATES, root / CERTIFICATES.lstrip("/"))
    (root / "etc/pip.conf").write_text(f"[global]\ncert = {CERTIFICATES}\n")
    (root / "etc/npmrc").write_text(f"cafile={CERTIFICATES}\n")
    for unneeded in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc"):
        remove_tree(root / unneeded)
    partial = built.with_suffix(".tar.partial")
    with tarfile.open(partial, "w") as tar:
        tar.add(root, ".")
    remove_tree(root)
    partial.rename(built)


def _add_npm(root: Path) -> None:
    modules = root / "usr/lib/node_modules"
    modules.mkdir(parents=True, exist_ok=True)
    for tool in NPM_TOOLS:
        name = tool.partition("@")[0]
        packed = _run(["npm", "pack", "--silent", "--pack-destination", str(root), tool]).strip()
        archive = root / packed.splitlines()[-1]
        with tarfile.open(archive) as tar:
            tar.extractall(root, filter="data")
        archive.unlink()
        remove_tree(modules / name)
        (root / "package").rename(modules / name)
    for command, script in {
        "npm": "npm/bin/npm-cli.js",
        "npx": "npm/bin/npx-cli.js",
        "corepack": "corepack/dist/corepack.js",
    }.items():
        (modules / script).chmod(0o755)
        link = root / "usr/bin" / command
        link.unlink(missing_ok=True)  # Debian's nodejs has a corepack too
        link.symlink_to(f"../lib/node_modules/{script}")
    corepack = ["node", str(modules / "corepack/dist/corepack.js"), "install", "--global"]
    home = root / "root/.cache/node/corepack"
    # a mirror of npm's registry does not pass its signatures on
    environment = ["env", f"COREPACK_HOME={home}", "COREPACK_INTEGRITY_KEYS=0"]
    for manager in MANAGERS:
        _run([*environment, *corepack, manager])


def _run(argv: list[str]) -> str:
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise BuildFailed(f"{argv[0]} failed: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    return ended.stdout
