"""MCP resources and prompts: read-only views of the registry, the rules and the port map."""

import json
from collections.abc import Callable

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.mcpserver.prompts import Prompt

from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.resources.files import read_text
from codeb_mcp.services.healing import Healing
from codeb_mcp.services.ports import Ports
from codeb_mcp.services.projects import Projects

LONGEST_SOURCE = 500
MOST_HEALS = 50


def register_resources(
    server: MCPServer, projects: Projects, ports: Ports, healing: Callable[[], Healing]
) -> None:
    """Register every resource."""

    @server.resource(
        "codeb://registry",
        name="registry",
        description="every project, its environments, ports and live releases, as JSON",
        mime_type="application/json",
    )
    async def registry() -> str:
        return json.dumps(await projects.document(), indent=2)

    @server.resource(
        "codeb://registry/{project}",
        name="registry-project",
        description="one project's part of the registry, as JSON",
        mime_type="application/json",
    )
    async def registry_project(project: str) -> str:
        try:
            document = await projects.document(ProjectName(project))
        except InvalidRequest as error:
            raise ResourceNotFoundError(str(error)) from None
        return json.dumps(document, indent=2)

    @server.resource(
        "codeb://ports",
        name="ports",
        description="the port map and every port that is handed out, as JSON",
        mime_type="application/json",
    )
    async def port_map() -> str:
        return (await ports.list()).model_dump_json(indent=2)

    @server.resource(
        "codeb://incidents",
        name="incidents",
        description="failures that were healed, or not, newest first, as JSON",
        mime_type="application/json",
    )
    async def incidents() -> str:
        return (await healing().history(MOST_HEALS)).model_dump_json(indent=2)

    @server.resource(
        "codeb://rules",
        name="rules",
        description="the deployment rules: what may and may not be done to make a build pass",
        mime_type="text/markdown",
    )
    async def rules() -> str:
        return read_text("rules", "DEPLOYMENT_RULES.md")


def register_prompts(server: MCPServer) -> None:
    """Register every prompt."""

    def deploy_staging(project: str, source: str = "the project's folder") -> str:
        return _filled("deploy_staging", project=ProjectName(project), source=source)

    def heal_build(repository: str, log: str) -> str:
        return _filled("heal_build", repository=repository, log=log)

    def investigate_outage(project: str, environment: str = "production") -> str:
        return _filled(
            "investigate_outage",
            project=ProjectName(project),
            environment=EnvironmentName(environment),
        )

    def review_fix(repository: str, branch: str) -> str:
        return _filled("review_fix", repository=repository, branch=branch)

    for prompt, title, description in (
        (
            deploy_staging,
            "Deploy to staging",
            "deploy a project to staging and show that it answers",
        ),
        (heal_build, "Heal a build", "find why a build failed and have it fixed, honestly"),
        (
            investigate_outage,
            "Investigate an outage",
            "find out why an environment does not answer, and what to do",
        ),
        (review_fix, "Review a fix", "decide whether a fix that was proposed may be merged"),
    ):
        server.add_prompt(
            Prompt.from_function(prompt, name=prompt.__name__, title=title, description=description)
        )


def _filled(name: str, **values: str) -> str:
    """A prompt with its arguments, each on one line."""
    template = read_text("prompts", f"{name}.md")
    for key, value in values.items():
        if len(value) > LONGEST_SOURCE or not value.isprintable():
            raise ValueError(f"{key} must be one printable line")
        template = template.replace(f"{{{key}}}", value)
    return template
