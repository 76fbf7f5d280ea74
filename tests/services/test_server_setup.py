"""Setting a server up, on one in memory: from bare, interrupted anywhere, and again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.server import Account, Choices, FoundAccount, OwnersNameServer, Program
from codeb_mcp.errors import Locked, StalePlan, SystemFailed
from codeb_mcp.planning.server_setup import ServerPlan
from codeb_mcp.services.server_setup import ServerSetup
from codeb_mcp.services.server_views import ServerPlanView
from tests.fakes.server import FakeServer, fresh_survey

DOMAIN = Choices(domain=DomainName("example.com"))
SAME = Choices()


class PowerCut(BaseException):
    """The process is gone: nothing of it runs any more."""


class Interrupted:
    """A server whose power is cut right before or right after the step of that number."""

    def __init__(self, server: FakeServer, step: int, *, after: bool) -> None:
        self._server, self._left, self._after = server, step, after

    def __getattr__(self, name: str) -> Any:
        real: Callable[..., Any] = getattr(self._server, name)
        if name in ("alone", "survey", "look"):
            return real

        async def step(*words: Any, **more: Any) -> None:
            self._left -= 1
            if self._left < 0 and not self._after:
                raise PowerCut
            await real(*words, **more)
            if self._left < 0:
                raise PowerCut

        return step


def setup_of(host: Any, key: str = "first-key") -> ServerSetup:
    return ServerSetup(host, lambda: Secret(key))


async def carried_out(host: Any, choices: Choices = DOMAIN, key: str = "first-key") -> ServerPlan:
    setup = setup_of(host, key)
    return await setup.carry_out(choices, (await setup.plan(choices)).digest)


async def test_fresh_server_is_set_up_and_a_second_time_nothing_is_done() -> None:
    server = FakeServer()
    assert await carried_out(server)
    assert (await setup_of(server).plan(SAME)).steps == ()
    assert all(part.right for part in await setup_of(server).check(SAME))
    server.done.clear()
    await carried_out(server)
    assert server.done == []


async def _steps() -> int:
    return len((await setup_of(FakeServer()).plan(DOMAIN)).steps)


async def test_power_cut_before_or_after_any_step_is_healed_by_the_next_run() -> None:
    steps = await _steps()
    assert steps > 20
    for number in range(steps):
        for after in (False, True):
            server = FakeServer()
            with pytest.raises(PowerCut):
                await carried_out(Interrupted(server, number, after=after))
            # a key that was drawn and not yet used is drawn anew
            await carried_out(server, key="another-key")
            assert (await setup_of(server, "third-key").plan(SAME)).steps == (), number


async def test_power_cut_at_every_run_still_gets_there() -> None:
    server = FakeServer(gives_ids=False)
    for _ in range(await _steps() + 5):
        try:
            await carried_out(Interrupted(server, 0, after=True))
        except PowerCut:
            continue
        break
    assert (await setup_of(server).plan(SAME)).steps == ()


async def test_ids_that_useradd_did_not_give_are_given_in_the_same_run() -> None:
    server = FakeServer(gives_ids=False)
    await carried_out(server)
    assert server.done.count("add_subordinate_ids") == 1


async def test_codeb_of_root_alone_is_installed_for_every_account() -> None:
    program = Program("/opt/codeb", "0.1.0", source="file:///root/codeb")
    server = FakeServer(replace(fresh_survey(), program=program))
    await carried_out(server)
    assert server.program_version == "0.1.0"


async def test_account_of_that_name_is_adopted_with_its_home() -> None:
    account = FoundAccount(Account("codeb", 1234, "/srv/codeb"), False, True, True)
    server = FakeServer(replace(fresh_survey(), account=account))
    await carried_out(server)
    assert "create_account" not in server.done
    assert "/run/user/1234/podman/podman.sock" in server.paths
    assert "/srv/codeb/.local/state/codeb/config.toml" in server.paths


async def test_plan_that_no_longer_fits_is_refused() -> None:
    server = FakeServer()
    digest = (await setup_of(server).plan(DOMAIN)).digest
    server.packages.add("podman")
    with pytest.raises(StalePlan):
        await setup_of(server).carry_out(DOMAIN, digest)
    assert server.done == []


async def test_second_set_up_at_the_same_time_is_refused() -> None:
    server = FakeServer()
    async with server.alone():
        with pytest.raises(Locked):
            await carried_out(server)
    assert server.done == []
    await carried_out(server)


async def test_failure_of_a_step_ends_the_run_and_the_next_goes_on() -> None:
    class Offline(FakeServer):
        online = False

        async def install_packages(self, names: tuple[str, ...]) -> None:
            if not self.online:
                raise SystemFailed("apt-get failed", code="apt_failed")
            await super().install_packages(names)

    server = Offline()
    with pytest.raises(SystemFailed) as failure:
        await carried_out(server)
    assert failure.value.code == "apt_failed"
    assert server.done == []
    server.online = True
    await carried_out(server)
    assert (await setup_of(server).plan(SAME)).steps == ()


async def test_step_that_another_tool_undoes_each_time_is_told_rather_than_repeated_for_ever() -> (
    None
):
    class Undone(FakeServer):
        async def make_link(self, path: str, target: str) -> None:  # noqa: ARG002 - Protocol
            self.done.append("make_link")

    with pytest.raises(SystemFailed) as failure:
        await carried_out(Undone())
    assert failure.value.code == "setup_did_not_settle"
    assert "/usr/local/bin/codeb" in failure.value.message


async def test_another_domain_changes_the_settings_and_starts_the_service_anew() -> None:
    server = FakeServer()
    await carried_out(server)
    plan = await carried_out(server, Choices(domain=DomainName("other.example")))
    kinds = [type(step).__name__ for step in plan.steps]
    assert kinds == ["WriteFile", "StartUnit"]


async def test_owners_powerdns_is_used_and_none_of_its_files_is_written() -> None:
    owners = OwnersNameServer("/etc/powerdns/pdns.conf", "http://127.0.0.1:8082", Secret("theirs"))
    server = FakeServer(replace(fresh_survey(), owners_name_server=owners))
    await carried_out(server)
    assert not [path for path in server.paths if "powerdns" in path]
    assert not [name for name in server.packages if "pdns" in name]
    config = server.paths["/home/codeb/.local/state/codeb/config.toml"].text or ""
    assert 'powerdns_url = "http://127.0.0.1:8082"' in config
    assert 'powerdns_key = "theirs"' in config
    assert server.zone


async def test_no_view_of_a_plan_holds_the_key() -> None:
    setup = setup_of(FakeServer(), "hunter2-hunter2")
    plan = await setup.plan(DOMAIN)
    view = ServerPlanView.of(plan, await setup.advice(DOMAIN), done=False)
    assert "hunter2" not in view.model_dump_json() + repr(plan) + str(view)


async def test_set_up_without_dns_needs_no_powerdns() -> None:
    server = FakeServer()
    await carried_out(server, Choices(domain=DomainName("example.com"), dns="none"))
    assert not [name for name in server.packages if "pdns" in name]
    assert "pdns.service" not in server.units
    assert (await setup_of(server).plan(SAME)).steps == ()
