"""The registry as one JSON document, and back: camelCase keys, times in UTC to the second."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from codeb_mcp.domain.confinement import Confinement
from codeb_mcp.domain.domains import CustomDomain
from codeb_mcp.domain.job import Command, Job, JobName, Schedule
from codeb_mcp.domain.names import (
    DomainName,
    EnvironmentName,
    HealthPath,
    ProjectName,
    VariableName,
    shown,
)
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import (
    Environment,
    EnvironmentKey,
    Project,
    ProjectConfig,
    ProjectType,
    Slot,
    command_words,
)
from codeb_mcp.domain.release import Release, ReleaseStatus
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.domains import custom_domain

VERSION = "1.0.0"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def registry_document(projects: tuple[Project, ...]) -> dict[str, Any]:
    """The whole registry. It says the same for the same projects, whenever it is asked."""
    allocations: dict[str, dict[str, str]] = {str(kind): {} for kind in PortKind}
    for project in projects:
        for environment in project.environments:
            for kind, port in environment.ports.items():
                allocations[kind][str(port)] = str(environment.key)
    return {
        "version": VERSION,
        "lastUpdated": _text(max((each.updated_at for each in projects), default=EPOCH)),
        "projects": {project.name: project_document(project) for project in projects},
        "portAllocations": {
            kind: dict(sorted(held.items(), key=lambda item: int(item[0])))
            for kind, held in allocations.items()
        },
    }


def project_document(project: Project) -> dict[str, Any]:
    """One project's part of the document."""
    config = project.config
    return {
        "id": project.id,
        "name": project.name,
        "type": str(project.type),
        "repository": project.repository,
        "environments": {each.key.environment: _environment(each) for each in project.environments},
        "config": {
            "buildCommand": config.build_command,
            "startCommand": config.start_command,
            "healthCheck": config.health_check,
            "envVars": list(config.env_vars),
            **({"port": config.port} if config.port is not None else {}),
            **({"confinement": confined} if (confined := config.confinement.document()) else {}),
        },
        "createdAt": _text(project.created_at),
        "updatedAt": _text(project.updated_at),
    }


def status_word(environment: Environment) -> str:
    """How the registry says an environment stands."""
    if environment.live is not None:
        return "running"
    if environment.latest is not None:
        return str(environment.latest.status)
    return "empty"


def _environment(environment: Environment) -> dict[str, Any]:
    live = environment.live
    document: dict[str, Any] = {
        "status": status_word(environment),
        "domain": environment.domain,
        "ports": {str(kind): port for kind, port in environment.ports.items()},
    }
    if environment.domains:
        document["customDomains"] = {each.name: each.status for each in environment.domains}
    if live is not None:
        document |= {
            "containers": {"app": environment.key.container(Slot(live.slot))},
            "deployedAt": _text(live.finished_at or live.started_at),
            "version": live.version,
            "imageTag": live.image,
        }
    if environment.jobs:
        document["jobs"] = {
            job.name: {"schedule": job.schedule, "command": list(job.command.words)}
            for job in environment.jobs
        }
    return document


def parse_document(document: Any) -> tuple[Project, ...]:
    """The projects of a document. Raises InvalidRequest that names the place of what is wrong."""
    top = _mapping(document, "the document")
    if top.get("version") != VERSION:
        raise _wrong("version", f"is {shown(top.get('version'))}, not {VERSION}")
    projects = tuple(
        _project(name, _mapping(value, f"projects.{name}"))
        for name, value in _mapping(top.get("projects"), "projects").items()
    )
    _check_unique(projects)
    return projects


def _check_unique(projects: tuple[Project, ...]) -> None:
    owners: dict[object, EnvironmentKey] = {}
    for environment in (each for project in projects for each in project.environments):
        domains = (environment.domain, *(each.name for each in environment.domains))
        for thing in (*domains, *environment.ports.values()):
            if (owner := owners.setdefault(thing, environment.key)) != environment.key:
                place = f"projects.{environment.key.project}.environments"
                raise _wrong(place, f"{thing} belongs to {owner} already")


def _project(name: str, found: Mapping[str, Any]) -> Project:
    place = f"projects.{name}"
    config = _mapping(found.get("config", {}), f"{place}.config")
    if found.get("name") != name:
        raise _wrong(f"{place}.name", "is not the key it stands under")
    project = ProjectName(name)
    port = config.get("port")
    if port is not None and (not isinstance(port, int) or not 1 <= port <= 65535):
        raise _wrong(f"{place}.config.port", "is not a port")
    variables = config.get("envVars") or []
    if not isinstance(variables, list):
        raise _wrong(f"{place}.config.envVars", "is not a list")
    return Project(
        id=_string(found, "id", place),
        name=project,
        type=ProjectType.parse(_string(found, "type", place)),
        repository=_string(found, "repository", place),
        config=ProjectConfig(
            build_command=_optional(config, "buildCommand", f"{place}.config"),
            start_command=_command(config, f"{place}.config"),
            health_check=HealthPath(config.get("healthCheck") or "/"),
            env_vars=tuple(VariableName(str(variable)) for variable in variables),
            port=port,
            confinement=Confinement.of_document(config.get("confinement", {})),
        ),
        created_at=_moment(found, "createdAt", place),
        updated_at=_moment(found, "updatedAt", place),
        environments=tuple(_environments(project, found, place)),
    )


def _environments(
    project: ProjectName, found: Mapping[str, Any], place: str
) -> Iterator[Environment]:
    for name, value in _mapping(found.get("environments", {}), f"{place}.environments").items():
        inner = f"{place}.environments.{name}"
        environment = _mapping(value, inner)
        key = EnvironmentKey(project, EnvironmentName(name))
        release = _release(environment, inner)
        ports = _mapping(environment.get("ports", {}), f"{inner}.ports")
        if not all(isinstance(port, int) and 0 < port < 65536 for port in ports.values()):
            raise _wrong(f"{inner}.ports", "holds something that is not a port")
        yield Environment(
            key=key,
            domain=DomainName(_string(environment, "domain", inner)),
            ports={PortKind.parse(kind): port for kind, port in ports.items()},
            live=release if release and release.status is ReleaseStatus.LIVE else None,
            latest=release,
            jobs=tuple(_jobs(environment, inner)),
            domains=tuple(_custom_domains(environment, inner)),
        )


def _jobs(environment: Mapping[str, Any], place: str) -> Iterator[Job]:
    for name, value in _mapping(environment.get("jobs", {}), f"{place}.jobs").items():
        job = _mapping(value, f"{place}.jobs.{name}")
        words = job.get("command")
        if not isinstance(words, list):
            raise _wrong(f"{place}.jobs.{name}.command", "is not a list of words")
        schedule = Schedule(_string(job, "schedule", f"{place}.jobs.{name}"))
        yield Job(JobName(name), schedule, Command(tuple(map(str, words))))


def _custom_domains(environment: Mapping[str, Any], place: str) -> Iterator[CustomDomain]:
    place = f"{place}.customDomains"
    for name, status in _mapping(environment.get("customDomains", {}), place).items():
        if status not in ("active", "pending"):
            raise _wrong(f"{place}.{name}", f"is {shown(status)}, not active or pending")
        yield CustomDomain(custom_domain(name), status == "active")


def _release(environment: Mapping[str, Any], place: str) -> Release | None:
    """The newest release; its number is learned from its container at the next deploy."""
    word = environment.get("status")
    if word == "empty":
        return None
    if word != "running" and word not in list(ReleaseStatus):
        raise _wrong(f"{place}.status", f"{shown(word)} is not known")
    container = str(_mapping(environment.get("containers", {}), place).get("app", ""))
    at = _moment(environment, "deployedAt", place) if "deployedAt" in environment else EPOCH
    return Release(
        number=1,
        image=str(environment.get("imageTag", "")),
        digest="",
        version=str(environment.get("version", "")),
        slot=Slot.GREEN if container.endswith("-green") else Slot.BLUE,
        status=ReleaseStatus.LIVE if word == "running" else ReleaseStatus(str(word)),
        requested_by="import",
        started_at=at,
        finished_at=at,
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(found: Mapping[str, Any], key: str, place: str) -> datetime:
    text = _string(found, key, place)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(f"{place}.{key}", f"{shown(text)} is not an ISO 8601 time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(place, "is not a JSON object")
    return value


def _string(found: Mapping[str, Any], key: str, place: str) -> str:
    value = found.get(key)
    if not isinstance(value, str):
        raise _wrong(f"{place}.{key}", "is missing or not text")
    return value


def _optional(found: Mapping[str, Any], key: str, place: str) -> str | None:
    return None if found.get(key) is None else _string(found, key, place)


def _command(config: Mapping[str, Any], place: str) -> str | None:
    text = _optional(config, "startCommand", place)
    try:
        command_words(text or "")
    except InvalidRequest as error:
        raise _wrong(f"{place}.startCommand", f"is not valid: {error.message}") from None
    return text


def _wrong(place: str, what: str) -> InvalidRequest:
    return InvalidRequest(
        f"the registry document is not valid: {place} {what}",
        hint="compare it with codeb registry export; nothing was imported",
        code="invalid_registry_document",
    )
