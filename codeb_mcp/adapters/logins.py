"""Logins at image registries: checked over the network, kept in a file."""

from codeb_mcp.adapters.auth_file import AuthFile
from codeb_mcp.adapters.registry_api import RegistryApi
from codeb_mcp.domain.registries import Login, RegistryName


class RegistryLoginFile(AuthFile):
    """The file, and the registries that it is for."""

    async def check(self, registry: RegistryName, login: Login) -> None:
        """Raise InvalidRequest when the registry refuses it, SystemFailed when it is silent."""
        await RegistryApi(self).check(registry, login)
