"""Caddy's JSON for one environment, and for the server that holds the routes.

Both slots are in the route from the start and a `file` matcher chooses between them, because any
change of Caddy's configuration closes idle keep-alive connections and every websocket: a cut-over
must not be one.
"""

from typing import Any

from codeb_mcp.domain.host import Json, Route
from codeb_mcp.domain.project import EnvironmentKey, Slot

SERVER = "codeb"
STREAM_CLOSE_DELAY = "24h"
"""How long websockets go on in a configuration that was replaced: a change for another domain is
no reason to close them. Those of a slot that was switched away from end with its container.
"""


def marker_path(key: EnvironmentKey, live_folder: str) -> str:
    """The file whose existence means that the green slot serves."""
    return f"{live_folder}/{key.slug}/{Slot.GREEN}"


def route_json(route: Route, live_folder: str) -> Json:
    """The route as Caddy stores it, comparable with what its admin API gives back."""
    return {
        "@id": route.id,
        "match": [{"host": [str(host) for host in route.hosts]}],
        "handle": [
            {
                "handler": "subroute",
                "routes": [
                    {
                        "match": [
                            {
                                "file": {
                                    "root": f"{live_folder}/{route.key.slug}",
                                    "try_files": [f"/{Slot.GREEN}"],
                                }
                            }
                        ],
                        "handle": [_proxy(route.port(Slot.GREEN))],
                        "terminal": True,
                    },
                    {"handle": [_proxy(route.port(Slot.BLUE))]},
                ],
            }
        ],
        "terminal": True,
    }


def _proxy(port: int) -> dict[str, Any]:
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"127.0.0.1:{port}"}],
        "stream_close_delay": STREAM_CLOSE_DELAY,
    }


def server_json(listen: str, *, tls: bool) -> Json:
    """The HTTP server that codeb's routes live in, for a Caddy that has none listening there."""
    server: dict[str, Any] = {"listen": [listen], "routes": []}
    if not tls:
        server["automatic_https"] = {"disable": True}
    return server
