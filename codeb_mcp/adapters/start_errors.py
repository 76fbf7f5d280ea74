"""Why a container did not start, told from the text that Podman or systemd passes on."""

import re
from typing import Any

from codeb_mcp.domain.host import ContainerSpec
from codeb_mcp.errors import (
    CodebError,
    DeployFailed,
    HostNotReady,
    InvalidRequest,
    SystemFailed,
)

_PORT_TAKEN = re.compile(r"address already in use|port is already allocated", re.IGNORECASE)
_LIMITS = re.compile(r"rlimit", re.IGNORECASE)
_BAD_COMMAND = re.compile(
    r"command that was not found|oci permission denied|executable file|exec format error"
    r"|permission denied: oci|no command or entrypoint",
    re.IGNORECASE,
)
_NO_CONTROLLER = re.compile(r"controller `?\w+`? is not available", re.IGNORECASE)
_NO_IMAGE = re.compile(r"image not known|no such image", re.IGNORECASE)


def start_error_from(spec: ContainerSpec, text: str) -> CodebError | None:
    """The error for a cause that is known, else None."""
    said = text.strip()[-400:]
    if _PORT_TAKEN.search(text):
        return SystemFailed(
            f"port {spec.host_port} on 127.0.0.1 is taken, so release {spec.release} of "
            f"{spec.key} cannot be published: {said}",
            hint=f"see who has it: ss -ltnp 'sport = :{spec.host_port}'",
            code="port_taken",
        )
    if _LIMITS.search(text):
        return HostNotReady(
            f"Podman asks for higher limits than this host gives it: {said}",
            hint='set default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"] under '
            "[containers] in /etc/containers/containers.conf, and restart Podman's service",
            code="limits_too_low",
        )
    if _NO_CONTROLLER.search(text):
        return HostNotReady(
            f"this host cannot hold release {spec.release} of {spec.key} to its limits: {said}",
            hint="have systemd delegate the controllers to this account (Delegate=cpu memory pids "
            f"for user@.service), or take the limits away: codeb config set {spec.key.project} "
            "memory= cpus= pids=",
            code="limits_unsupported",
        )
    if _BAD_COMMAND.search(text):
        return DeployFailed(
            f"release {spec.release} of {spec.key} cannot be started: {said}",
            hint="check the start command, and that the image is for this server's processor",
            code="command_not_found",
        )
    if _NO_IMAGE.search(text):
        return InvalidRequest(
            f"the image {spec.image} of release {spec.release} is not on this server",
            hint="deploy the image again",
            code="image_not_found",
        )
    return None


def start_error(spec: ContainerSpec, error: Any) -> CodebError | None:
    """The same for an error of podman-py's."""
    return start_error_from(spec, f"{getattr(error, 'explanation', '') or error}")
