"""What the use cases of databases give back."""

from collections.abc import Sequence
from typing import Self

from pydantic import Field

from codeb_mcp.domain.confinement import memory_text
from codeb_mcp.domain.databases import Database, PreviewTemplate
from codeb_mcp.services.views import View


class DatabaseView(View):
    """A database of an environment. Its URL is in a variable of the environment, and not here."""

    project: str
    environment: str
    type: str
    mode: str
    version: str
    name: str = Field(description="of the database and its role, or of the ACL user")
    host: str = Field(description="what the environment's containers call it")
    port: int = Field(description="on 127.0.0.1 of the server")
    memory: str | None
    image: str
    variable: str = Field(description="the environment's variable that holds the URL")
    status: str = Field(description="running, stopped, unreachable, or unknown where not asked")
    reason: str = ""
    changed: bool = False
    next: str = ""

    @classmethod
    def of(cls, database: Database, status: str = "unknown", reason: str = "") -> Self:
        """The view of `database`."""
        return cls(
            project=database.id.key.project,
            environment=database.id.key.environment,
            type=database.id.engine,
            mode=database.mode,
            version=database.version,
            name=database.id.name,
            host=database.server.host,
            port=database.port,
            memory=memory_text(database.memory) if database.memory else None,
            image=database.image,
            variable=database.id.engine.variable,
            status=status,
            reason=reason,
        )


class TemplateView(View):
    """A database that each preview of a project gets."""

    project: str
    type: str
    mode: str
    version: str
    memory: str | None

    @classmethod
    def of(cls, template: PreviewTemplate) -> Self:
        """The view of `template`."""
        return cls(
            project=template.project,
            type=template.engine,
            mode=template.mode,
            version=template.version,
            memory=memory_text(template.memory) if template.memory else None,
        )


class DatabasesView(View):
    """Databases, and what previews get."""

    databases: list[DatabaseView]
    previews: Sequence[TemplateView] = Field(default_factory=list)


class DatabaseRemovalView(View):
    """What is removed with a database, or was."""

    project: str
    environment: str
    type: str
    removed: bool
    digest: str = Field(description="pass it as plan_digest to remove exactly this")
    steps: list[str]
    backup: str = Field(default="", description="the last backup, where one was taken")
