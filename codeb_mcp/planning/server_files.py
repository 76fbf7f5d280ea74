"""The files of a server that codeb set up, as text."""

import json
import re
from collections.abc import Mapping, Sequence

from codeb_mcp.domain.server import Account

HEADER = "# Written by codeb server setup, which puts it back when it is changed."
CADDY_UNIT = "codeb-caddy.service"
CODEB_UNIT = "codeb.service"
PREVIEWS_UNIT = "codeb-previews.service"
PREVIEWS_TIMER = "codeb-previews.timer"
CADDY_SOCKET = "/run/codeb-caddy/admin.sock"
CADDY_CONFIG = "/etc/codeb/caddy.json"
CADDY_PROGRAM = "/usr/local/lib/codeb/caddy"
DATABASE = "/var/lib/powerdns/codeb.sqlite3"
SERVICE_PORT = 8765

# What neither of the two services needs. Each line of it lowers what a flaw in one could reach.
_HARDENED = """\
NoNewPrivileges=yes
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
"""


def caddy_unit(account: Account) -> str:
    """Caddy, as an account of its own; the group of codeb's account may use its admin socket."""
    return f"""\
{HEADER}
[Unit]
Description=Caddy for codeb
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
User=codeb-caddy
Group={account.name}
DynamicUser=yes
Environment=XDG_CONFIG_HOME=%S/codeb-caddy/config XDG_DATA_HOME=%S/codeb-caddy/data
ExecStart={CADDY_PROGRAM} run --resume --config {CADDY_CONFIG}
RuntimeDirectory=codeb-caddy
RuntimeDirectoryMode=0750
StateDirectory=codeb-caddy
StateDirectoryMode=0700
UMask=0077
LimitNOFILE=1048576
TimeoutStopSec=40
Restart=on-failure
RestartSec=1
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
ProtectHome=read-only
{_HARDENED}
[Install]
WantedBy=multi-user.target
"""


def caddy_config() -> str:
    """What Caddy starts with the first time; afterwards it goes on with what it saved itself."""
    return json.dumps({"admin": {"listen": f"unix/{CADDY_SOCKET}|0660"}}) + "\n"


def codeb_unit(account: Account, prefix: str) -> str:
    """codeb's MCP server over HTTP, on loopback.

    It ends with the account's systemd, whose sockets it uses.
    """
    user_manager = f"user@{account.uid}.service"
    return f"""\
{HEADER}
[Unit]
Description=codeb MCP server
Wants=network-online.target
After=network-online.target {user_manager} {CADDY_UNIT} pdns.service
BindsTo={user_manager}

[Service]
Type=exec
ExecStart={prefix}/bin/codeb-mcp serve --port {SERVICE_PORT}
TimeoutStopSec=120
Restart=always
RestartSec=2
{_confined(account)}
[Install]
WantedBy=multi-user.target
"""


def previews_unit(account: Account, prefix: str) -> str:
    """The removal of previews whose time is over, as `PREVIEWS_TIMER` starts it."""
    user_manager = f"user@{account.uid}.service"
    return f"""\
{HEADER}
[Unit]
Description=codeb: remove the previews whose time is over
Requires={user_manager}
After={user_manager} {CADDY_UNIT} pdns.service

[Service]
Type=oneshot
ExecStart={prefix}/bin/codeb preview prune --yes
TimeoutStartSec=1h
{_confined(account)}"""


def previews_timer() -> str:
    """Every hour, and once at boot for the hours that the server was off."""
    return f"""\
{HEADER}
[Unit]
Description=codeb: remove the previews whose time is over, every hour

[Timer]
OnCalendar=hourly
RandomizedDelaySec=5m
Persistent=true

[Install]
WantedBy=timers.target
"""


def _confined(account: Account) -> str:
    """Runs as the account: sees no other's home, and writes only where codeb keeps things."""
    return f"""\
User={account.name}
Group={account.name}
Environment=XDG_RUNTIME_DIR={account.runtime_folder}
UMask=0027
CapabilityBoundingSet=
ProtectHome=tmpfs
BindReadOnlyPaths={account.home}
BindPaths={account.codeb_home} {account.runtime_folder}
BindPaths={account.home}/.config/containers {account.home}/.config/systemd
{_HARDENED}"""


def name_server_config(key: str, addresses: Sequence[str]) -> str:
    """PowerDNS on SQLite. It answers on these addresses only, so that a resolver may have others.

    An address that is not there at its start does not keep it from starting.
    """
    return f"""\
{HEADER}
launch=gsqlite3
gsqlite3-database={DATABASE}
local-address={",".join(addresses)}
local-address-nonexist-fail=no
api=yes
api-key={key}
webserver-address=127.0.0.1
webserver-port=8081
webserver-allow-from=127.0.0.1
version-string=anonymous
"""


def settings_text(before: str, values: Mapping[str, object]) -> str:
    """codeb's config.toml with these keys set; every other line stays as the owner wrote it."""
    lines = before.splitlines()
    for key, value in values.items():
        line = f"{key} = {json.dumps(value)}"
        places = [n for n, old in enumerate(lines) if re.match(rf"\s*{key}\s*=", old)]
        if not places:
            lines.append(line)
        for place in places:
            lines[place] = line
    return "\n".join(lines) + "\n"
