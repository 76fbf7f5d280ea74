"""Each part of a server: whether it is right and, if not, the command that mends it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from codeb_mcp.domain.server import Found, Survey, Wanted
from codeb_mcp.errors import CodebError
from codeb_mcp.planning.server_conflicts import require_room
from codeb_mcp.planning.server_files import CADDY_UNIT, CODEB_UNIT, PREVIEWS_TIMER
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
    SetupStep,
    StartUnit,
    WriteFile,
    setup_sentence,
    setup_steps,
)
from codeb_mcp.planning.server_wanted import PDNS_CONFIG, PDNS_UNIT

SETUP = "codeb server setup"
PARTS = ("packages", "account", "podman", "caddy", "powerdns", "zone", "codeb")


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `says` is what was seen; `mend` is a command, empty where all is right."""

    name: str
    right: bool
    says: str
    mend: str = ""


def examine(wanted: Wanted, survey: Survey, found: Found) -> tuple[Part, ...]:
    """Every part, in the order in which they depend on each other."""
    steps = list(setup_steps(wanted, survey, found))
    parts = [_of_steps(name, steps, wanted, survey, found) for name in _parts(wanted)]
    parts = list(_in_order(parts))
    return (*parts, *_room(wanted, survey, found), *_machine(survey))


def _in_order(parts: Sequence[Part]) -> Iterator[Part]:
    """What needs a part that is wrong cannot be mended by itself: set-up keeps the order."""
    broken = False
    for part in parts:
        mendable = part.right or not broken or part.name == "caddy"
        yield part if mendable else replace(part, mend=SETUP)
        broken = broken or (not part.right and part.name == "account")


def _parts(wanted: Wanted) -> Iterator[str]:
    for name in PARTS:
        if wanted.name_server or name not in ("powerdns", "zone"):
            yield name


def _of_steps(
    name: str, steps: Sequence[SetupStep], wanted: Wanted, survey: Survey, found: Found
) -> Part:
    """A part is right when set-up would do nothing about it."""
    if name == "caddy" and found.caddy_problem:
        return Part(name, False, *_halves(found.caddy_problem))
    missing = [step for step in steps if _part_of(step) == name]
    if not missing:
        return Part(name, True, _right(name, wanted))
    if name == "powerdns" and found.api == "refuses the key":
        says = "PowerDNS refuses the key in codeb's config.toml"
        if wanted.name_server and not wanted.name_server.ours:
            return Part(name, False, says, "systemctl restart pdns, so that it reads its own")
        return Part(name, False, says, SETUP)
    others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
    return Part(
        name,
        False,
        f"missing: {setup_sentence(missing[0])}{others}",
        _mend(missing, survey),
    )


def _part_of(step: SetupStep) -> str:
    match step:
        case InstallPackages():
            return "packages"
        case CreateAccount() | AddSubordinateIds() | EnableLinger():
            return "account"
        case CopyProgram():
            return "caddy"
        case InstallProgram() | MakeLink():
            return "codeb"
        case MakeFolder(folder):
            return "account" if folder.path.startswith("/home/") else "codeb"
        case WriteFile(file):
            if file.path == PDNS_CONFIG:
                return "powerdns"
            return "caddy" if "caddy" in file.path else "codeb"
        case CreateDatabase():
            return "powerdns"
        case StartUnit(unit):
            parts = {PDNS_UNIT: "powerdns", CADDY_UNIT: "caddy"}
            parts |= dict.fromkeys((CODEB_UNIT, PREVIEWS_TIMER), "codeb")
            return parts.get(unit.name, "podman")
        case CreateZone():
            return "zone"
        case _:
            assert_never(step)


def _mend(missing: Sequence[SetupStep], survey: Survey) -> str:
    """The narrowest command: set-up mends everything, but one thing may be mended by itself."""
    if len(missing) > 1 or survey.account is None:
        return SETUP
    match missing[0]:
        case EnableLinger(account):
            manager = f"user@{account.uid}.service"
            return f"loginctl enable-linger {account.name} && systemctl start {manager}"
        case AddSubordinateIds(account, first, uids, gids, count):
            last = first + count - 1
            words = [f"--add-subuids {first}-{last}"] if uids else []
            words += [f"--add-subgids {first}-{last}"] if gids else []
            return f"usermod {' '.join(words)} {account.name}"
        case StartUnit(unit) if unit.account is not None:
            return f"systemctl --user -M {unit.account.name}@ enable --now {unit.name}"
        case StartUnit(unit):
            return f"systemctl enable {unit.name} && systemctl restart {unit.name}"
        case _:
            return SETUP


def _right(name: str, wanted: Wanted) -> str:
    account = wanted.account
    match name:
        case "packages":
            return f"{len(wanted.packages)} packages are installed"
        case "account":
            return f"{account.name} lingers, has subordinate ids and its folders"
        case "podman":
            return f"its socket is {account.podman_socket}"
        case "caddy":
            return f"its admin endpoint is {wanted.caddy_admin}"
        case "powerdns" if wanted.name_server:
            return f"its API answers at {wanted.name_server.url}"
        case "zone":
            return f"{wanted.domain} is served"
        case _:
            return f"{wanted.program.prefix} is installed and {CODEB_UNIT} runs"


def _room(wanted: Wanted, survey: Survey, found: Found) -> Iterator[Part]:
    try:
        require_room(wanted, survey, found)
    except CodebError as error:
        names = {"disk_full": "disk", "port_held": "ports"}
        yield Part(names.get(error.code, "files"), False, error.message, error.hint)
    else:
        yield Part("disk", True, f"{survey.free_bytes / 1e9:.1f} GB are free")


def _machine(survey: Survey) -> Iterator[Part]:
    if survey.clock_right:
        yield Part("clock", True, "it is synchronised")
    else:
        yield Part(
            "clock",
            False,
            "nothing keeps it right, and certificates need it to be",
            "apt-get install -y systemd-timesyncd && timedatectl set-ntp true",
        )
    if survey.bridge_down:
        yield Part(
            "bridge",
            False,
            "Podman's bridge podman0 is down, so ports that root's containers publish time out",
            "ip link delete podman0",
        )


def _halves(problem: str) -> tuple[str, str]:
    says, _, mend = problem.partition("; next: ")
    return says, mend
