"""The MCP server: tools, resources and prompts over the use cases."""

import inspect
from typing import Any

from mcp.server import MCPServer
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp_types import CallToolResult, InputRequiredResult, ToolAnnotations
from mcp_types import Tool as MCPTool
from pydantic import ValidationError

from codeb_mcp import __version__
from codeb_mcp.resources import register_prompts, register_resources
from codeb_mcp.resources.files import read_text
from codeb_mcp.server.refusals import (
    bounded_errors,
    unknown_arguments,
    unknown_tool,
    wrong_arguments,
)
from codeb_mcp.tools.answers import answering, readable
from codeb_mcp.tools.backups import BackupTools
from codeb_mcp.tools.confirming import Autonomy, before_removing
from codeb_mcp.tools.databases import DatabaseTools
from codeb_mcp.tools.deploying import DeployTool, EnvTool, InitTool, RemoveTool, RollbackTool
from codeb_mcp.tools.domains import CertificateTool, DomainTools
from codeb_mcp.tools.healing import HealTool
from codeb_mcp.tools.networking import DnsTool, PortTool
from codeb_mcp.tools.reading import LogTool, ProjectTools
from codeb_mcp.tools.upkeep import CollectTool, PreviewTools, ReconcileTool
from codeb_mcp.tools.vetting import VetTool
from codeb_mcp.wiring import Application

READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
ADDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
READS_THE_WORLD = READS.model_copy(update={"open_world_hint": True})
ADDS_IN_THE_WORLD = ADDS.model_copy(update={"open_world_hint": True})
ADDS_ONCE = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
REPLACES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
)

# what it leaves is a commit, which can be taken back
HEALS = ADDS_ONCE.model_copy(update={"open_world_hint": True})


class CodebServer(MCPServer):
    """The server, with a terse tool list, and calls that are refused in words of codeb's own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._arguments: dict[str, tuple[str, ...]] = {}

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool. An argument that it does not take is refused, not passed over."""
        if not self._arguments:
            tools = await super().list_tools()
            self._arguments = {each.name: tuple(each.input_schema["properties"]) for each in tools}
        if name not in self._arguments:
            raise ToolError(readable(unknown_tool(name, self._arguments)))
        if not arguments.keys() <= set(self._arguments[name]):
            error = unknown_arguments(name, arguments, self._arguments[name])
            raise ToolError(readable(error))
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError) and not isinstance(error, UnexpectedToolError):
                raise ToolError(readable(wrong_arguments(name, cause))) from None
            raise

    async def list_tools(self) -> list[MCPTool]:
        """The tools, their schemas without generated titles."""
        tools = await super().list_tools()
        for tool in tools:
            # an argument that no tool takes is refused: see `call_tool`
            tool.input_schema = {
                **_without_titles(tool.input_schema),
                "additionalProperties": False,
            }
            if tool.output_schema is not None:
                tool.output_schema = _without_titles(tool.output_schema)
        return tools


def _without_titles(schema: dict[str, object]) -> dict[str, object]:
    """The schema without the titles that pydantic makes up; a property may be called `title`."""
    kept = {key: value for key, value in schema.items() if key != "title"}
    return {key: _cleaned(key, value) for key, value in kept.items()}


def _cleaned(key: str, value: object) -> object:
    if isinstance(value, dict):
        if key in ("properties", "$defs"):
            return {name: _without_titles(each) for name, each in value.items()}
        return _without_titles(value)
    if isinstance(value, list):
        return [_without_titles(each) if isinstance(each, dict) else each for each in value]
    return value


def build_server(
    application: Application,
    *,
    token_verifier: TokenVerifier | None = None,
    auth: AuthSettings | None = None,
) -> MCPServer:
    """The server for one host. `token_verifier` and `auth` belong to the HTTP transports."""
    server = CodebServer(
        name="codeb",
        title="codeb",
        version=__version__,
        instructions=read_text("prompts", "instructions.md"),
        token_verifier=token_verifier,
        auth=auth,
        log_level="WARNING",
        middleware=[bounded_errors],
    )
    autonomy = Autonomy(application.systems.host.agent_may_deploy)
    projects = ProjectTools(application.projects)
    domains = DomainTools(application.custom_domains)
    databases = DatabaseTools(application.databases, application.database_removals)
    backups = BackupTools(application.backups, application.restores)
    previews = PreviewTools(application.previews)
    for tool, annotations in (
        (autonomy.before_deploy(DeployTool(application.deployments).deploy), REPLACES),
        (autonomy.before_rollback(RollbackTool(application.deployments).rollback), REPLACES),
        (EnvTool(application.variables).set_env, REPLACES),
        (before_removing(RemoveTool(application.removals).remove_environment), REPLACES),
        (previews.list_previews, READS),
        (previews.remove_preview, REPLACES),
        (previews.prune_previews, REPLACES),
        (before_removing(CollectTool(application.collection).collect_garbage), REPLACES),
        (ReconcileTool(application.reconciliation).reconcile, REPLACES),
        (projects.get_status, READS),
        (LogTool(application.logs).read_logs, READS),
        (projects.list_projects, READS),
        (InitTool(application.projects).init_project, ADDS_ONCE),
        (PortTool(application.ports).allocate_port, ADDS),
        (DnsTool(application.domains).create_dns, REPLACES),
        (backups.backup_db, ADDS_ONCE),
        (backups.list_backups, READS),
        (backups.restore_db, REPLACES),
        (VetTool(application.vetting).vet_fix, READS),
        (HealTool(lambda: application.project_healing).heal, HEALS),
        (domains.add_domain, ADDS_IN_THE_WORLD),
        (domains.list_domains, READS_THE_WORLD),
        (before_removing(domains.remove_domain), REPLACES),
        (databases.create_db, ADDS),
        (databases.list_databases, READS),
        (before_removing(databases.remove_database), REPLACES),
        (CertificateTool(application.certificates).renew_certificate, REPLACES),
    ):
        server.add_tool(
            answering(tool),
            # without the indentation that Pythons before 3.13 leave in a docstring
            description=inspect.getdoc(tool),
            annotations=annotations,
            structured_output=True,
        )
    register_resources(server, application.projects, application.ports, lambda: application.healing)
    register_prompts(server)
    return server
