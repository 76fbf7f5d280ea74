"""What the machine that runs the tests must have, and where the lab keeps its files."""

import os
import shutil
import sys
from pathlib import Path

# program -> the Debian package that brings it
PROGRAMS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "ip": "iproute2",
}


def missing_requirements() -> str | None:
    """Why the lab cannot run on this machine and what would mend it; None when it can."""
    if sys.platform != "linux":
        return f"the lab is a Linux server in systemd-nspawn, and this is {sys.platform}"
    if os.geteuid() != 0:
        return "the lab boots a server with systemd-nspawn, which needs root: run pytest as root"
    packages = sorted({PROGRAMS[name] for name in PROGRAMS if shutil.which(name) is None})
    if packages:
        return f"the lab needs programs that are not here: apt-get install {' '.join(packages)}"
    return None


def lab_dir() -> Path:
    """Where root file systems, wheels and the servers' throw-away layers are kept."""
    directory = Path(os.environ.get("CODEB_LAB_DIR", "/var/tmp/codeb-lab"))
    directory.mkdir(parents=True, exist_ok=True)
    return directory.resolve()
