"""What of somebody else's keeps a server from being set up. Nothing of it is ever overwritten."""

from codeb_mcp.domain.server import Found, Listener, PortClaim, Survey, Wanted
from codeb_mcp.errors import HostNotReady, Refused
from codeb_mcp.planning.server_files import CADDY_UNIT, HEADER

ROOM_TO_INSTALL = 2_000_000_000
ROOM_TO_RUN = 500_000_000
"""Bytes free on the disk of /var: below the first nothing is installed, below the second an image
could fill it."""
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def require_room(wanted: Wanted, survey: Survey, found: Found) -> None:
    """Raise Refused for a stranger on a port or in a file of ours, HostNotReady for a full disk."""
    for claim in wanted.ports:
        for listener in survey.listeners:
            if in_the_way(claim, listener):
                raise _port_held(claim, listener)
    for file in wanted.files:
        there = found.paths.get(file.path)
        if there and not file.keeps_own_lines and not _ours(there.text, file.text):
            raise Refused(
                f"{file.path} is there and was not written by codeb",
                hint=f"move it away if nobody needs it: mv {file.path} {file.path}.before-codeb",
                code="foreign_file",
            )
    missing = set(wanted.packages) - found.packages
    room = ROOM_TO_INSTALL if missing else ROOM_TO_RUN
    if survey.free_bytes < room:
        raise HostNotReady(
            f"the disk of /var has {survey.free_bytes / 1e9:.1f} GB left, and set-up needs "
            f"{room / 1e9:.1f} GB",
            hint="make room: apt-get clean, journalctl --vacuum-size=100M, podman image prune",
            code="disk_full",
        )


def in_the_way(claim: PortClaim, listener: Listener) -> bool:
    """Whether `listener` keeps the claim's unit from listening there."""
    if (listener.port, listener.protocol) != (claim.port, claim.protocol):
        return False
    if listener.unit == claim.unit:
        return False
    return (
        not claim.addresses or listener.address in EVERYWHERE or listener.address in claim.addresses
    )


def _ours(text: str | None, wanted: str) -> bool:
    """Written by codeb, whatever version of it; JSON has no room for the header."""
    return text is not None and (text == wanted or text.startswith(HEADER))


def _port_held(claim: PortClaim, listener: Listener) -> Refused:
    who = listener.process or "another program"
    pid = f", process {listener.pid}" if listener.pid else ""
    unit = f" ({listener.unit}{pid})" if listener.unit else f" ({pid.removeprefix(', ')})"
    return Refused(
        f"{who}{unit if unit != ' ()' else ''} holds port {claim.port}/{claim.protocol} on "
        f"{listener.address}, which {claim.unit} needs",
        hint=_port_hint(claim, listener),
        code="port_held",
    )


def _port_hint(claim: PortClaim, listener: Listener) -> str:
    if listener.process == "caddy" and claim.unit == CADDY_UNIT:
        return (
            "if nobody needs that Caddy: systemctl disable --now caddy; to have codeb add its "
            "routes to it (2.11 or newer): --caddy-admin ADDRESS of its admin endpoint"
        )
    if listener.unit == "systemd-resolved.service":
        return (
            "have it listen on 127.0.0.53 only: remove DNSStubListenerExtra from "
            "/etc/systemd/resolved.conf, then systemctl restart systemd-resolved"
        )
    if listener.unit.endswith(".service"):
        dns = "; or keep DNS elsewhere: --dns none" if claim.port == 53 else ""
        return f"if nobody needs it: systemctl disable --now {listener.unit}{dns}"
    return f"see what it is: ss -lntup 'sport = :{claim.port}'; stop it, then run this again"
