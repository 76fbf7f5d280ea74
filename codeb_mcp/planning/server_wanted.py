"""What a server is to be, from what its owner chose and what is there."""

import ipaddress
import tomllib
from typing import Any, Literal

from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.server import (
    ACCOUNT,
    Account,
    Choices,
    Folder,
    HostFile,
    NameServer,
    Permissions,
    PortClaim,
    Socket,
    Survey,
    Unit,
    Wanted,
)
from codeb_mcp.errors import HostNotReady, InvalidRequest, Refused
from codeb_mcp.planning.server_files import (
    CADDY_CONFIG,
    CADDY_PROGRAM,
    CADDY_SOCKET,
    CADDY_UNIT,
    CODEB_UNIT,
    PREVIEWS_TIMER,
    PREVIEWS_UNIT,
    SERVICE_PORT,
    caddy_config,
    caddy_unit,
    codeb_unit,
    name_server_config,
    previews_timer,
    previews_unit,
    settings_text,
)

UNITS = "/etc/systemd/system"
API = "http://127.0.0.1:8081"
PDNS_CONFIG = "/etc/powerdns/pdns.d/codeb.conf"
PDNS_UNIT = "pdns.service"
CONTAINER_PACKAGES = (
    *("podman", "crun", "catatonit", "netavark", "aardvark-dns", "nftables", "iptables"),
    *("uidmap", "passt", "slirp4netns", "fuse-overlayfs", "dbus-user-session", "libpam-systemd"),
    *("ca-certificates", "iproute2"),
)
DNS_PACKAGES = ("pdns-server", "pdns-backend-sqlite3")
OLDEST_SYSTEMS = {"debian": (13,), "ubuntu": (24, 4)}


def wanted_server(choices: Choices, survey: Survey, new_key: Secret) -> Wanted:
    """The server that the choices and what was chosen before ask for.

    Raises InvalidRequest for what has to be said and was not, Refused or HostNotReady for a
    server that cannot be set up as it is.
    """
    _require_supported(survey)
    config = _settings(survey.config)
    account = survey.account.account if survey.account else _new_account(survey)
    domain = _domain(choices, config)
    addresses = _addresses(choices, config, survey)
    caddy_admin = choices.caddy_admin or config.get("caddy_admin") or f"unix/{CADDY_SOCKET}"
    own_caddy = caddy_admin == f"unix/{CADDY_SOCKET}"
    tls = choices.tls or ("off" if config.get("tls") == "off" else "auto")
    dns = choices.dns or config.get("dns") or "powerdns"
    name_server = _name_server(dns, domain, addresses, config, survey, new_key)
    files = (
        *_caddy_files(account, own=own_caddy),
        HostFile(f"{UNITS}/{CODEB_UNIT}", codeb_unit(account, survey.program.prefix)),
        HostFile(f"{UNITS}/{PREVIEWS_UNIT}", previews_unit(account, survey.program.prefix)),
        HostFile(f"{UNITS}/{PREVIEWS_TIMER}", previews_timer()),
        *_name_server_files(name_server, survey),
        HostFile(
            f"{account.codeb_home}/config.toml",
            settings_text(
                survey.config,
                _values(account, domain, addresses, tls, caddy_admin, name_server),
            ),
            Permissions(0o600, account.name, account.name),
            keeps_own_lines=True,
        ),
    )
    units = _units(account, name_server, own_caddy=own_caddy)
    return Wanted(
        account=account,
        domain=domain,
        addresses=addresses,
        tls=tls,
        caddy_admin=caddy_admin,
        packages=_packages(survey, name_server),
        program=survey.program,
        copies=(survey.caddy,) if own_caddy else (),
        links=_links(survey.program.prefix),
        folders=_folders(account),
        files=files,
        units=units,
        ports=_ports(name_server, survey, own_caddy=own_caddy),
        name_server=name_server,
    )


def _require_supported(survey: Survey) -> None:
    system = survey.system
    oldest = OLDEST_SYSTEMS.get(system.id)
    version = tuple(int(part) for part in system.version.split(".") if part.isdecimal())
    if oldest is None or version < oldest:
        raise Refused(
            f"{system.name or 'this system'} is not one that codeb sets up",
            hint="use Debian 13 or Ubuntu 24.04, or newer; elsewhere install Podman 5, Caddy 2.11 "
            "and PowerDNS yourself and name them in config.toml",
            code="unsupported_system",
        )
    if not system.systemd:
        raise HostNotReady(
            "systemd does not run this machine, so nothing could start again at boot",
            hint="use a virtual machine rather than a container, or codeb without set-up "
            "(codeb local start)",
            code="systemd_missing",
        )


def _settings(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(
            f"codeb's config.toml is not valid TOML: {error}",
            hint="correct or remove the file, then run this again",
            code="invalid_setting",
        ) from None


def _new_account(survey: Survey) -> Account:
    return Account(ACCOUNT, survey.free_uid, f"/home/{ACCOUNT}")


def _domain(choices: Choices, config: dict[str, Any]) -> DomainName:
    if choices.domain is not None:
        return choices.domain
    if "base_domain" in config:
        return DomainName(config["base_domain"])
    raise InvalidRequest(
        "the domain of this server's projects was not named",
        hint="codeb server setup --domain example.com, with a domain of yours",
        code="domain_missing",
    )


def _addresses(choices: Choices, config: dict[str, Any], survey: Survey) -> tuple[str, ...]:
    """This server's public addresses: as said, else those that its interfaces have."""
    if choices.addresses is not None:
        return tuple(str(_address(text)) for text in choices.addresses)
    if config.get("addresses"):
        return tuple(config["addresses"])
    public = [text for text in survey.addresses if _address(text).is_global]
    first = {_address(text).version: text for text in reversed(public)}
    if not first:
        has = ", ".join(survey.addresses) or "none"
        raise InvalidRequest(
            f"this server's public address cannot be told: its interfaces have {has}",
            hint="say it: --address 203.0.113.7 (your provider's page shows it)",
            code="address_unknown",
        )
    return tuple(first[version] for version in sorted(first))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise InvalidRequest(
            f"{text!r} is not an IP address",
            hint="write it as 203.0.113.7 or 2001:db8::7",
            code="invalid_address",
        ) from None


def _name_server(
    dns: Literal["powerdns", "none"],
    domain: DomainName,
    addresses: tuple[str, ...],
    config: dict[str, Any],
    survey: Survey,
    new_key: Secret,
) -> NameServer | None:
    if dns == "none":
        return None
    owners = survey.owners_name_server
    names = tuple(config.get("nameservers") or ())
    if owners is None:
        return NameServer(API, survey.key or new_key, True, domain, addresses, names)
    if owners.url is None or owners.key is None:
        raise Refused(
            f"PowerDNS is configured here already, by {owners.file}, and has no API",
            hint="codeb does not change it. Add api=yes, api-key=… and webserver=yes to it and "
            "restart pdns, and codeb will use it; or keep DNS elsewhere: --dns none",
            code="powerdns_configured",
        )
    return NameServer(owners.url, owners.key, False, domain, addresses, names)


def _values(
    account: Account,
    domain: DomainName,
    addresses: tuple[str, ...],
    tls: str,
    caddy_admin: str,
    name_server: NameServer | None,
) -> dict[str, object]:
    """What config.toml has to say; the names are those of the settings."""
    values: dict[str, object] = {
        "runtime": "quadlet",
        "base_domain": str(domain),
        "addresses": list(addresses),
        "podman_socket": account.podman_socket,
        "caddy_admin": caddy_admin,
        "http_port": 80,
        "tls": tls,
        "dns": "none" if name_server is None else "powerdns",
    }
    if name_server is not None:
        values |= {"powerdns_url": name_server.url, "powerdns_key": name_server.key.reveal()}
    return values


def _packages(survey: Survey, name_server: NameServer | None) -> tuple[str, ...]:
    dns = DNS_PACKAGES if name_server is not None and name_server.ours else ()
    python = ("python3-venv",) if survey.program.source is not None else ()
    return (*CONTAINER_PACKAGES, *dns, *python)


def _links(prefix: str) -> dict[str, str]:
    """Where a command that comes by ssh finds them."""
    if prefix in ("/usr", "/usr/local"):
        return {}
    return {f"/usr/local/bin/{name}": f"{prefix}/bin/{name}" for name in ("codeb", "codeb-mcp")}


def _folders(account: Account) -> tuple[Folder, ...]:
    own = Permissions(0o755, account.name, account.name)
    # Caddy, in the account's group, passes through to the markers and may not list
    through = Permissions(0o710, account.name, account.name)
    units = (".config", ".config/containers", ".config/containers/systemd")
    timers = (".config/systemd", ".config/systemd/user")
    below = (*units, *timers, ".local", ".local/state")
    return (
        Folder("/etc/codeb"),
        Folder(account.home, through),
        *(Folder(f"{account.home}/{name}", own) for name in below),
        Folder(account.codeb_home, Permissions(0o750, account.name, account.name)),
    )


def _caddy_files(account: Account, *, own: bool) -> tuple[HostFile, ...]:
    if not own:
        return ()
    return (
        HostFile(CADDY_CONFIG, caddy_config()),
        HostFile(f"{UNITS}/{CADDY_UNIT}", caddy_unit(account)),
    )


def _name_server_files(name_server: NameServer | None, survey: Survey) -> tuple[HostFile, ...]:
    if name_server is None or not name_server.ours:
        return ()
    text = name_server_config(name_server.key.reveal(), _own_addresses(survey))
    return (HostFile(PDNS_CONFIG, text, Permissions(0o640, "root", "pdns")),)


def _own_addresses(survey: Survey) -> tuple[str, ...]:
    """Where the name server answers: the interfaces' addresses, public or behind a NAT."""
    return survey.addresses or ("127.0.0.1",)


def _units(
    account: Account, name_server: NameServer | None, *, own_caddy: bool
) -> tuple[Unit, ...]:
    own = Permissions(0o660, account.name, account.name)
    units = [Unit("podman.socket", account, socket=Socket(account.podman_socket, own))]
    read: tuple[str, ...]
    if name_server is not None:
        read = (PDNS_CONFIG,) if name_server.ours else ()
        units.append(Unit(PDNS_UNIT, files=read, port=8081 if name_server.ours else None))
    if own_caddy:
        admin = Socket(CADDY_SOCKET, Permissions(0o660, "", account.name))
        read = (f"{UNITS}/{CADDY_UNIT}", CADDY_CONFIG, CADDY_PROGRAM)
        units.append(Unit(CADDY_UNIT, files=read, socket=admin))
    read = (f"{UNITS}/{CODEB_UNIT}", f"{account.codeb_home}/config.toml")
    units.append(Unit(CODEB_UNIT, files=read, port=SERVICE_PORT))
    units.append(Unit(PREVIEWS_TIMER, files=(f"{UNITS}/{PREVIEWS_TIMER}",)))
    return tuple(units)


def _ports(
    name_server: NameServer | None, survey: Survey, *, own_caddy: bool
) -> tuple[PortClaim, ...]:
    claims = [PortClaim(SERVICE_PORT, "tcp", CODEB_UNIT, ("127.0.0.1",))]
    if own_caddy:
        claims += [PortClaim(80, "tcp", CADDY_UNIT), PortClaim(443, "tcp", CADDY_UNIT)]
    if name_server is not None and name_server.ours:
        answers = _own_addresses(survey)
        claims.append(PortClaim(8081, "tcp", PDNS_UNIT, ("127.0.0.1",)))
        claims += [
            PortClaim(53, "udp", PDNS_UNIT, answers),
            PortClaim(53, "tcp", PDNS_UNIT, answers),
        ]
    return tuple(claims)
