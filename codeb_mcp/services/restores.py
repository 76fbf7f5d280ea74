"""Restoring a database: beside the present one, compared, then exchanged; the old one is kept."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import anyio

from codeb_mcp.domain.backups import FRESH, OLD, TRIAL, BackupName, Facts, Manifest, Verification
from codeb_mcp.domain.databases import Access, Database, DatabaseId, admin_access
from codeb_mcp.domain.host import fingerprint
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.streams import Opened
from codeb_mcp.errors import (
    CodebError,
    DataAtRisk,
    HostNotReady,
    InvalidRequest,
    Refused,
    StalePlan,
)
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.backup_systems import DatabaseCopies
from codeb_mcp.services.backup_views import RestoreView, VerificationView
from codeb_mcp.services.deployments import OnProgress, Progress, ignore_progress
from codeb_mcp.services.systems import Systems

KEPT_FOR = timedelta(days=7)
"""How long a database that was replaced is kept, unless somebody confirms before."""
STEPS = 5


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """Which backup goes into which database. Without the digest of its plan nothing is done."""

    id: DatabaseId
    path: Path
    actor: str
    plan_digest: str | None = None


class Restores:
    """Restores databases of this host, and tries backups out."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def plan(self, request: RestoreRequest) -> RestoreView:
        """What a restore would do. The backup is not opened for that."""
        database = await self._database(request.id)
        await self._require_confirmed(database)
        return _view(request, database, done=False)

    async def restore(
        self,
        request: RestoreRequest,
        identity: Secret | Path,
        on_progress: OnProgress = ignore_progress,
    ) -> RestoreView:
        """Put a backup in place of the present data, which is kept beside it for a week.

        The backup is read to its end before anything is made. A failure leaves the present data
        as it is, and serving. Raises StalePlan, DataAtRisk, and Refused while an earlier restore
        is not confirmed.
        """
        systems, key = self._systems, request.id.key
        async with (
            audited(
                systems,
                request.actor,
                "restore_db",
                project=key.project,
                environment=key.environment,
                type=request.id.engine,
                backup=request.path.name,
            ),
            systems.locks.hold(key, request.actor, f"restore its {request.id.engine}"),
        ):
            database = await self._database(request.id)
            await self._require_confirmed(database)
            planned = _view(request, database, done=True)
            if request.plan_digest != planned.digest:
                raise StalePlan(
                    f"the restore of {database.id} is not the one that was agreed to",
                    hint=f"look at it again; its digest is {planned.digest} now",
                )
            key_text = (
                self._systems.backups.identity(identity) if isinstance(identity, Path) else identity
            )
            return await self._restore(database, request.path, key_text, planned, on_progress)

    async def _restore(
        self,
        database: Database,
        path: Path,
        identity: Secret,
        planned: RestoreView,
        on_progress: OnProgress,
    ) -> RestoreView:
        copies, admin = self._copies(database), self._admin(database)
        opened = await self._opened(database, path, identity, on_progress)
        try:
            facts = await self._fill(database, opened, identity, FRESH, on_progress)
            _require_equal(opened, facts)
            await on_progress(Progress(4, STEPS, "exchange the two, in one transaction"))
            until = self._systems.clock.now() + KEPT_FOR
            await copies.exchange(admin, database, until)
        except BaseException:
            await self._cleared(database, FRESH)
            raise
        await on_progress(Progress(STEPS, STEPS, f"{database.id} is restored"))
        rows = sum(each.rows for each in facts)
        return planned.model_copy(update={"rows": rows, "kept_until": until})

    async def confirm(
        self, database_id: DatabaseId, actor: str, *, undo: bool = False
    ) -> RestoreView:
        """Remove the data that was replaced; with `undo` put it back instead."""
        systems, key = self._systems, database_id.key
        async with (
            audited(
                systems,
                actor,
                "undo_restore" if undo else "confirm_restore",
                project=key.project,
                environment=key.environment,
                type=database_id.engine,
            ),
            systems.locks.hold(key, actor, "end its restore"),
        ):
            database = await self._database(database_id)
            copies, admin = self._copies(database), self._admin(database)
            if await copies.replaced(admin, database) is None:
                raise InvalidRequest(
                    f"no restore of {database_id} waits to be confirmed",
                    hint=f"see its backups: codeb db backups {key.project}",
                    code="nothing_to_confirm",
                )
            if undo:
                await copies.take_back(admin, database)
            else:
                await copies.discard(admin, database, OLD)
            request = RestoreRequest(database_id, Path(), actor)
            return _view(request, database, done=True).model_copy(update={"undone": undo})

    async def forget_expired(self, database: Database) -> bool:
        """Remove the data that a restore replaced when its time is over; whether it was."""
        copies, admin = self._copies(database), self._admin(database)
        until = await copies.replaced(admin, database)
        if until is None or until > self._systems.clock.now():
            return False
        await copies.discard(admin, database, OLD)
        return True

    async def verify(
        self,
        path: Path,
        identity: Secret,
        actor: str,
        on_progress: OnProgress = ignore_progress,
    ) -> VerificationView:
        """Restore a backup of a database for a trial, beside it, and compare every table.

        What was found is written into its manifest. Raises DataAtRisk when it differs.
        """
        name = BackupName.parse(path.name)
        key = name.subject.key
        if key is None or name.subject.kind.engine is None:
            raise InvalidRequest(
                f"{path.name} is no backup of a database",
                hint=f"open it to its end instead: codeb backup check {path.name}",
                code="not_a_database",
            )
        database = await self._database(DatabaseId(key, name.subject.kind.engine))
        async with audited(self._systems, actor, "verify_backup", backup=path.name):
            opened = await self._opened(database, path, identity, on_progress)
            try:
                facts = await self._fill(database, opened, identity, TRIAL, on_progress)
                _require_equal(opened, facts)
            except CodebError as error:
                await self._record(opened.manifest, ok=False, message=error.message)
                raise
            finally:
                await self._cleared(database, TRIAL)
            compared = "equal" if opened.manifest and opened.manifest.facts else "counted"
            rows = sum(each.rows for each in facts)
            message = f"restored for a trial: {len(facts)} tables, {rows} rows, {compared}"
            await self._record(opened.manifest, ok=True, message=message)
        return VerificationView(name=path.name, kind=name.subject.kind, ok=True, message=message)

    async def _fill(
        self,
        database: Database,
        opened: Opened,
        identity: Secret,
        beside: str,
        on_progress: OnProgress,
    ) -> Facts:
        """Restore into a fresh database beside, and say what is in it then."""
        copies, admin = self._copies(database), self._admin(database)
        await on_progress(Progress(1, STEPS, f"make {database.id.name}{beside}"))
        intake = await copies.fresh(admin, database, beside)

        async def told(detail: str) -> None:
            await on_progress(Progress(2, STEPS, "restore into it", detail))

        await self._systems.backups.store.pour(opened, identity, intake, told)
        await on_progress(Progress(3, STEPS, "compare every table"))
        return await copies.facts(admin, database, beside)

    async def _opened(
        self, database: Database, path: Path, identity: Secret, on_progress: OnProgress
    ) -> Opened:
        async def told(detail: str) -> None:
            await on_progress(Progress(0, STEPS, f"read {path.name} to its end", detail))

        await told("")
        opened = await self._systems.backups.store.open(path, identity, told)
        if opened.kind is None or opened.kind.engine is not database.id.engine:
            raise DataAtRisk(
                f"{path.name} holds no backup of a {database.id.engine.label}",
                hint=f"see its backups: codeb db backups {database.id.key.project}",
                code="wrong_kind",
            )
        return opened

    async def _record(self, manifest: Manifest | None, *, ok: bool, message: str) -> None:
        if manifest is not None:
            found = Verification(self._systems.clock.now(), ok, message)
            await self._systems.backups.store.record(replace(manifest, verified=found))

    async def _cleared(self, database: Database, beside: str) -> None:
        with anyio.CancelScope(shield=True):
            await self._copies(database).discard(self._admin(database), database, beside)

    async def _database(self, database: DatabaseId) -> Database:
        await self._systems.registry.project(database.key.project)
        require_backups_of(self._systems, database)
        found = await self._systems.databases.rows.find(database)
        if found is None:
            raise InvalidRequest(
                f"{database.key} has no {database.engine.label}",
                hint=f"make one: codeb db create {database.key.project} --env "
                f"{database.key.environment} --type {database.engine}",
                code="unknown_database",
            )
        await self._systems.ready()
        return found

    async def _require_confirmed(self, database: Database) -> None:
        until = await self._copies(database).replaced(self._admin(database), database)
        if until is not None:
            raise Refused(
                f"{database.id} was restored before, and the data of then is kept until "
                f"{until:%Y-%m-%d}",
                hint=f"confirm that restore, or undo it: codeb db confirm "
                f"{database.id.key.project} --env {database.id.key.environment} [--undo]",
                code="restore_unconfirmed",
            )

    def _copies(self, database: Database) -> DatabaseCopies:
        return self._systems.backups.copies[database.id.engine]

    def _admin(self, database: Database) -> Access:
        return admin_of(self._systems, database)


def require_backups_of(systems: Systems, database: DatabaseId) -> None:
    """Raise InvalidRequest for an engine whose databases cannot be backed up."""
    if database.engine not in systems.backups.copies:
        raise InvalidRequest(
            f"backups of {database.engine.label} are not made yet",
            hint="back up its volume with the tools of Redis",
            code="no_backups_of_engine",
        )


def admin_of(systems: Systems, database: Database) -> Access:
    """How codeb signs in at the database's server."""
    password = systems.databases.passwords.read(database.server)
    if password is None:
        raise HostNotReady(
            f"the password of {database.server} is not kept here",
            hint=f"make the database anew: codeb db create {database.id.key.project}",
            code="password_missing",
        )
    return admin_access(database, password)


def _require_equal(opened: Opened, found: Facts) -> None:
    wanted = opened.manifest.facts if opened.manifest else ()
    if wanted and wanted != found:
        differing = sorted({each.table for each in set(wanted) ^ set(found)})
        raise DataAtRisk(
            f"{opened.path.name} restores to other data than was backed up: "
            f"{', '.join(differing[:5])}",
            hint="take an earlier backup; nothing was exchanged",
            code="backup_differs",
        )


def _view(request: RestoreRequest, database: Database, *, done: bool) -> RestoreView:
    key, source, taken = database.id.key, "", None
    try:
        name = BackupName.parse(request.path.name)
        source, taken = str(name.subject.key or ""), name.taken
    except InvalidRequest:
        pass  # a file may be called anything
    foreign = bool(source) and source != str(key)
    place = f"{database.id.engine.label} of {key}"
    return RestoreView(
        project=key.project,
        environment=key.environment,
        type=database.id.engine,
        backup=request.path.name,
        source=source,
        taken=taken,
        warning=f"this is the data of {source}, and goes into {key}" if foreign else "",
        steps=[
            f"decrypt {request.path.name} to its end and check it",
            f"restore it beside the {place}, and compare every table",
            "exchange the two; whoever is connected has to connect again",
            f"keep the present data for {KEPT_FOR.days} days, or until it is confirmed",
        ],
        digest=fingerprint([str(request.path), str(database), database.port, source]),
        done=done,
    )
