"""A database server's container in Podman's words: as a Quadlet unit, and for the API.

Both say the same: the image's own user, no capability, no new privileges, published on loopback
alone, and the administrator's password by a Podman secret.
"""

import hashlib
from typing import Any

from codeb_mcp.domain.databases import LOOPBACK, SHARED_NETWORK, Engine, Server, ServerSpec
from codeb_mcp.domain.host import LABEL, fingerprint
from codeb_mcp.domain.masking import Secret
from codeb_mcp.planning.quadlet import MARK, quoted

SECRET_FILE = "codeb-admin"  # noqa: S105 - the name of a file
_SECRET_PATH = f"/run/secrets/{SECRET_FILE}"
_STOP_SECONDS = {Engine.POSTGRES: 60, Engine.REDIS: 30}
_MEMORY_SHARE = 0.75
"""Of a Redis's limit that its keys may take; the rest is for buffers and for writing to disk."""
_LOG_BYTES = 10_000_000
# ACL users live in the volume, so that those made later outlive a restart.
_FIRST_USERS = f"[ -s users.acl ] || install -m 600 {_SECRET_PATH} users.acl; "


def server_labels(server: Server, home: str) -> dict[str, str]:
    """How codeb knows its servers, their volumes and secrets again."""
    owner = server.owner
    return {
        f"{LABEL}.managed": "true",
        f"{LABEL}.home": home,
        f"{LABEL}.database": str(server.engine),
        f"{LABEL}.project": owner.project if owner else "",
        f"{LABEL}.environment": owner.environment if owner else "",
    }


def networks(spec: ServerSpec) -> tuple[str, ...]:
    """The networks it is connected to; a shared server has one of its own to begin with."""
    projects = tuple(f"codeb-{project}" for project in spec.projects)
    return projects if spec.server.owner else (SHARED_NETWORK, *projects)


def secret_text(engine: Engine, password: Secret) -> Secret:
    """What the container finds in its secret: PostgreSQL the password, Redis only its hash."""
    if engine is Engine.POSTGRES:
        return password
    digest = hashlib.sha256(password.reveal().encode()).hexdigest()
    return Secret(f"user default on #{digest} ~* &* +@all\n")


def spec_digest(spec: ServerSpec) -> str:
    """Changes with anything for which its container has to be made anew."""
    return fingerprint([spec.image_id, spec.port, spec.memory, _command(spec)])


def _command(spec: ServerSpec) -> tuple[str, ...]:
    if spec.server.engine is Engine.POSTGRES:
        return ("postgres", "-c", "listen_addresses=*")
    limit = f" --maxmemory {int(spec.memory * _MEMORY_SHARE)}" if spec.memory else ""
    server = f"exec redis-server --dir /data --aclfile /data/users.acl --appendonly yes{limit}"
    return ("sh", "-ec", f"cd /data; {_FIRST_USERS}{server}")


def _environment(engine: Engine) -> dict[str, str]:
    if engine is Engine.REDIS:
        return {}
    return {"POSTGRES_PASSWORD_FILE": _SECRET_PATH, "PGDATA": engine.data_path}


def _labels(spec: ServerSpec) -> dict[str, str]:
    return {**server_labels(spec.server, spec.home), f"{LABEL}.spec": spec_digest(spec)}


def server_unit(spec: ServerSpec) -> str:
    """The unit's text."""
    server, engine = spec.server, spec.server.engine
    stop = _STOP_SECONDS[engine]
    lines = [
        MARK,
        "[Unit]",
        f"Description=codeb {server}",
        "",
        "[Container]",
        f"ContainerName={server.name}",
        f"Image={spec.image_id}",
        "Pull=never",
        f"User={engine}",
        f"PublishPort={LOOPBACK}:{spec.port}:{engine.port}",
        *(
            f"Environment={quoted(f'{name}={value}')}"
            for name, value in _environment(engine).items()
        ),
        f"Secret={server.name},type=mount,target={SECRET_FILE},mode=0444",
        f"Volume={server.name}:{engine.data_path}",
        *(f"Network={network}:alias={server.host}" for network in networks(spec)),
        *(f"Label={quoted(f'{name}={value}')}" for name, value in _labels(spec).items()),
        f"Exec={' '.join(quoted(word) for word in _command(spec))}",
        "NoNewPrivileges=true",
        "DropCapability=all",
        *([f"PodmanArgs=--memory={spec.memory}"] if spec.memory is not None else []),
        "LogDriver=k8s-file",
        f"PodmanArgs={quoted(f'--log-opt=path={spec.log_path}')} --log-opt=max-size=10mb",
        f"StopTimeout={stop}",
        "",
        "[Service]",
        "Restart=always",
        "RestartSec=1",
        f"TimeoutStopSec={stop + 20}",
        "",
        "[Install]",
        "WantedBy=default.target",
        "",
    ]
    return "\n".join(lines)


def server_container(spec: ServerSpec) -> dict[str, Any]:
    """The body of Podman's call that creates a container."""
    server, engine = spec.server, spec.server.engine
    return {
        "name": server.name,
        "image": spec.image_id,
        "command": list(_command(spec)),
        "user": str(engine),
        "env": _environment(engine),
        "labels": _labels(spec),
        "portmappings": [
            {"host_ip": LOOPBACK, "host_port": spec.port, "container_port": engine.port}
        ],
        "secrets": [{"Source": server.name, "Target": SECRET_FILE, "Mode": 0o444}],
        "volumes": [{"Name": server.name, "Dest": engine.data_path}],
        "netns": {"nsmode": "bridge"},
        "Networks": {network: {"aliases": [server.host]} for network in networks(spec)},
        "no_new_privileges": True,
        "cap_drop": ["all"],
        **({"resource_limits": {"memory": {"limit": spec.memory}}} if spec.memory else {}),
        "restart_policy": "always",
        "log_configuration": {"driver": "k8s-file", "path": spec.log_path, "size": _LOG_BYTES},
        "stop_timeout": _STOP_SECONDS[engine],
        # its health is asked over its own protocol
        "healthconfig": {"Test": ["NONE"]},
    }
