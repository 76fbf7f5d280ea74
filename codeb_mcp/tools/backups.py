"""Tools for backups of databases."""

from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from codeb_mcp.domain.databases import DatabaseId, Engine
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.backup_views import BackupsView, BackupView, RestoreView
from codeb_mcp.services.backups import Backups
from codeb_mcp.services.restores import RestoreRequest, Restores
from codeb_mcp.tools.answers import actor_of
from codeb_mcp.tools.databases import Type
from codeb_mcp.tools.deploying import Environment, Project, absolute_path, reporting


class BackupTools:
    """`backup_db`, `list_backups` and `restore_db`."""

    def __init__(self, backups: Backups, restores: Restores) -> None:
        self._backups, self._restores = backups, restores

    async def backup_db(
        self,
        ctx: Context,
        project: Project,
        environment: Environment = "staging",
        type: Type = "postgres",  # noqa: A002 - the word that users know
    ) -> BackupView:
        """Back a database up now, encrypted to a key that this server does not have."""
        database = _id(project, environment, type)
        return await self._backups.back_up(database, actor_of(ctx), reporting(ctx))

    async def list_backups(
        self,
        project: Annotated[str | None, Field(description="only this project's")] = None,
    ) -> BackupsView:
        """List the backups, oldest first: which are good, and when each was last tried out."""
        return await self._backups.backups(ProjectName(project) if project else None)

    async def restore_db(
        self,
        ctx: Context,
        project: Project,
        backup: Annotated[str, Field(description="its name, or an absolute path")],
        environment: Environment = "staging",
        type: Type = "postgres",  # noqa: A002
        identity_file: Annotated[
            str | None, Field(description="path of the age key on this server; never the key")
        ] = None,
        plan_digest: Annotated[
            str | None, Field(description="digest of the plan that a person has agreed to")
        ] = None,
    ) -> RestoreView:
        """Put a backup in place of a database's data, which is kept beside it for a week.

        Without plan_digest it only says what would happen. Show that, and its warning, to a
        person first. A failure leaves the present data as it is, and serving.
        """
        database = _id(project, environment, type)
        request = RestoreRequest(
            database, self._backups.located(backup), actor_of(ctx), plan_digest
        )
        if plan_digest is None:
            return await self._restores.plan(request)
        if identity_file is None:
            raise InvalidRequest(
                "the key that opens the backup is needed",
                hint="pass identity_file: the path of the file that age-keygen wrote",
                code="identity_missing",
            )
        identity = absolute_path(identity_file)
        return await self._restores.restore(request, identity, reporting(ctx))


def _id(project: str, environment: str, engine: str) -> DatabaseId:
    key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
    return DatabaseId(key, Engine.parse(engine))
