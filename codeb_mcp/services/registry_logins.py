"""Logging in at image registries, so that their private images can be pulled."""

from codeb_mcp.domain.registries import Login, RegistryName
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import LoginsView


class RegistryLogins:
    """The registry logins of this host's account."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def login(self, registry: RegistryName, login: Login, actor: str) -> LoginsView:
        """Keep a login once the registry has taken it; one that is refused is not kept."""
        systems = self._systems
        async with audited(systems, actor, "login", registry=registry, user=login.user):
            await systems.logins.check(registry, login)
            systems.logins.save(registry, login)
        return LoginsView(registries=systems.logins.registries())

    async def logout(self, registry: RegistryName, actor: str) -> LoginsView:
        """Forget a login. Raises InvalidRequest when there is none."""
        systems = self._systems
        async with audited(systems, actor, "logout", registry=registry):
            if not systems.logins.forget(registry):
                known = ", ".join(systems.logins.registries()) or "none"
                raise InvalidRequest(
                    f"there is no login at {registry}",
                    hint=f"those there are: {known}",
                    code="not_logged_in",
                )
        return LoginsView(registries=systems.logins.registries())
