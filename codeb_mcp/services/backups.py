"""Backups of this server: made, listed, opened again, and let go of."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from codeb_mcp.domain.backups import (
    STATE,
    BackupKind,
    BackupName,
    BackupPolicy,
    Facts,
    Manifest,
    Subject,
    database_of,
    volume_of,
)
from codeb_mcp.domain.confinement import VolumeName
from codeb_mcp.domain.databases import Database, DatabaseId
from codeb_mcp.domain.job import Schedule
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import ProjectName
from codeb_mcp.domain.project import Environment
from codeb_mcp.domain.streams import DatabaseDump, Dump
from codeb_mcp.errors import CodebError, DataAtRisk, Refused, SystemFailed
from codeb_mcp.planning.backups import expired, room_needed
from codeb_mcp.planning.pulls import disk_full
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.backup_views import (
    BackupRunView,
    BackupsView,
    BackupView,
    TimetableView,
    VerificationView,
)
from codeb_mcp.services.deployments import OnProgress, Progress, ignore_progress
from codeb_mcp.services.restores import Restores, admin_of, require_backups_of
from codeb_mcp.services.systems import Systems


class Backups:
    """The backups of this host."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems
        self._parts = systems.backups
        self._policy = systems.backups.policy

    async def run(
        self,
        actor: str,
        project: ProjectName | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> BackupRunView:
        """Back up all there is, or one project's, and let go of what was kept long enough.

        One that fails does not keep the others from being made. Raises Refused where backups are
        not set up, Locked while others are made, DataAtRisk in the end when one has failed.
        """
        self._require_recipients()
        systems = self._systems
        async with (
            audited(systems, actor, "backup", project=project),
            self._parts.store.alone(),
        ):
            await systems.ready()
            subjects = await self._subjects(project)
            made, failures = [], []
            for done, subject in enumerate(subjects):
                await on_progress(Progress(done, len(subjects), f"back up the {subject}"))
                try:
                    made.append(await self._take(subject, on_progress, done, len(subjects)))
                except CodebError as error:
                    failures.append(f"{subject}: {error.message}")
            await on_progress(Progress(len(subjects), len(subjects), "let old backups go"))
            removed = await self._let_go()
            await self._forget_replaced(project)
            failures += [f"{each.name.subject}: {each.problem}" for each in made if not each.good]
            if failures:
                raise _not_all(failures, len(subjects))
        return BackupRunView(
            backups=[BackupView.of_manifest(each) for each in made],
            removed=[str(name) for name in removed],
        )

    async def back_up(
        self, database: DatabaseId, actor: str, on_progress: OnProgress = ignore_progress
    ) -> BackupView:
        """Back up one database now. Raises DataAtRisk when its copy elsewhere failed."""
        self._require_recipients()
        systems, key = self._systems, database.key
        await systems.registry.project(key.project)
        async with (
            audited(
                systems,
                actor,
                "backup_db",
                project=key.project,
                environment=key.environment,
                type=database.engine,
            ),
            self._parts.store.alone(),
        ):
            await systems.ready()
            require_backups_of(systems, database)
            subject = database_of(database)
            await on_progress(Progress(0, 1, f"back up the {subject}"))
            made = await self._take(subject, on_progress, 0, 1)
            await on_progress(Progress(1, 1, f"the {subject} is backed up"))
            if not made.good:
                raise _not_all([f"{subject}: {made.problem}"], 1)
        return BackupView.of_manifest(made)

    async def backups(self, project: ProjectName | None = None) -> BackupsView:
        """The backups that are here, oldest first; with `project` only those of it."""
        listed = await self._parts.store.listed()
        return BackupsView(
            coming=await self._parts.timetable.coming(),
            folder=str(self._parts.store.path(BackupName(STATE, self._systems.clock.now())).parent),
            backups=[
                BackupView.of_manifest(each)
                for each in listed
                if project is None or _project(each.name.subject) == project
            ],
        )

    async def schedule(self, schedule: Schedule | None, actor: str) -> TimetableView:
        """Make all backups by a schedule from now on, or (None) no more by themselves."""
        async with audited(self._systems, actor, "schedule_backups", schedule=schedule):
            if schedule is None:
                await self._parts.timetable.clear()
                return TimetableView(coming="")
            self._require_recipients()
            return TimetableView(coming=await self._parts.timetable.set(schedule))

    async def check(
        self, path: Path, identity: Secret, on_progress: OnProgress = ignore_progress
    ) -> VerificationView:
        """Decrypt a backup to its end, and compare it with its manifest. Nothing is restored.

        Raises DataAtRisk when it is damaged or the key is another's.
        """

        async def told(detail: str) -> None:
            await on_progress(Progress(0, 1, f"read {path.name}", detail))

        opened = await self._parts.store.open(path, identity, told)
        known = "and is what its manifest says" if opened.manifest else "(it has no manifest)"
        return VerificationView(
            name=path.name,
            kind=opened.kind or "unknown",
            ok=True,
            message=f"decrypts to its end {known}",
        )

    def can_back_up(self, database: DatabaseId) -> bool:
        """Whether databases of that kind can be backed up."""
        return database.engine in self._parts.copies

    def located(self, text: str) -> Path:
        """The backup that a name or a path means."""
        path = Path(text)
        if path.name == text:
            try:
                return self._parts.store.path(BackupName.parse(text))
            except CodebError:
                return path.absolute()
        return path.absolute()

    async def _subjects(self, project: ProjectName | None) -> list[Subject]:
        environments = [
            environment
            for each in await self._systems.registry.projects()
            if project in (None, each.name)
            for environment in each.environments
        ]
        if project is not None:
            await self._systems.registry.project(project)  # says so when there is none
        rows = await self._systems.databases.rows.list(project)
        databases = [database_of(row.id) for row in rows if row.id.engine in self._parts.copies]
        volumes = [each async for each in self._volumes(environments)]
        return [*([STATE] if project is None else []), *databases, *volumes]

    async def _volumes(self, environments: Iterable[Environment]) -> AsyncIterator[Subject]:
        for environment in environments:
            for name in sorted(await self._systems.volumes.of(environment.key)):
                yield volume_of(environment.key, VolumeName(name))

    async def _take(
        self, subject: Subject, on_progress: OnProgress, done: int, total: int
    ) -> Manifest:
        """Write one backup, copy it where that is wanted, and list it."""

        async def told(detail: str) -> None:
            await on_progress(Progress(done, total, f"back up the {subject}", detail))

        await self._require_room(subject)
        store, policy = self._parts.store, self._policy
        name = BackupName(subject, self._systems.clock.now())
        async with self._opened(subject) as taking:
            written = await store.write(name, taking.dump, policy.recipients, told)
            facts = await taking.facts()
        manifest = replace(written, engine=taking.engine, facts=facts, offsite=policy.offsite)
        if policy.offsite:
            manifest = await self._copied(manifest)
        await store.record(manifest)
        return manifest

    @asynccontextmanager
    async def _opened(self, subject: Subject) -> AsyncIterator[DatabaseDump]:
        match subject.kind:
            case BackupKind.STATE:
                async with self._parts.state.dump() as dump:
                    yield _plain(dump)
            case BackupKind.VOLUME if subject.key:
                yield _plain(self._parts.volumes.dump(subject.key, subject.name))
            case _:
                database = await self._database(subject)
                admin = admin_of(self._systems, database)
                copies = self._parts.copies[database.id.engine]
                async with copies.dump(admin, database) as dump:
                    yield dump

    async def _database(self, subject: Subject) -> Database:
        engine = subject.kind.engine
        found = None
        if subject.key is not None and engine is not None:
            found = await self._systems.databases.rows.find(DatabaseId(subject.key, engine))
        if found is None:
            raise SystemFailed(f"the {subject} is gone", hint="call again", code="database_gone")
        return found

    async def _copied(self, manifest: Manifest) -> Manifest:
        """The manifest, with whether there is a copy elsewhere now."""
        remote = self._parts.offsite(manifest.offsite)
        try:
            await remote.copy(self._parts.store.path(manifest.name))
        except CodebError as error:
            return replace(manifest, copied=False, problem=error.message)
        return replace(manifest, copied=True, problem="")

    async def _let_go(self) -> list[BackupName]:
        """Copy what could not be copied before, and remove what was kept long enough."""
        for manifest in await self._parts.store.listed():
            if manifest.offsite and not manifest.copied:
                await self._parts.store.record(await self._copied(manifest))
        listed = await self._parts.store.listed()
        gone = expired(listed, self._policy.retention, self._systems.clock.now())
        for manifest in listed:
            if manifest.name in gone:
                if manifest.copied:
                    await self._parts.offsite(manifest.offsite).remove(str(manifest.name))
                await self._parts.store.remove(manifest.name)
        return gone

    async def _forget_replaced(self, project: ProjectName | None) -> None:
        restores = Restores(self._systems)
        rows = await self._systems.databases.rows.list(project)
        for database in (row for row in rows if row.id.engine in self._parts.copies):
            with contextlib.suppress(CodebError):  # a server that is down is told of above
                await restores.forget_expired(database)

    async def _require_room(self, subject: Subject) -> None:
        before = [each for each in await self._parts.store.listed() if each.name.subject == subject]
        needed = room_needed(before, self._policy.free_disk)
        free = await self._parts.store.room()
        if free < needed:
            raise disk_full(f"a backup of the {subject}", "the backups' folder", free, needed)

    def _require_recipients(self) -> None:
        if not self._policy.recipients:
            raise Refused(
                "backups are not set up: there is no key to encrypt them to",
                hint="make one and name its public half in backup_recipients: codeb backup key",
                code="no_recipients",
            )


class BackupsBeforeRemoval:
    """`LastBackups`: what is kept of a database that is removed."""

    def __init__(self, backups: Callable[[], Backups], policy: BackupPolicy) -> None:
        self._backups = backups
        self._policy = policy

    async def take(self, database: Database) -> str:
        """Keep a last backup: where it is, or empty where no backups are set up.

        Raises DataAtRisk when it cannot be taken; then nothing is removed.
        """
        backups = self._backups()
        if not self._policy.recipients or not backups.can_back_up(database.id):
            return ""
        try:
            made = await backups.back_up(database.id, "codeb")
        except CodebError as error:
            raise DataAtRisk(
                f"the last backup of {database.id} failed, so it was not removed: {error.message}",
                hint=error.hint,
                code="last_backup_failed",
            ) from None
        return str(backups.located(made.name))


def _plain(dump: Dump) -> DatabaseDump:
    """A dump of something that is no database."""

    async def facts() -> Facts:
        return ()

    return DatabaseDump(dump, "", facts)


def _project(subject: Subject) -> ProjectName | None:
    return subject.key.project if subject.key else None


def _not_all(failures: list[str], total: int) -> DataAtRisk:
    return DataAtRisk(
        f"{len(failures)} of {total} backups failed: {'; '.join(failures)}",
        hint="the others were made; mend what is named, then call again",
        code="backup_failed",
    )
