"""What every ServerHost does with files. Inherit and give `host` and `place`, a path that is empty.

Accounts, packages and units are the whole machine's: what is done with those is shown on a real
server, from bare.
"""

from dataclasses import replace

import pytest

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.server import (
    Choices,
    Folder,
    Found,
    HostFile,
    Permissions,
    Wanted,
)
from codeb_mcp.errors import Locked, Refused
from codeb_mcp.planning.server_wanted import wanted_server
from codeb_mcp.services.server_setup import ServerHost
from tests.fakes.server import fresh_survey


def wanted_of(*things: HostFile | Folder, links: dict[str, str] | None = None) -> Wanted:
    """A server of which nothing is wanted but these."""
    choices = Choices(domain=DomainName("example.com"), dns="none", caddy_admin="unix//nowhere")
    return replace(
        wanted_server(choices, fresh_survey(), Secret("key")),
        packages=(),
        links=links or {},
        files=tuple(each for each in things if isinstance(each, HostFile)),
        folders=tuple(each for each in things if isinstance(each, Folder)),
        units=(),
    )


class ServerHostContract:
    """Each test begins with an empty place."""

    async def _look(self, host: ServerHost, *things: HostFile | Folder) -> Found:
        return await host.look(wanted_of(*things))

    async def test_what_is_not_there_is_left_out(
        self, host: ServerHost, place: str, own: Permissions
    ) -> None:
        found = await self._look(host, HostFile(f"{place}/none", "", own))
        assert dict(found.paths) == {}

    async def test_file_is_found_as_it_was_written(
        self, host: ServerHost, place: str, own: Permissions
    ) -> None:
        file = HostFile(f"{place}/secret.conf", "key=ü\n", replace(own, mode=0o600))
        await host.write_file(file)
        there = (await self._look(host, file)).paths[file.path]
        assert (there.text, there.permissions) == (file.text, file.permissions)

    async def test_file_written_again_has_the_new_text_and_permissions_and_is_newer(
        self, host: ServerHost, place: str, own: Permissions
    ) -> None:
        first = HostFile(f"{place}/unit", "one\n", replace(own, mode=0o600))
        second = HostFile(f"{place}/unit", "two\n", replace(own, mode=0o644))
        await host.write_file(first)
        before = (await self._look(host, first)).paths[first.path]
        await host.write_file(second)
        there = (await self._look(host, second)).paths[second.path]
        assert (there.text, there.permissions) == (second.text, second.permissions)
        assert there.changed_at > before.changed_at

    async def test_folder_is_made_and_made_again_with_other_permissions(
        self, host: ServerHost, place: str, own: Permissions
    ) -> None:
        for mode in (0o755, 0o710, 0o710):
            folder = Folder(f"{place}/home", replace(own, mode=mode))
            await host.make_folder(folder)
            inside = HostFile(f"{place}/home/kept", "kept\n", replace(own, mode=0o644))
            if mode == 0o755:
                await host.write_file(inside)
            found = await self._look(host, folder, inside)
            assert found.paths[folder.path].permissions == folder.permissions
            assert found.paths[inside.path].text == "kept\n"

    async def test_link_is_made_and_led_elsewhere(self, host: ServerHost, place: str) -> None:
        path = f"{place}/command"
        for target in ("/opt/one", "/opt/two", "/opt/two"):
            await host.make_link(path, target)
            assert (await host.look(wanted_of(links={path: target}))).links == {path: target}

    async def test_link_does_not_replace_a_file(
        self, host: ServerHost, place: str, own: Permissions
    ) -> None:
        file = HostFile(f"{place}/command", "mine\n", replace(own, mode=0o755))
        await host.write_file(file)
        with pytest.raises(Refused):
            await host.make_link(file.path, "/opt/one")
        assert (await self._look(host, file)).paths[file.path].text == "mine\n"

    async def test_second_who_wants_it_alone_is_told_until_the_first_has_ended(
        self, host: ServerHost
    ) -> None:
        async with host.alone():
            with pytest.raises(Locked):
                async with host.alone():
                    pytest.fail("two at once")
        async with host.alone():
            pass
