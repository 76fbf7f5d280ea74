"""MCP resources and prompts: read-only views of the registry, the rules and the port map."""

import json

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.mcpserver.prompts import Prompt

from codeb_mcp.domain.names import ProjectName
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.resources.files import read_text
from codeb_mcp.services.ports import Ports
from codeb_mcp.services.projects import Projects

LONGEST_SOURCE = 500


def register_resources(server: MCPServer, projects: Projects, ports: Ports) -> None:
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
        if len(source) > LONGEST_SOURCE or not source.isprintable():
            raise ValueError("source must be one printable line")
        template = read_text("prompts", "deploy_staging.md")
        return template.replace("{project}", ProjectName(project)).replace("{source}", source)

    server.add_prompt(
        Prompt.from_function(
            deploy_staging,
            name="deploy_staging",
            title="Deploy to staging",
            description="deploy a project to staging and show that it answers",
        )
    )
