"""A project's settings: looked at and changed. What runs keeps those it was started with."""

from codeb_mcp.domain.names import ProjectName
from codeb_mcp.planning.configuration import Settings, changed_config, settings_of
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import ConfigView


class Configuration:
    """The settings of this host's projects."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def change(self, name: ProjectName, actor: str, settings: Settings) -> ConfigView:
        """Put `settings` in force with the next deploy, and say what there is now.

        A volume that is taken away stays with its data until its environment is removed.
        """
        registry = self._systems.registry
        before = settings_of((await registry.project(name)).config)
        if not settings:
            return ConfigView(project=name, settings=before, changed=[], next="")
        async with audited(self._systems, actor, "configure", project=name, **dict(settings)):
            config = changed_config((await registry.project(name)).config, settings)
            await registry.change_config(name, config)
        after = settings_of(config)
        changed = [key for key in settings if before.get(key) != after.get(key)]
        return ConfigView(
            project=name,
            settings=after,
            changed=changed,
            next=f"deploy project={name} puts it in force in each environment" if changed else "",
        )
