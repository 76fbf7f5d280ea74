"""A Quadlet unit for one release, as text.

Every value is quoted or checked: a newline would become a directive of its own, and `%` and `$`
mean something to systemd.
"""

from codeb_mcp.domain.host import ContainerSpec, ObservedContainer
from codeb_mcp.domain.names import shown
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.confined import unit_lines

MARK = "# Written by codeb. It is replaced on every deploy; change the project instead."


def unit_name(container: str) -> str:
    """The file that Quadlet reads: `codeb-shop-staging-blue.container`."""
    return f"{container}.container"


def service_name(container: str) -> str:
    """The unit that systemd runs."""
    return f"{container}.service"


def container_unit(spec: ContainerSpec) -> str:
    """The unit's text. Raises InvalidRequest for a value that no unit can hold."""
    lines = [
        MARK,
        "[Unit]",
        f"Description=codeb {spec.key} release {spec.release} in the {spec.slot} slot",
        "",
        "[Container]",
        f"ContainerName={spec.name}",
        f"Image={spec.image_id}",
        "Pull=never",
        f"PublishPort=127.0.0.1:{spec.host_port}:{spec.container_port}",
        *(f"Environment={quoted(f'{name}={value}')}" for name, value in spec.env),
        *([f"EnvironmentFile={file_path(spec.env_file)}"] if spec.env_file else []),
        *(f"Label={quoted(f'{name}={value}')}" for name, value in spec.labels.items()),
        *([f"Exec={' '.join(quoted(word) for word in spec.command)}"] if spec.command else []),
        *unit_lines(spec.key, spec.confinement, spec.network),
        "LogDriver=k8s-file",
        f"PodmanArgs={quoted(f'--log-opt=path={spec.log_path}')} --log-opt=max-size=10mb",
        # the key StopTimeout= would keep an older Quadlet (Ubuntu 24.04's) from making the unit
        f"PodmanArgs=--stop-timeout={spec.stop_timeout}",
        "",
        "[Service]",
        "Restart=always",
        "RestartSec=1",
        f"TimeoutStopSec={spec.stop_timeout + 20}",
        "",
        "[Install]",
        "WantedBy=default.target",
        "",
    ]
    return "\n".join(lines)


def quoted(text: str) -> str:
    """`text` as one word of a unit file: in double quotes, with systemd's own escapes."""
    if any(ord(char) < 32 or ord(char) == 127 or "\ud800" <= char <= "\udfff" for char in text):
        raise InvalidRequest(
            f"{shown(text)} holds a control character, which a systemd unit cannot",
            hint="put such a value into the environment's env file instead",
            code="invalid_unit_value",
        )
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def file_path(path: str) -> str:
    """`path` as the whole value of a key that takes no quotes."""
    if any(char.isspace() or char in "\"'\\" or ord(char) < 32 for char in path):
        raise InvalidRequest(
            f"the path {shown(path)} cannot be named in a systemd unit",
            hint="put codeb's folder (CODEB_HOME) on a path without spaces and quotes",
            code="invalid_unit_value",
        )
    return path.replace("%", "%%")


def same_release(seen: ObservedContainer, spec: ContainerSpec) -> bool:
    """Whether the unit found already runs what `spec` asks for."""
    return seen.release == spec.release and seen.spec_digest == spec.digest
