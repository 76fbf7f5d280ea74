"""A container's confinement in Podman's words: for a unit, for a command, for the API.

All three say the same: no new privileges, no capability but those asked for, and the limits.
"""

from collections.abc import Iterator
from typing import Any

from codeb_mcp.domain.confinement import Confinement
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.task import Task

WRITABLE = ("/run", "/tmp", "/var/tmp")  # noqa: S108 - paths in the container
CPU_PERIOD = 100_000
"""Microseconds, the kernel's own."""


def unit_lines(key: EnvironmentKey, confinement: Confinement, network: str) -> Iterator[str]:
    """Lines for the `[Container]` section of a Quadlet unit."""
    yield "NoNewPrivileges=true"
    yield "DropCapability=all"
    yield from (f"AddCapability={capability}" for capability in confinement.capabilities)
    if confinement.read_only:
        yield "ReadOnly=true"
    if network:
        yield f"Network={network}"
    for volume in confinement.volumes:
        yield f"Volume={key.volume(volume.name)}:{volume.path}"
    if confinement.pids is not None:
        yield f"PidsLimit={confinement.pids}"
    # Quadlet has keys for these two from Podman 5.5 on only
    if confinement.memory is not None:
        yield f"PodmanArgs=--memory={confinement.memory}"
    if confinement.cpus is not None:
        yield f"PodmanArgs=--cpus={confinement.cpus}"


def run_arguments(task: Task, name: str, *, terminal: bool) -> tuple[str, ...]:
    """The words after `podman` that run `task` in the foreground, under `name`.

    Values of variables are in the env file alone: everybody on the machine sees these words.
    """
    key, confinement = task.key, task.confinement
    limits = {
        "--memory": confinement.memory,
        "--cpus": confinement.cpus,
        "--pids-limit": confinement.pids,
    }
    return (
        *("run", "--rm", "--interactive", *(["--tty"] if terminal else [])),
        *(f"--name={name}", "--pull=never", "--log-driver=none", "--no-healthcheck"),
        *("--security-opt=no-new-privileges", "--cap-drop=all"),
        *(f"--cap-add={capability}" for capability in confinement.capabilities),
        *(["--read-only"] if confinement.read_only else []),
        *([f"--network={task.network}"] if task.network else []),
        *(f"--volume={key.volume(each.name)}:{each.path}" for each in confinement.volumes),
        *(f"{option}={value}" for option, value in limits.items() if value is not None),
        *([f"--env-file={task.env_file}"] if task.env_file else []),
        *(f"--env={variable}={value}" for variable, value in task.env),
        *(f"--label={label}={value}" for label, value in task.labels.items()),
        *("--", task.image_id, *task.command.words),
    )


def create_options(key: EnvironmentKey, confinement: Confinement, network: str) -> dict[str, Any]:
    """Options for podman-py's `containers.create`."""
    options: dict[str, Any] = {
        "no_new_privileges": True,
        "cap_drop": ["all"],
        "cap_add": [str(capability) for capability in confinement.capabilities],
        "volumes": {
            key.volume(volume.name): {"bind": str(volume.path), "mode": "rw"}
            for volume in confinement.volumes
        },
    }
    if network:
        options |= {"networks": {network: {}}, "network_mode": "bridge"}
    if confinement.read_only:
        # `podman run --read-only` adds these by itself, the API does not
        options |= {"read_only": True, "mounts": [_writable(path) for path in WRITABLE]}
    if confinement.memory is not None:
        options["mem_limit"] = confinement.memory
    if confinement.cpus is not None:
        options |= {"cpu_period": CPU_PERIOD, "cpu_quota": round(confinement.cpus * CPU_PERIOD)}
    if confinement.pids is not None:
        options["pids_limit"] = confinement.pids
    return options


def _writable(path: str) -> dict[str, Any]:
    return {"type": "tmpfs", "source": "tmpfs", "target": path}
