"""`SqlRegistry`: the registry's use of SQLAlchemy Core, one transaction per method."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, delete, exc, insert, select, update

from codeb_mcp.adapters.registry.database import Database
from codeb_mcp.adapters.registry.domain_rows import (
    activate,
    delete_added,
    insert_added,
    insert_primary,
)
from codeb_mcp.adapters.registry.rows import (
    from_text,
    job_row,
    load_projects,
    project_row,
    release_row,
    require_project,
    to_release,
    to_text,
)
from codeb_mcp.adapters.registry.schema import (
    audit,
    domains,
    environments,
    jobs,
    journal,
    ports,
    projects,
    releases,
)
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.domains import CustomDomain
from codeb_mcp.domain.job import Job, JobName
from codeb_mcp.domain.ledger import AuditEntry, PortAllocation
from codeb_mcp.domain.names import DomainName, EnvironmentName, ProjectName
from codeb_mcp.domain.ports import PortKind, occupied_by
from codeb_mcp.domain.previews import require_room
from codeb_mcp.domain.project import Environment, EnvironmentKey, Project, ProjectConfig, Slot
from codeb_mcp.domain.release import NewRelease, Release, ReleaseStatus
from codeb_mcp.errors import HostNotReady, InvalidRequest


class SqlRegistry:
    """The registry in one SQLite file. `now` is where its times come from."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._database = Database(path)
        self._now = now

    @in_thread
    def projects(self) -> tuple[Project, ...]:
        """All projects, by name."""
        with self._database.read() as connection:
            return load_projects(connection)

    @in_thread
    def project(self, name: ProjectName) -> Project:
        """One project, or InvalidRequest naming those that come close."""
        with self._database.read() as connection:
            found = load_projects(connection, name)
            if found:
                return found[0]
            names = connection.execute(select(projects.c.name)).scalars().all()
        close = difflib.get_close_matches(name, names, n=3)
        meant = f"did you mean {' or '.join(close)}? else " if close else ""
        raise InvalidRequest(
            f"there is no project {name}",
            hint=f"{meant}make it with init_project name={name}",
            code="unknown_project",
        )

    @in_thread
    def add_project(self, project: Project) -> None:
        """A new project; InvalidRequest when the name is taken."""
        try:
            with self._database.write() as connection:
                connection.execute(insert(projects).values(project_row(project)))
        except exc.IntegrityError:
            raise InvalidRequest(
                f"there is a project {project.name} already, with other settings",
                hint=f"choose another name, or see it with get_status project={project.name}",
                code="project_exists",
            ) from None

    @in_thread
    def change_config(self, name: ProjectName, config: ProjectConfig) -> None:
        """Replace a project's configuration."""
        with self._database.write() as connection:
            (project,) = load_projects(connection, name)
            changed = replace(project, config=config, updated_at=self._now())
            connection.execute(
                update(projects).where(projects.c.name == str(name)).values(project_row(changed))
            )

    @in_thread
    def put_job(self, key: EnvironmentKey, job: Job) -> None:
        """Add a job to an environment, or replace the one of its name."""
        with self._database.write() as connection:
            number = _environment_id(connection, key) or 0
            _remove_job(connection, number, job.name)
            connection.execute(insert(jobs).values(job_row(number, job)))

    @in_thread
    def remove_job(self, key: EnvironmentKey, name: JobName) -> bool:
        """Remove a job; False when there was none."""
        with self._database.write() as connection:
            return _remove_job(connection, _environment_id(connection, key) or 0, name)

    @in_thread
    def ensure_environment(
        self,
        key: EnvironmentKey,
        domain: DomainName,
        *,
        expires_at: datetime | None = None,
        preview_limit: int | None = None,
    ) -> Environment:
        """The environment, made when absent, from now on until `expires_at` (None: for ever)."""
        with self._database.write() as connection:
            number = _environment_id(connection, key)
            if number is None:
                require_project(connection, key.project)
                if preview_limit is not None:
                    require_room(load_projects(connection, key.project)[0], preview_limit)
                number = self._add_environment(connection, key, domain)
            ends = to_text(expires_at) if expires_at else None
            mine = environments.c.id == number
            connection.execute(update(environments).where(mine).values(expires_at=ends))
            return _load_environment(connection, key)

    @in_thread
    def remove_environment(self, key: EnvironmentKey) -> None:
        """Remove an environment with its ports, domains and releases; absent is fine."""
        with self._database.write() as connection:
            number = _environment_id(connection, key)
            for table in (releases, domains, jobs):
                connection.execute(delete(table).where(table.c.environment_id == number))
            connection.execute(delete(environments).where(environments.c.id == number))
            held = (
                ports.c.project == str(key.project),
                ports.c.environment == str(key.environment),
            )
            connection.execute(delete(ports).where(*held))

    @in_thread
    def add_domain(self, key: EnvironmentKey, domain: DomainName) -> None:
        """A further domain, pending until it is served; InvalidRequest when it is another's."""
        with self._database.write() as connection:
            pending = CustomDomain(domain, active=False)
            insert_added(connection, _environment_id(connection, key), pending)

    @in_thread
    def serve_domain(self, key: EnvironmentKey, domain: DomainName) -> None:
        """Make one that was added an active one."""
        with self._database.write() as connection:
            activate(connection, _environment_id(connection, key), domain)

    @in_thread
    def remove_domain(self, key: EnvironmentKey, domain: DomainName) -> None:
        """Forget one that was added; absent is fine."""
        with self._database.write() as connection:
            delete_added(connection, _environment_id(connection, key), domain)

    @in_thread
    def ports(self) -> tuple[PortAllocation, ...]:
        """All that are handed out, by number."""
        with self._database.read() as connection:
            rows = connection.execute(select(ports).order_by(ports.c.port)).all()
        return tuple(
            PortAllocation(
                EnvironmentKey(ProjectName(row.project), EnvironmentName(row.environment)),
                PortKind(row.kind),
                row.port,
            )
            for row in rows
        )

    @in_thread
    def allocate_port(
        self,
        key: EnvironmentKey,
        kind: PortKind,
        candidates: Sequence[int],
        is_free: Callable[[int], bool],
    ) -> PortAllocation:
        """The port `key` has for `kind`, else the first free candidate, reserved for it."""
        with self._database.write() as connection:
            held = _port_of(connection, key, kind)
            if held is not None:
                return PortAllocation(key, kind, held, created=False)
            port, skipped = _choose(connection, kind, candidates, is_free)
            if port is None:
                raise _exhausted(kind, candidates, skipped)
            connection.execute(insert(ports).values(_port_row(key, kind, port, self._now())))
        return PortAllocation(key, kind, port, skipped)

    @in_thread
    def release_port(self, key: EnvironmentKey, kind: PortKind) -> int | None:
        """Give the port back; None when there was none."""
        with self._database.write() as connection:
            held = _port_of(connection, key, kind)
            if held is not None:
                connection.execute(delete(ports).where(ports.c.port == held))
        return held

    @in_thread
    def next_free_port(
        self, kind: PortKind, candidates: Sequence[int], is_free: Callable[[int], bool]
    ) -> int | None:
        """The candidate that `allocate_port` would choose now, or None."""
        with self._database.read() as connection:
            return _choose(connection, kind, candidates, is_free)[0]

    @in_thread
    def releases(self, key: EnvironmentKey, limit: int = 20) -> tuple[Release, ...]:
        """Newest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(releases)
                .where(releases.c.environment_id == _environment_id(connection, key))
                .order_by(releases.c.number.desc())
                .limit(limit)
            ).all()
        return tuple(to_release(row) for row in rows)

    @in_thread
    def begin_release(self, key: EnvironmentKey, release: NewRelease) -> None:
        """Write down a release as `starting`; older ones still so become `interrupted`."""
        now = self._now()
        with self._database.write() as connection:
            number = _environment_id(connection, key)
            _interrupt(connection, releases.c.environment_id == number, to_text(now))
            begun = Release(
                number=release.number,
                image=release.image,
                digest=release.digest,
                version=release.version,
                slot=release.slot,
                status=ReleaseStatus.STARTING,
                requested_by=release.requested_by,
                started_at=now,
            )
            connection.execute(insert(releases).values(release_row(number or 0, begun)))

    @in_thread
    def mark_live(self, key: EnvironmentKey, number: int, slot: Slot) -> None:
        """Make a release the live one; the one before is superseded, one starting interrupted."""
        now = to_text(self._now())
        with self._database.write() as connection:
            mine = releases.c.environment_id == _environment_id(connection, key)
            known = select(releases.c.number).where(mine, releases.c.number == number)
            if connection.execute(known).scalar_one_or_none() is None:
                # An imported registry does not know the release's number, only that it is live.
                this = releases.c.status == "live"
            else:
                this = releases.c.number == number
                connection.execute(
                    update(releases)
                    .where(mine, releases.c.status == "live", releases.c.number != number)
                    .values(status="superseded")
                )
            connection.execute(
                update(releases)
                .where(mine, this)
                .values(number=number, status="live", slot=str(slot), finished_at=now, message="")
            )
            _interrupt(connection, mine, now)
            connection.execute(
                update(projects).where(projects.c.name == str(key.project)).values(updated_at=now)
            )

    @in_thread
    def end_release(
        self, key: EnvironmentKey, number: int, status: ReleaseStatus, message: str
    ) -> None:
        """Write down how a release ended."""
        with self._database.write() as connection:
            connection.execute(
                update(releases)
                .where(
                    releases.c.environment_id == _environment_id(connection, key),
                    releases.c.number == number,
                )
                .values(status=str(status), message=message, finished_at=to_text(self._now()))
            )

    @in_thread
    def journal(
        self, key: EnvironmentKey, release: int, step: str, state: str, *, after: str = ""
    ) -> None:
        """One line of what a deploy did; before it, in one write, that `after` is done."""
        lines = [(after, "done"), (step, state)] if after else [(step, state)]
        row = {
            "at": to_text(self._now()),
            "project": str(key.project),
            "environment": str(key.environment),
            "release": release,
        }
        with self._database.write() as connection:
            connection.execute(
                insert(journal), [{**row, "step": each, "state": how} for each, how in lines]
            )

    @in_thread
    def audit_trail(self, limit: int = 50) -> tuple[AuditEntry, ...]:
        """Newest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(audit).order_by(audit.c.id.desc()).limit(limit)).all()
        return tuple(
            AuditEntry(
                from_text(row.at), row.actor, row.action, row.arguments, row.outcome, row.message
            )
            for row in rows
        )

    @in_thread
    def replace_all(self, projects: Sequence[Project]) -> None:
        """Make the registry hold exactly these projects, with their environments and ports."""
        with self._database.write() as connection:
            _clear(connection)
            for project in projects:
                self._import(connection, project)

    def _import(self, connection: Connection, project: Project) -> None:
        connection.execute(insert(projects).values(project_row(project)))
        for environment in project.environments:
            number = self._add_environment(connection, environment.key, environment.domain)
            release = environment.live or environment.latest
            if release is not None:
                connection.execute(insert(releases).values(release_row(number, release)))
            for job in environment.jobs:
                connection.execute(insert(jobs).values(job_row(number, job)))
            for custom in environment.domains:
                insert_added(connection, number, custom)
            for kind, port in environment.ports.items():
                row = _port_row(environment.key, kind, port, self._now())
                connection.execute(insert(ports).values(row))

    def _add_environment(
        self, connection: Connection, key: EnvironmentKey, domain: DomainName
    ) -> int:
        row = {
            "project": str(key.project),
            "name": str(key.environment),
            "created_at": to_text(self._now()),
        }
        added = insert(environments).values(row).returning(environments.c.id)
        number = int(connection.execute(added).scalar_one())
        insert_primary(connection, number, domain)
        return number


def _environment_id(connection: Connection, key: EnvironmentKey) -> int | None:
    return connection.execute(
        select(environments.c.id).where(
            environments.c.project == str(key.project),
            environments.c.name == str(key.environment),
        )
    ).scalar_one_or_none()


def _remove_job(connection: Connection, environment_id: int, name: JobName) -> bool:
    mine = (jobs.c.environment_id == environment_id, jobs.c.name == str(name))
    return connection.execute(delete(jobs).where(*mine)).rowcount > 0


def _interrupt(connection: Connection, mine: ColumnElement[bool], now: str) -> None:
    """Whoever was starting a release is gone: the environment's lock is another's now."""
    connection.execute(
        update(releases)
        .where(mine, releases.c.status == "starting")
        .values(status="interrupted", finished_at=now)
    )


def _load_environment(connection: Connection, key: EnvironmentKey) -> Environment:
    (project,) = load_projects(connection, key.project)
    return next(found for found in project.environments if found.key == key)


def _port_of(connection: Connection, key: EnvironmentKey, kind: PortKind) -> int | None:
    return connection.execute(
        select(ports.c.port).where(
            ports.c.project == str(key.project),
            ports.c.environment == str(key.environment),
            ports.c.kind == str(kind),
        )
    ).scalar_one_or_none()


def _port_row(key: EnvironmentKey, kind: PortKind, port: int, at: datetime) -> dict[str, object]:
    return {
        "port": port,
        "kind": str(kind),
        "project": str(key.project),
        "environment": str(key.environment),
        "allocated_at": to_text(at),
    }


def _choose(
    connection: Connection,
    kind: PortKind,
    candidates: Sequence[int],
    is_free: Callable[[int], bool],
) -> tuple[int | None, tuple[int, ...]]:
    """The first candidate that nobody has, and those passed over because a stranger holds them."""
    taken = set(connection.execute(select(ports.c.port)).scalars())
    skipped: list[int] = []
    for port in candidates:
        if port in taken:
            continue
        if all(is_free(each) for each in occupied_by(kind, port)):
            return port, tuple(skipped)
        skipped.append(port)
    return None, tuple(skipped)


def _exhausted(kind: PortKind, candidates: Sequence[int], skipped: tuple[int, ...]) -> HostNotReady:
    strangers = f"; held by other programs: {', '.join(map(str, skipped))}" if skipped else ""
    return HostNotReady(
        f"no {kind} port is left among {candidates[0]}-{candidates[-1]}{strangers}",
        hint="release one that is not needed: codeb ports, then codeb ports release",
        code="ports_exhausted",
    )


def _clear(connection: Connection) -> None:
    for table in (ports, releases, domains, jobs, environments, projects):
        connection.execute(delete(table))
