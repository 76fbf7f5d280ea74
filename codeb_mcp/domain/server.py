"""A server that codeb sets up: what it is to be, and what was found on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import DomainName

ACCOUNT = "codeb"


@dataclass(frozen=True, slots=True)
class Choices:
    """What the owner asked for; None keeps what the server has, or takes the default."""

    domain: DomainName | None = None
    addresses: tuple[str, ...] | None = None
    dns: Literal["powerdns", "none"] | None = None
    tls: Literal["auto", "off"] | None = None
    caddy_admin: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """The account that runs containers and codeb, without root."""

    name: str
    uid: int
    home: str

    @property
    def runtime_folder(self) -> str:
        """Where its sockets are."""
        return f"/run/user/{self.uid}"

    @property
    def podman_socket(self) -> str:
        """Podman's API."""
        return f"{self.runtime_folder}/podman/podman.sock"

    @property
    def codeb_home(self) -> str:
        """codeb's folder, where it looks without being told."""
        return f"{self.home}/.local/state/codeb"


@dataclass(frozen=True, slots=True)
class Permissions:
    """Mode, owner and group of a file, folder or socket; the owner "" may be anybody."""

    mode: int
    owner: str
    group: str

    def allow(self, found: "Permissions") -> bool:
        """Whether what was found is as it should be."""
        owner = self.owner or found.owner
        return found == Permissions(self.mode, owner, self.group)


ROOT_FILE = Permissions(0o644, "root", "root")
ROOT_FOLDER = Permissions(0o755, "root", "root")


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file and all that is in it. `keeps_own_lines`: the owner writes into it as well."""

    path: str
    text: str = field(repr=False)
    permissions: Permissions = ROOT_FILE
    keeps_own_lines: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder."""

    path: str
    permissions: Permissions = ROOT_FOLDER


@dataclass(frozen=True, slots=True)
class Socket:
    """A unix socket that a unit opens."""

    path: str
    permissions: Permissions


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that runs now and at boot: the system's, or an account's own.

    `files` are what it reads at its start; `port` and `socket` are where it then answers.
    """

    name: str
    account: Account | None = None
    files: tuple[str, ...] = ()
    port: int | None = None
    socket: Socket | None = None


@dataclass(frozen=True, slots=True)
class PortClaim:
    """A port that `unit` needs, on every address when `addresses` is empty."""

    port: int
    protocol: Literal["tcp", "udp"]
    unit: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """An installation of codeb that every account can run.

    `source` is what pip is told where it has to be installed first; None: it is there as found.
    """

    prefix: str
    version: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """A program that is copied to a place of its own; `digest` is its SHA-256."""

    source: str
    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class NameServer:
    """PowerDNS's API. `ours`: set up by codeb, in `database`; else the owner's, adopted."""

    url: str
    key: Secret
    ours: bool
    zone: DomainName
    addresses: tuple[str, ...]
    nameservers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The server as it is to be."""

    account: Account
    domain: DomainName
    addresses: tuple[str, ...]
    tls: Literal["auto", "off"]
    caddy_admin: str
    packages: tuple[str, ...]
    program: Program
    copies: tuple[Copy, ...]
    links: Mapping[str, str]
    folders: tuple[Folder, ...]
    files: tuple[HostFile, ...]
    units: tuple[Unit, ...]
    ports: tuple[PortClaim, ...]
    name_server: NameServer | None

    @property
    def own_caddy(self) -> bool:
        """Whether Caddy is codeb's own, rather than one of the owner's."""
        return bool(self.copies)


@dataclass(frozen=True, slots=True)
class System:
    """The operating system: `debian` 13, named `Debian GNU/Linux 13 (trixie)`."""

    id: str
    version: str
    name: str
    systemd: bool


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """The account as it is there."""

    account: Account
    lingers: bool
    subordinate_uids: bool
    subordinate_gids: bool


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that somebody listens on; `unit` and `process` are empty when unknown."""

    protocol: Literal["tcp", "udp"]
    address: str
    port: int
    process: str = ""
    pid: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class OwnersNameServer:
    """A PowerDNS that its owner configured: the file that says so, and its API if it has one."""

    file: str
    url: str | None = None
    key: Secret | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What a server is like, whatever is wanted of it."""

    system: System
    account: FoundAccount | None
    free_uid: int
    free_subordinate_id: int
    addresses: tuple[str, ...]
    """Those of the interfaces that lead out, IPv4 first."""
    config: str
    """The text of codeb's config.toml; empty when there is none."""
    key: Secret | None
    """The key of a PowerDNS that codeb set up before."""
    owners_name_server: OwnersNameServer | None
    program: Program
    """The codeb that runs now, or the one to install from it."""
    caddy: Copy
    listeners: tuple[Listener, ...]
    free_bytes: int
    clock_right: bool
    bridge_down: bool
    firewall: Literal["ufw", "firewalld", ""]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file, folder, socket or program as it is. `text` is None where it is not text to read."""

    permissions: Permissions
    changed_at: float
    text: str | None = field(default=None, repr=False)
    digest: str = ""


@dataclass(frozen=True, slots=True)
class FoundUnit:
    """A unit as it is; `since` is when it became active, in seconds of the clock."""

    enabled: bool = False
    active: bool = False
    stale: bool = False
    since: float = 0.0


ApiState = Literal["answers", "silent", "refuses the key"]


@dataclass(frozen=True, slots=True)
class Found:
    """What is there of what is wanted. Absent things are left out of the mappings."""

    packages: frozenset[str]
    paths: Mapping[str, FoundFile]
    links: Mapping[str, str]
    units: Mapping[Unit, FoundUnit]
    program_version: str | None
    database: bool = False
    api: ApiState = "silent"
    zone: bool = False
    caddy_problem: str = ""
    """Why an adopted Caddy will not do."""
