"""The set-up of a server, decided as data: what is wanted and is not there yet.

`SetupStep` is a closed union, each step idempotent. Nothing is remembered between two runs: a run
that was interrupted is continued by the next, which plans from what it finds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from codeb_mcp.domain.host import fingerprint
from codeb_mcp.domain.server import (
    Account,
    Copy,
    Folder,
    Found,
    FoundAccount,
    FoundFile,
    HostFile,
    NameServer,
    Program,
    Survey,
    Unit,
    Wanted,
)
from codeb_mcp.planning.server_conflicts import require_room


@dataclass(frozen=True, slots=True)
class InstallPackages:
    """Install packages of the distribution, without what they only recommend."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateAccount:
    """Create the account that runs containers, with a group of its own."""

    account: Account


@dataclass(frozen=True, slots=True)
class AddSubordinateIds:
    """Give the account the ids that the users inside its containers get."""

    account: Account
    first: int
    uids: bool
    gids: bool
    count: int = 65_536


@dataclass(frozen=True, slots=True)
class EnableLinger:
    """Start the account's own systemd, now and at boot."""

    account: Account


@dataclass(frozen=True, slots=True)
class InstallProgram:
    """Install codeb where every account can run it."""

    program: Program


@dataclass(frozen=True, slots=True)
class CopyProgram:
    """Put a program where an upgrade of codeb does not change it under a running service."""

    copy: Copy


@dataclass(frozen=True, slots=True)
class MakeLink:
    """Make a command available by its name."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class MakeFolder:
    """Make a folder, or correct whose it is and who may enter."""

    folder: Folder


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Write a file whole, or correct whose it is and who may read it."""

    file: HostFile


@dataclass(frozen=True, slots=True)
class CreateDatabase:
    """Create PowerDNS's database."""


@dataclass(frozen=True, slots=True)
class StartUnit:
    """Have a unit run now, with its files as they are now, and at boot."""

    unit: Unit


@dataclass(frozen=True, slots=True)
class CreateZone:
    """Create the zone of the base domain in PowerDNS."""

    name_server: NameServer


SetupStep: TypeAlias = (
    InstallPackages
    | CreateAccount
    | AddSubordinateIds
    | EnableLinger
    | InstallProgram
    | CopyProgram
    | MakeLink
    | MakeFolder
    | WriteFile
    | CreateDatabase
    | StartUnit
    | CreateZone
)


def setup_sentence(step: SetupStep) -> str:
    """The step as a person would say it. Never holds a secret."""
    match step:
        case InstallPackages(names):
            return f"install {len(names)} packages with apt: {', '.join(names)}"
        case CreateAccount(account):
            return f"create the account {account.name} (user id {account.uid}, {account.home})"
        case AddSubordinateIds(account, first, _, _, count):
            return f"give {account.name} the ids {first} to {first + count - 1} for its containers"
        case EnableLinger(account):
            return f"start the systemd of {account.name}, now and at boot"
        case InstallProgram(program):
            return f"install codeb {program.version} into {program.prefix}"
        case CopyProgram(copy):
            return f"put the Caddy that comes with codeb at {copy.path}"
        case MakeLink(path, target):
            return f"link {path} to {target}"
        case MakeFolder(folder):
            allowed = folder.permissions
            return f"make the folder {folder.path} ({allowed.mode:o}, {allowed.owner})"
        case WriteFile(file):
            allowed = file.permissions
            return f"write {file.path} ({allowed.mode:o}, {allowed.owner}:{allowed.group})"
        case CreateDatabase():
            return "create PowerDNS's database"
        case StartUnit(unit):
            whose = f" of {unit.account.name}" if unit.account else ""
            return f"start {unit.name}{whose}, now and at boot"
        case CreateZone(name_server):
            return f"create the DNS zone {name_server.zone}"
        case _:
            assert_never(step)


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """Steps in order; none when the server is as it is to be."""

    steps: tuple[SetupStep, ...]

    @property
    def digest(self) -> str:
        """Names this plan: the same steps give the same digest."""
        return fingerprint([setup_sentence(step) for step in self.steps])

    def __bool__(self) -> bool:
        return bool(self.steps)


def plan_server(wanted: Wanted, survey: Survey, found: Found) -> ServerPlan:
    """What is missing of `wanted`, in the order in which it can be made.

    Raises Refused and HostNotReady when something of somebody else's is in the way.
    """
    require_room(wanted, survey, found)
    return ServerPlan(tuple(setup_steps(wanted, survey, found)))


def setup_steps(wanted: Wanted, survey: Survey, found: Found) -> Iterator[SetupStep]:
    """The same, whatever is in the way."""
    if missing := tuple(name for name in wanted.packages if name not in found.packages):
        yield InstallPackages(missing)
    yield from _account(wanted.account, survey)
    yield from _programs(wanted, found)
    yield from (MakeFolder(each) for each in wanted.folders if not _stands(each, found))
    changed = {file.path for file in wanted.files if not _written(file, found)}
    yield from (WriteFile(file) for file in wanted.files if file.path in changed)
    if wanted.name_server and wanted.name_server.ours and not found.database:
        yield CreateDatabase()
    yield from (StartUnit(each) for each in wanted.units if not _runs(each, wanted, found, changed))
    if wanted.name_server and not found.zone:
        yield CreateZone(wanted.name_server)


def _account(account: Account, survey: Survey) -> Iterator[SetupStep]:
    there = survey.account
    if there is None:
        yield CreateAccount(account)
        # useradd may give it some, which is seen when the plan is made again
        there = FoundAccount(account, False, True, True)
    if not (there.subordinate_uids and there.subordinate_gids):
        yield AddSubordinateIds(
            account,
            survey.free_subordinate_id,
            uids=not there.subordinate_uids,
            gids=not there.subordinate_gids,
        )
    if not there.lingers:
        yield EnableLinger(account)


def _programs(wanted: Wanted, found: Found) -> Iterator[SetupStep]:
    program = wanted.program
    if program.source is not None and found.program_version != program.version:
        yield InstallProgram(program)
    for copy in wanted.copies:
        there = found.paths.get(copy.path)
        if there is None or there.digest != copy.digest or there.permissions.mode != 0o755:
            yield CopyProgram(copy)
    for path, target in wanted.links.items():
        if found.links.get(path) != target:
            yield MakeLink(path, target)


def _stands(folder: Folder, found: Found) -> bool:
    there = found.paths.get(folder.path)
    return there is not None and folder.permissions.allow(there.permissions)


def _written(file: HostFile, found: Found) -> bool:
    there = found.paths.get(file.path)
    return (
        there is not None and there.text == file.text and file.permissions.allow(there.permissions)
    )


def _runs(unit: Unit, wanted: Wanted, found: Found, changed: set[str]) -> bool:
    """Whether it runs with its files as they are, and answers where it should."""
    there = found.units.get(unit)
    if there is None or not (there.enabled and there.active) or there.stale:
        return False
    read = [found.paths.get(path) for path in unit.files]
    if changed.intersection(unit.files) or any(_newer(file, there.since) for file in read):
        return False
    if unit.socket is not None:
        opened = found.paths.get(unit.socket.path)
        if opened is None or not unit.socket.permissions.allow(opened.permissions):
            return False
    name_server = wanted.name_server
    is_api = name_server is not None and name_server.ours and unit.port == 8081
    return not is_api or found.api == "answers"


def _newer(file: FoundFile | None, since: float) -> bool:
    return file is None or file.changed_at > since
