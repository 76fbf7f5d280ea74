"""How clients reach the server: stdio, streamable HTTP or SSE.

Over HTTP a bearer token is always needed, and the Host and Origin headers are checked on every
bind address: without that, a web page could reach a server on loopback by DNS rebinding.
"""

import gc
import sys
from typing import Literal

import anyio
from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl

from codeb_mcp.domain.names import DomainName
from codeb_mcp.server import build_server
from codeb_mcp.server.http import CheckedHeaders, listen, serve
from codeb_mcp.server.stdio import serve_stdio
from codeb_mcp.server.token import BearerToken, read_or_make_token
from codeb_mcp.settings import load_settings
from codeb_mcp.wiring import open_application

TOKEN_FILE = "token"  # noqa: S105 - a file's name, not a token


def allowed_names(host: str, port: int, more: tuple[str, ...]) -> TransportSecuritySettings:
    """The Host and Origin headers to accept: loopback, the bind address, and names given."""
    given = {str(DomainName(name)) for name in more}
    names = {"127.0.0.1", "localhost", "[::1]", *given}
    if host not in ("0.0.0.0", "::", ""):  # noqa: S104 - compared with, not bound to
        names.add(f"[{host}]" if ":" in host else host)
    # A client leaves out the scheme's own port, and so does a proxy on 443 or 80.
    bare = names if port == 80 else given
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=sorted({f"{name}:{port}" for name in names} | bare),
        allowed_origins=sorted(
            {f"http://{name}:{port}" for name in names}
            | {f"http://{name}" for name in bare - given}
            | {f"https://{name}" for name in given}
        ),
    )


def start_is_over() -> None:
    """End the start, in which `main` keeps the garbage collector off.

    What was loaded lives until the process ends: never looked at again, it costs nothing while
    serving, and the process ends in half the time.
    """
    gc.freeze()
    gc.enable()


def run_stdio() -> int:
    """Serve one client on standard input and output until it closes them; gives the exit code."""
    server = build_server(open_application())
    start_is_over()
    return anyio.run(serve_stdio, server)


def run_http(
    transport: Literal["http", "sse"], host: str, port: int, allowed_hosts: tuple[str, ...]
) -> int:
    """Serve many clients over HTTP until a signal ends it; gives the exit code."""
    settings = load_settings()
    security = allowed_names(host, port, allowed_hosts)
    token_path = settings.home / TOKEN_FILE
    token = read_or_make_token(token_path)
    server = build_server(
        open_application(settings),
        token_verifier=BearerToken(token),
        # No resource URL: a client must not go looking for an OAuth server that is not there.
        auth=AuthSettings(
            issuer_url=AnyHttpUrl(f"http://127.0.0.1:{port}"), resource_server_url=None
        ),
    )
    if transport == "http":
        path, app = "/mcp", server.streamable_http_app(transport_security=security)
    else:
        path, app = "/sse", server.sse_app(transport_security=security)
    shown_host = f"[{host}]" if ":" in host else host

    def say_ready() -> None:
        sys.stderr.write(
            f"codeb-mcp listens on http://{shown_host}:{port}{path}\n"
            "clients send the header Authorization: Bearer TOKEN, with the token in "
            f"{token_path}\n"
        )

    with listen(host, port) as listener:
        start_is_over()
        return anyio.run(serve, CheckedHeaders(app, security), listener, say_ready)
