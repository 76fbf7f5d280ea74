"""Asks an application on this host directly, past the proxy."""

import errno
import socket
import struct

from codeb_mcp.adapters.http_client import NoAnswer, Target, fetch
from codeb_mcp.domain.host import ProbeAnswer

ARRIVES_WITHIN = 0.5
"""Seconds. On loopback a connection arrives at once."""
ENOUGH_BODY = 1_024
"""A health check looks at the status; the body is read a little, so that it is an answer."""


class HttpProbe:
    """Implements `Probe`."""

    async def get(self, port: int, path: str, seconds: float) -> ProbeAnswer:
        """GET http://127.0.0.1:`port``path`, without following redirects; never raises."""
        try:
            answer = await fetch(
                Target(f"http://127.0.0.1:{port}"), path, seconds=seconds, limit=ENOUGH_BODY
            )
        except NoAnswer as nothing:
            return ProbeAnswer(None, nothing.reason)
        return ProbeAnswer(answer.status)

    def port_is_free(self, port: int) -> bool:
        """Whether a program could listen on this TCP port now, and be reached there."""
        return why_not_free(port) is None and not led_elsewhere(port)


def led_elsewhere(port: int) -> bool:
    """Whether a connection to this port does not reach who listens there.

    A Podman that was killed can leave the NAT rule of a container behind. Whatever is published
    on that port then is never reached. What the rule leads to may answer, be silent, or refuse:
    so this listens itself, and looks whether its own connection arrives.
    """
    try:
        with socket.create_server(("127.0.0.1", port)) as listener, socket.socket() as visitor:
            listener.settimeout(ARRIVES_WITHIN)
            visitor.settimeout(ARRIVES_WITHIN)
            # closed by a reset: nothing of it lingers on a port that is about to be used
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            visitor.connect(("127.0.0.1", port))
            arrived, address = listener.accept()
            arrived.close()
            came_here: bool = address == visitor.getsockname()
            return not came_here
    except OSError:
        return True


def why_not_free(port: int) -> OSError | None:
    """What stops a program from listening on this TCP port on loopback and on all addresses."""
    attempts = (
        _listen(family, address, port)
        for family, address in (
            (socket.AF_INET, "127.0.0.1"),
            (socket.AF_INET, "0.0.0.0"),  # noqa: S104 - to see whether it is taken
            (socket.AF_INET6, "::"),
        )
    )
    return next((error for error in attempts if error is not None), None)


def _listen(family: socket.AddressFamily, address: str, port: int) -> OSError | None:
    """None as well where the host does not have that address family at all."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as attempt:
            # A port whose last connections only linger (TIME_WAIT) can be listened on.
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                attempt.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            attempt.bind((address, port))
            attempt.listen(1)
    except OSError as error:
        absent = error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
        return None if absent else error
    return None
