"""Between rows and the words of the domain."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from codeb_mcp.adapters.registry.schema import (
    domains,
    environments,
    jobs,
    ports,
    projects,
    releases,
)
from codeb_mcp.domain.confinement import Confinement
from codeb_mcp.domain.domains import CustomDomain
from codeb_mcp.domain.job import Command, Job, JobName, Schedule
from codeb_mcp.domain.names import DomainName, EnvironmentName, HealthPath, ProjectName
from codeb_mcp.domain.names import VariableName as Variable
from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import (
    Environment,
    EnvironmentKey,
    Project,
    ProjectConfig,
    ProjectType,
)
from codeb_mcp.domain.release import Release, ReleaseStatus
from codeb_mcp.errors import Refused


def to_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds, which sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def from_text(text: str) -> datetime:
    """The moment that `to_text` wrote."""
    return datetime.fromisoformat(text)


def project_row(project: Project) -> dict[str, Any]:
    """A project as its row."""
    config = project.config
    return {
        "id": project.id,
        "name": str(project.name),
        "type": str(project.type),
        "repository": project.repository,
        "build_command": config.build_command,
        "start_command": config.start_command,
        "health_check": str(config.health_check),
        "env_vars": [str(name) for name in config.env_vars],
        "port": config.port,
        "created_at": to_text(project.created_at),
        "updated_at": to_text(project.updated_at),
        "confinement": config.confinement.document(),
    }


def job_row(environment_id: int, job: Job) -> dict[str, Any]:
    """A job as its row."""
    return {
        "environment_id": environment_id,
        "name": str(job.name),
        "schedule": str(job.schedule),
        "command": list(job.command.words),
    }


def to_job(row: Row[Any]) -> Job:
    """A row as a job."""
    return Job(JobName(row.name), Schedule(row.schedule), Command(tuple(row.command)))


def release_row(environment_id: int, release: Release) -> dict[str, Any]:
    """A release as its row."""
    return {
        "environment_id": environment_id,
        "number": release.number,
        "image": release.image,
        "digest": release.digest,
        "version": release.version,
        "slot": release.slot,
        "status": str(release.status),
        "requested_by": release.requested_by,
        "started_at": to_text(release.started_at),
        "finished_at": to_text(release.finished_at) if release.finished_at else None,
        "message": release.message,
    }


def to_release(row: Row[Any]) -> Release:
    """A row as a release."""
    return Release(
        number=row.number,
        image=row.image,
        digest=row.digest,
        version=row.version,
        slot=row.slot,
        status=ReleaseStatus(row.status),
        requested_by=row.requested_by,
        started_at=from_text(row.started_at),
        finished_at=from_text(row.finished_at) if row.finished_at else None,
        message=row.message,
    )


def load_projects(connection: Connection, name: ProjectName | None = None) -> tuple[Project, ...]:
    """Projects by name, each with its environments, in four queries however many there are."""
    wanted = select(projects).order_by(projects.c.name)
    of_projects = select(environments).order_by(environments.c.id)
    of_ports = select(ports)
    if name is not None:
        wanted = wanted.where(projects.c.name == str(name))
        of_projects = of_projects.where(environments.c.project == str(name))
        of_ports = of_ports.where(ports.c.project == str(name))
    held: dict[tuple[str, str], dict[PortKind, int]] = defaultdict(dict)
    for row in connection.execute(of_ports):
        held[row.project, row.environment][PortKind(row.kind)] = row.port
    found: dict[str, list[Environment]] = defaultdict(list)
    for row in connection.execute(of_projects):
        found[row.project].append(_environment(connection, row, held[row.project, row.name]))
    return tuple(_project(row, tuple(found[row.name])) for row in connection.execute(wanted))


def _environment(connection: Connection, row: Row[Any], held: dict[PortKind, int]) -> Environment:
    mine = releases.c.environment_id == row.id
    newest = select(releases).where(mine).order_by(releases.c.number.desc()).limit(1)
    live = select(releases).where(mine, releases.c.status == "live")
    of_jobs = select(jobs).where(jobs.c.environment_id == row.id).order_by(jobs.c.name)
    of_environment = select(domains).where(domains.c.environment_id == row.id)
    named = connection.execute(of_environment.order_by(domains.c.name)).all()
    newest_row = connection.execute(newest).one_or_none()
    live_row = connection.execute(live).one_or_none()
    return Environment(
        key=EnvironmentKey(ProjectName(row.project), EnvironmentName(row.name)),
        domain=next(DomainName(each.name) for each in named if each.is_primary),
        ports=held,
        live=to_release(live_row) if live_row else None,
        latest=to_release(newest_row) if newest_row else None,
        created_at=from_text(row.created_at),
        jobs=tuple(to_job(each) for each in connection.execute(of_jobs)),
        domains=tuple(
            CustomDomain(DomainName(each.name), bool(each.is_active))
            for each in named
            if not each.is_primary
        ),
        expires_at=from_text(row.expires_at) if row.expires_at else None,
    )


def _project(row: Row[Any], found: tuple[Environment, ...]) -> Project:
    return Project(
        id=row.id,
        name=ProjectName(row.name),
        type=ProjectType(row.type),
        repository=row.repository,
        config=ProjectConfig(
            build_command=row.build_command,
            start_command=row.start_command,
            health_check=HealthPath(row.health_check),
            env_vars=tuple(Variable(name) for name in row.env_vars),
            port=row.port,
            confinement=Confinement.of_document(row.confinement),
        ),
        created_at=from_text(row.created_at),
        updated_at=from_text(row.updated_at),
        environments=found,
    )


def require_project(connection: Connection, name: ProjectName) -> None:
    """Refuse what is done for a project that was removed meanwhile."""
    known = select(projects.c.id).where(projects.c.name == str(name))
    if connection.execute(known).one_or_none() is None:
        raise Refused(f"the project {name} was removed meanwhile", code="project_removed")
