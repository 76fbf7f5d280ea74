"""Tools that make and change projects."""

from pathlib import Path
from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from codeb_mcp.domain.lifetime import IdempotencyKey, Lifetime
from codeb_mcp.domain.names import (
    EnvironmentName,
    HealthPath,
    ImageReference,
    ProjectName,
    VariableName,
    VersionTag,
    shown,
)
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.deployments import (
    Deployments,
    DeployRequest,
    OnProgress,
    Progress,
    RollbackRequest,
)
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.removals import RemovalRequest, Removals
from codeb_mcp.services.variables import Variables
from codeb_mcp.services.views import DeployView, InitView, RemovalView, VariablesView
from codeb_mcp.tools.answers import actor_of

Project = Annotated[str, Field(description="project name, such as my-shop")]
Environment = Annotated[
    str, Field(description="production, staging, or pr-N for the preview of pull request N")
]
Wait = Annotated[
    float,
    Field(description="seconds to wait while someone else changes the environment", ge=0, le=3600),
]
Key = Annotated[
    str | None,
    Field(description="your name for this request: sent again, it is not carried out again"),
]


def source_of(image: str | None, source: str | None) -> ImageReference | Path:
    """The one of the two that was given."""
    if (image is None) == (source is None):
        raise InvalidRequest(
            "exactly one of image and source is needed",
            hint="pass image=registry/name:tag or source=/absolute/path with a Containerfile",
            code="invalid_source",
        )
    if image is not None:
        return ImageReference(image)
    return absolute_path(source or "")


def absolute_path(text: str) -> Path:
    """`text` as a path that means the same whatever folder the server was started in."""
    path = Path(text)
    if not path.is_absolute() or "\0" in text:
        raise InvalidRequest(
            f"{shown(text)} is not an absolute path",
            hint="pass the whole path on the server",
            code="invalid_path",
        )
    return path


def reporting(ctx: Context) -> OnProgress:
    """Progress as notifications, which must strictly increase, also when a plan is made anew."""
    done = -1.0

    async def report(progress: Progress) -> None:
        nonlocal done
        done = max(done + (0.0001 if progress.detail else 0.01), float(progress.done))
        message = f"{progress.message}: {progress.detail}" if progress.detail else progress.message
        await ctx.report_progress(done, max(done, float(progress.total)), message)

    return report


class DeployTool:
    """`deploy`."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    async def deploy(
        self,
        ctx: Context,
        project: Project,
        environment: Environment = "staging",
        image: Annotated[
            str | None, Field(description="image to pull, such as ghcr.io/org/app:v1.2.3")
        ] = None,
        source: Annotated[
            str | None,
            Field(description="instead of image: absolute path of a folder to build"),
        ] = None,
        version: Annotated[
            str | None, Field(description="name of this release; default: the image's tag")
        ] = None,
        dry_run: Annotated[
            bool, Field(description="only say what would change; nothing that serves is touched")
        ] = False,
        plan_digest: Annotated[
            str | None,
            Field(description="digest of a dry run: refuse to do anything but that plan"),
        ] = None,
        ttl: Annotated[
            str | None, Field(description="how long a preview lives: 12h, 7d, 2w or never")
        ] = None,
        wait: Wait = 0,
        idempotency_key: Key = None,
    ) -> DeployView:
        """Put an image, or a folder with a Containerfile, into an environment without downtime.

        The release starts beside the one that serves, is health-checked there, and gets the
        traffic only then. If it is not healthy it is removed and the error holds its last log
        lines; the old one has served throughout. An unchanged deploy changes nothing. The
        application must listen on the port in its PORT variable.
        """
        request = DeployRequest(
            key=EnvironmentKey(ProjectName(project), EnvironmentName(environment)),
            source=source_of(image, source),
            actor=actor_of(ctx),
            version=VersionTag(version) if version else None,
            dry_run=dry_run,
            plan_digest=plan_digest,
            ttl=Lifetime.parse(ttl) if ttl else None,
            wait=wait,
            idempotency_key=IdempotencyKey(idempotency_key) if idempotency_key else None,
        )
        return await self._deployments.deploy(request, reporting(ctx))


class RollbackTool:
    """`rollback`."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    async def rollback(
        self,
        ctx: Context,
        project: Project,
        environment: Environment = "staging",
        to: Annotated[
            str | None,
            Field(description="release number or version; default: the one before the live one"),
        ] = None,
        dry_run: Annotated[bool, Field(description="only say what would change")] = False,
        plan_digest: Annotated[
            str | None,
            Field(description="digest of a dry run: refuse to do anything but that plan"),
        ] = None,
        wait: Wait = 0,
        idempotency_key: Key = None,
    ) -> DeployView:
        """Put an earlier release back, in the same careful way as a deploy.

        Only a release that has served before, and whose image is kept, can be gone back to. It
        becomes a new release with the environment's present variables, unless it still runs.
        """
        request = RollbackRequest(
            key=EnvironmentKey(ProjectName(project), EnvironmentName(environment)),
            actor=actor_of(ctx),
            to=to,
            dry_run=dry_run,
            plan_digest=plan_digest,
            wait=wait,
            idempotency_key=IdempotencyKey(idempotency_key) if idempotency_key else None,
        )
        return await self._deployments.rollback(request, reporting(ctx))


class EnvTool:
    """`set_env`."""

    def __init__(self, variables: Variables) -> None:
        self._variables = variables

    async def set_env(
        self,
        ctx: Context,
        project: Project,
        environment: Environment = "staging",
        file: Annotated[
            str | None,
            Field(description="absolute path of a .env file on the server to take values from"),
        ] = None,
        unset: Annotated[
            list[str] | None, Field(description="names of variables to remove")
        ] = None,
    ) -> VariablesView:
        """Set an environment's variables from a file on the server, unset some, or list them.

        Takes names and a file, never values: a secret does not belong in a conversation.
        Without file and unset it lists the names. The next deploy makes a new release of it.
        """
        key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
        names = tuple(VariableName(name) for name in unset or ())
        path = absolute_path(file) if file is not None else None
        return await self._variables.change(key, actor_of(ctx), file=path, unset=names)


class RemoveTool:
    """`remove_environment`."""

    def __init__(self, removals: Removals) -> None:
        self._removals = removals

    async def remove_environment(
        self,
        ctx: Context,
        project: Project,
        environment: Annotated[str, Field(description="production, staging or pr-N")],
        plan_digest: Annotated[
            str | None,
            Field(description="digest of the plan that a person has agreed to"),
        ] = None,
        volumes: Annotated[
            bool | None,
            Field(description="remove volumes with their data; default: those of a preview only"),
        ] = None,
    ) -> RemovalView:
        """Take an environment down: containers, route, records, images, ports and history.

        Without plan_digest it only says what would go: show that to a person, and pass the
        plan's digest when they agree.
        """
        key = EnvironmentKey(ProjectName(project), EnvironmentName(environment))
        request = RemovalRequest(key, actor_of(ctx), plan_digest, volumes)
        return await self._removals.remove(request, reporting(ctx))


class InitTool:
    """`init_project`."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def init_project(
        self,
        ctx: Context,
        project: Project,
        type: Annotated[  # noqa: A002 - the argument's name is what agents and the registry say
            str | None,
            Field(
                description="nextjs, node, python, static, go, dockerfile or image; "
                "default: what the source is, else dockerfile"
            ),
        ] = None,
        source: Annotated[
            str | None,
            Field(
                description="absolute path of its source folder: writes a Containerfile, "
                ".containerignore and .mcp.json there where they are missing, and in a git "
                "repository CI workflows and Claude Code's guard hook"
            ),
        ] = None,
        repository: Annotated[str, Field(description="URL of its git repository")] = "",
        health_check: Annotated[
            str, Field(description="path that answers 2xx or 3xx when healthy")
        ] = "/",
        port: Annotated[
            int | None,
            Field(description="port it listens on; default: the image's own, or 8080 (PORT)"),
        ] = None,
        build_command: str | None = None,
        start_command: Annotated[
            str | None, Field(description="instead of the image's own command")
        ] = None,
        env_vars: Annotated[
            list[str] | None, Field(description="names of variables that a deploy must have")
        ] = None,
    ) -> InitView:
        """Register a project, before its first deploy. The same again changes nothing.

        Without source nothing is written; a file that is there is never replaced.
        """
        new = NewProject(
            name=ProjectName(project),
            type=ProjectType.parse(type) if type is not None else None,
            repository=repository,
            build_command=build_command,
            start_command=start_command,
            health_check=HealthPath(health_check),
            env_vars=tuple(VariableName(name) for name in env_vars or ()),
            port=port,
        )
        folder = absolute_path(source) if source is not None else None
        return await self._projects.init(new, actor_of(ctx), folder)
