"""Setting a server up, and saying how far it is as it should be."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, assert_never

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.server import (
    Account,
    Choices,
    Copy,
    Folder,
    Found,
    HostFile,
    NameServer,
    Program,
    Survey,
    Unit,
    Wanted,
)
from codeb_mcp.errors import StalePlan, SystemFailed
from codeb_mcp.planning.server_advice import advice
from codeb_mcp.planning.server_check import Part, examine
from codeb_mcp.planning.server_setup import (
    AddSubordinateIds,
    CopyProgram,
    CreateAccount,
    CreateDatabase,
    CreateZone,
    EnableLinger,
    InstallPackages,
    InstallProgram,
    MakeFolder,
    MakeLink,
    ServerPlan,
    SetupStep,
    StartUnit,
    WriteFile,
    plan_server,
    setup_sentence,
)
from codeb_mcp.planning.server_wanted import wanted_server
from codeb_mcp.services.deployments import OnProgress, Progress, ignore_progress

ROUNDS = 3
"""A step may show that another is missing: `useradd` gives subordinate ids only on some hosts."""


class ServerHost(Protocol):
    """The machine that is set up. Whatever is made may be there already, wholly or in part.

    Raises HostNotReady where root or a program is missing, SystemFailed where something fails
    or takes too long; then, and after `kill -9`, doing the same again is safe.
    """

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Hold the machine for one set-up at a time; Locked, with who has it, when another does."""

    async def survey(self) -> Survey:
        """What the machine is like."""

    async def look(self, wanted: Wanted) -> Found:
        """How far it is as wanted."""

    async def install_packages(self, names: tuple[str, ...]) -> None:
        """Install packages, after finishing what was interrupted."""

    async def create_account(self, account: Account) -> None:
        """Create an account with a group of its own, without a password."""

    async def add_subordinate_ids(
        self, account: Account, first: int, count: int, *, uids: bool, gids: bool
    ) -> None:
        """Give it a range of ids."""

    async def enable_linger(self, account: Account) -> None:
        """Start its systemd now and at boot, and wait until that answers."""

    async def install_program(self, program: Program) -> None:
        """Install codeb into `program.prefix` from `program.source`."""

    async def copy_program(self, copy: Copy) -> None:
        """Copy a program; it is there whole or not at all."""

    async def make_link(self, path: str, target: str) -> None:
        """Make a symbolic link, in place of another one; Refused in place of a file."""

    async def make_folder(self, folder: Folder) -> None:
        """Make a folder with these permissions; one that is there keeps what is in it."""

    async def write_file(self, file: HostFile) -> None:
        """Write a file; a reader never meets half of it, nor anybody else a secret."""

    async def create_database(self) -> None:
        """Create PowerDNS's database; it is there whole or not at all."""

    async def start_unit(self, unit: Unit) -> None:
        """Have the unit run with its files as they are, now and at boot, and wait for it."""

    async def create_zone(self, name_server: NameServer) -> None:
        """Create the zone of the base domain."""


class ServerSetup:
    """Sets up the machine that it runs on. `new_key` makes PowerDNS's key, if there is none."""

    def __init__(self, host: ServerHost, new_key: Callable[[], Secret]) -> None:
        self._host = host
        self._new_key = new_key

    async def plan(self, choices: Choices) -> ServerPlan:
        """What would be done. Raises what `plan_server` and `wanted_server` do."""
        return (await self._planned(choices))[0]

    async def advice(self, choices: Choices) -> tuple[str, ...]:
        """What the owner has to do elsewhere: the firewall, the registrar, the first client."""
        survey = await self._host.survey()
        return advice(wanted_server(choices, survey, self._new_key()), survey)

    async def carry_out(
        self, choices: Choices, digest: str, on_progress: OnProgress = ignore_progress
    ) -> ServerPlan:
        """Carry out the plan of that digest, and give it back.

        Raises StalePlan when the server has changed since, Locked while another set-up runs.
        """
        async with self._host.alone():
            plan, _ = await self._planned(choices)
            if plan.digest != digest:
                raise StalePlan(
                    "the server is not as it was when the plan was made",
                    hint="run it again and look at the new plan",
                )
            rest, done = plan, 0
            for _ in range(ROUNDS):
                for step in rest.steps:
                    total = max(len(plan.steps), done + 1)
                    await on_progress(Progress(done, total, setup_sentence(step)))
                    await self._do(step)
                    done += 1
                rest, _ = await self._planned(choices)
                if not rest:
                    return plan
        raise SystemFailed(
            f"the server is not as it should be after set-up: {setup_sentence(rest.steps[0])}",
            hint="see what undoes it, another tool perhaps, then run this again",
            code="setup_did_not_settle",
        )

    async def check(self, choices: Choices) -> tuple[Part, ...]:
        """Each part of the server, and whether it is right."""
        survey = await self._host.survey()
        wanted = wanted_server(choices, survey, self._new_key())
        return examine(wanted, survey, await self._host.look(wanted))

    async def _planned(self, choices: Choices) -> tuple[ServerPlan, Survey]:
        survey = await self._host.survey()
        wanted = wanted_server(choices, survey, self._new_key())
        return plan_server(wanted, survey, await self._host.look(wanted)), survey

    def _do(self, step: SetupStep) -> Awaitable[None]:
        host = self._host
        match step:
            case InstallPackages(names):
                return host.install_packages(names)
            case CreateAccount(account):
                return host.create_account(account)
            case AddSubordinateIds(account, first, uids, gids, count):
                return host.add_subordinate_ids(account, first, count, uids=uids, gids=gids)
            case EnableLinger(account):
                return host.enable_linger(account)
            case InstallProgram(program):
                return host.install_program(program)
            case CopyProgram(copy):
                return host.copy_program(copy)
            case MakeLink(path, target):
                return host.make_link(path, target)
            case MakeFolder(folder):
                return host.make_folder(folder)
            case WriteFile(file):
                return host.write_file(file)
            case CreateDatabase():
                return host.create_database()
            case StartUnit(unit):
                return host.start_unit(unit)
            case CreateZone(name_server):
                return host.create_zone(name_server)
            case _:
                assert_never(step)
