"""What Podman mounts below a folder, and leaves there."""

import subprocess
from pathlib import Path


def unmount_below(folder: Path) -> None:
    """Unmount everything in `folder`, inner mounts first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    mounts = [line.split()[1] for line in lines]
    for mounted in reversed([each for each in mounts if each.startswith(f"{folder}/")]):
        subprocess.run(["umount", "--lazy", mounted], check=False)
