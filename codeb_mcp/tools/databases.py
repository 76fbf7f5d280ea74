"""Tools for databases."""

from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from codeb_mcp.domain.confinement import parse_memory
from codeb_mcp.domain.databases import DatabaseId, Engine, Mode
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.services.database_removal import DatabaseRemovals
from codeb_mcp.services.database_views import DatabaseRemovalView, DatabasesView, DatabaseView
from codeb_mcp.services.databases import DatabaseCare, DatabaseRequest
from codeb_mcp.tools.answers import actor_of
from codeb_mcp.tools.deploying import Environment, Project, reporting

Type = Annotated[str, Field(description="postgres or redis")]


class DatabaseTools:
    """`create_db`, `list_databases` and `remove_database`."""

    def __init__(self, care: DatabaseCare, removals: DatabaseRemovals) -> None:
        self._care, self._removals = care, removals

    async def create_db(
        self,
        ctx: Context,
        project: Project,
        environment: Environment = "staging",
        type: Type = "postgres",  # noqa: A002 - the word that users know
        shared: Annotated[
            bool | None,
            Field(description="in the server that projects share; default: one of its own"),
        ] = None,
        version: Annotated[str | None, Field(description="such as 17; default: newest")] = None,
        memory: Annotated[
            str | None, Field(description="limit of a dedicated server, such as 512m")
        ] = None,
    ) -> DatabaseView:
        """Give an environment a PostgreSQL or Redis; the URL becomes DATABASE_URL or REDIS_URL.

        The URL is in the environment's variables and never in a result. Deploy afterwards. Called
        again it changes nothing, or finishes what was interrupted.
        """
        mode = None if shared is None else Mode.SHARED if shared else Mode.DEDICATED
        limit = parse_memory(memory) if memory else None
        database = _id(project, environment, type)
        request = DatabaseRequest(database, actor_of(ctx), mode, version, limit)
        return await self._care.create(request, reporting(ctx))

    async def list_databases(
        self,
        project: Annotated[str | None, Field(description="only this project's")] = None,
    ) -> DatabasesView:
        """List the databases, each asked how it is."""
        return await self._care.status(ProjectName(project) if project else None)

    async def remove_database(
        self,
        ctx: Context,
        project: Project,
        environment: Environment = "staging",
        type: Type = "postgres",  # noqa: A002
        plan_digest: Annotated[
            str | None, Field(description="digest of what a person has agreed to remove")
        ] = None,
    ) -> DatabaseRemovalView:
        """Remove a database with its data, after a last backup where backups are set up.

        Without plan_digest it only says what would go. Show that to a person first.
        """
        database = _id(project, environment, type)
        return await self._removals.remove(database, actor_of(ctx), plan_digest)


def _id(project: str, environment: str, engine: str) -> DatabaseId:
    key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
    return DatabaseId(key, Engine.parse(engine))
