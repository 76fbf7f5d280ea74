"""An environment's variables and secrets: set, unset, listed by name, never shown."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import VariableName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import VariablesView, VariableView

RESERVED = frozenset({"PORT"})


class Variables:
    """The variables of this host's environments."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def change(
        self,
        key: EnvironmentKey,
        actor: str,
        *,
        values: Mapping[VariableName, Secret] | None = None,
        file: Path | None = None,
        unset: Iterable[VariableName] = (),
    ) -> VariablesView:
        """Set `values` and those of a `.env` file, unset others, and list what there is now.

        What runs keeps its variables; the next deploy makes a new release of the change.
        """
        systems = self._systems
        changes: dict[VariableName, Secret | None] = dict.fromkeys(unset)
        if file is not None:
            changes |= systems.secrets.read_file(file)
        changes |= values or {}
        if reserved := sorted(RESERVED & changes.keys()):
            raise InvalidRequest(
                f"{', '.join(reserved)} is set by codeb itself",
                hint=f"change the port with codeb config set {key.project} port=8080",
                code="reserved_variable",
            )
        if not changes:
            await systems.registry.project(key.project)
            return await self._view(key, [])
        async with (
            audited(
                systems,
                actor,
                "set_env",
                project=key.project,
                environment=key.environment,
                names=" ".join(sorted(changes)),
            ),
        ):
            await systems.registry.project(key.project)
            async with systems.locks.hold(key, actor, "change its variables"):
                systems.secrets.update(key, changes)
        return await self._view(key, sorted(changes))

    async def _view(self, key: EnvironmentKey, changed: list[VariableName]) -> VariablesView:
        project = await self._systems.registry.project(key.project)
        found = self._systems.secrets.read(key)
        names = found.names if found else frozenset()
        required = set(project.config.env_vars)
        return VariablesView(
            project=key.project,
            environment=key.environment,
            file=self._systems.secrets.path(key),
            variables=[
                VariableView(name=name, required=name in required, set=name in names)
                for name in sorted(names | required)
            ],
            changed=[str(name) for name in changed],
            next=f"deploy project={key.project} environment={key.environment} puts it in force"
            if changed
            else "",
        )
