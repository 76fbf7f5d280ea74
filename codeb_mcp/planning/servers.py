"""Where codeb's routes go in a Caddy configuration that may hold other people's.

Everything here takes a configuration and gives a new one back; what is not codeb's comes through
unchanged.
"""

import copy
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from codeb_mcp.domain.host import Json
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.planning.certificates import (
    Authority,
    arrange_policies,
    end_renewal,
    forget_hosts,
    start_renewal,
)
from codeb_mcp.planning.routes import SERVER, server_json

OURS = "codeb-"
"""Every `@id` that codeb gives begins with this."""

_LISTEN = re.compile(r"(?:(?P<network>[a-z0-9]+)/)?(?P<host>.*):(?P<first>\d+)(?:-(?P<last>\d+))?")


@dataclass(frozen=True, slots=True)
class Entrance:
    """The door that visitors come in by: the port, and whether Caddy keeps certificates for it.

    With TLS, `plain_port` is where Caddy answers challenges and sends visitors on to `port`, and
    `authority` signs.
    """

    port: int
    tls: bool = False
    plain_port: int = 80
    authority: Authority = field(default_factory=Authority)

    @property
    def app(self) -> dict[str, Any]:
        """Caddy's HTTP app, for a Caddy that has none, without servers."""
        return {"http_port": self.plain_port, "https_port": self.port} if self.tls else {}


GRACE_PERIOD = "30s"
"""How long a reload lets the requests of the configuration before it go on."""


def embedded_config(before: Json | None, admin: str, entrance: Entrance) -> Json:
    """What a Caddy of codeb's own starts with: `before`, its last configuration, if there is one.

    The admin endpoint and the entrance are as wanted now, whatever they were. Nothing asks to
    have the host trust Caddy's own certificates.
    """
    changed = _writable(before)
    changed["admin"] = {"listen": admin}
    servers = _servers(changed, entrance)
    changed["apps"]["http"] = {"grace_period": GRACE_PERIOD, **changed["apps"]["http"]}
    changed["apps"]["http"] |= entrance.app
    if entrance.tls:
        own_ca = {"certificate_authorities": {"local": {"install_trust": False}}}
        changed["apps"].setdefault("pki", own_ca)
        arrange_policies(changed["apps"], our_hosts(changed), entrance.authority)
    _server_for(servers, entrance)
    return changed


def with_route(config: Json | None, wanted: Json, entrance: Entrance) -> Json:
    """`config` with the route `wanted` in the server that listens on the entrance, once.

    The route stays where it is if only routes of ours come before it; else it becomes the first,
    since it matches one exact host and nobody else's route may answer in its place.
    """
    changed = _writable(config)
    servers = _servers(changed, entrance)
    name = _server_for(servers, entrance)
    position = _position(servers[name].get("routes") or [], wanted["@id"])
    _drop(servers, wanted["@id"])
    servers[name]["routes"] = servers[name].get("routes") or []
    servers[name]["routes"].insert(position, dict(wanted))
    if entrance.tls:
        arrange_policies(changed["apps"], our_hosts(changed), entrance.authority)
    else:
        _keep_plain(servers[name], wanted)
    return changed


def without_route(config: Json | None, route_id: str) -> Json | None:
    """`config` without that route, wherever it is."""
    found = find_route(config, route_id)
    if found is None:
        return config
    changed = _writable(config)
    _drop(changed["apps"]["http"]["servers"], route_id)
    forget_hosts(changed["apps"], _hosts(found))
    return changed


def with_renewal(config: Json | None, shares: Mapping[DomainName, float]) -> Json:
    """`config` that renews each host's certificate as soon as less of its life is left."""
    changed = _writable(config)
    start_renewal(changed["apps"], shares)
    return changed


def without_renewal(
    config: Json | None, hosts: Collection[DomainName], entrance: Entrance
) -> Json | None:
    """`config` that renews these hosts' certificates when they are due, as all others."""
    if not config or "apps" not in config:
        return config
    changed = _writable(config)
    end_renewal(changed["apps"], hosts)
    arrange_policies(changed["apps"], our_hosts(changed), entrance.authority)
    return changed


def our_hosts(config: Json | None) -> frozenset[str]:
    """Every host that a route of codeb's answers for."""
    ours = (route for _, _, route in _top_routes(config) if _id(route).startswith(OURS))
    return frozenset(host for route in ours for host in _hosts(route))


def find_route(config: Json | None, route_id: str) -> Json | None:
    """The route of that id as it stands, or None."""
    return next((route for _, _, route in _top_routes(config) if _id(route) == route_id), None)


def owned_routes(config: Json | None, live_folder: str) -> tuple[EnvironmentKey, ...]:
    """The environments whose routes are this codeb folder's: by their id and by their marker."""
    keys = []
    for _, _, route in _top_routes(config):
        key = EnvironmentKey.of_slug(_id(route).removeprefix(OURS))
        if key is not None and _id(route).startswith(OURS):
            root = f"{live_folder}/{key.slug}"
            if any(each == root for each in _roots(route)):
                keys.append(key)
    return tuple(keys)


def _roots(route: Json) -> Iterator[object]:
    """The folders in which a route looks for markers."""
    for handler in route.get("handle") or ():
        for inner in handler.get("routes") or ():
            for match in inner.get("match") or ():
                yield (match.get("file") or {}).get("root")


def other_route(config: Json | None, host: str, route_id: str) -> str | None:
    """What a person calls the route, not `route_id`, that already answers for exactly `host`."""
    for server, number, route in _top_routes(config):
        if _id(route) != route_id and host in _hosts(route):
            return _id(route) or f"route {number} of the server {server}"
    return None


def _top_routes(config: Json | None) -> Iterator[tuple[str, int, Json]]:
    place: Any = config
    for key in ("apps", "http", "servers"):
        place = (place or {}).get(key)
    for name, server in (place or {}).items():
        for number, route in enumerate(server.get("routes") or []):
            yield name, number, route


def _hosts(route: Json) -> Iterator[str]:
    """The hosts that a route matches, with those of the routes inside it."""
    for matcher in route.get("match") or []:
        yield from (host.lower() for host in matcher.get("host") or [])
    for handler in route.get("handle") or []:
        for inner in handler.get("routes") or []:
            yield from _hosts(inner)


def _id(route: Json) -> str:
    return str(route.get("@id", ""))


def _writable(config: Json | None) -> dict[str, Any]:
    return copy.deepcopy(dict(config or {}))


def _servers(config: dict[str, Any], entrance: Entrance) -> dict[str, Any]:
    """The servers of `config`, with all that they are in made when it is missing."""
    config["apps"] = config.get("apps") or {}
    config["apps"]["http"] = http = config["apps"].get("http") or entrance.app
    http["servers"] = http.get("servers") or {}
    servers: dict[str, Any] = http["servers"]
    return servers


def _position(routes: list[Json], route_id: str) -> int:
    """Where the route is now, as long as only routes of ours come before it; else 0."""
    for position, route in enumerate(routes):
        if _id(route) == route_id:
            return position
        if not _id(route).startswith(OURS):
            break
    return 0


def _drop(servers: Mapping[str, Any], route_id: str) -> None:
    for server in servers.values():
        for dropped in [route for route in server.get("routes") or [] if _id(route) == route_id]:
            server["routes"].remove(dropped)
            _forget_plain(server, dropped)


def _server_for(servers: dict[str, Any], entrance: Entrance) -> str:
    """The server that listens on the entrance, else codeb's own, made or moved there."""
    listening = [name for name, server in servers.items() if _listens(server, entrance.port)]
    if SERVER in listening or not listening:
        fresh = server_json(f":{entrance.port}", tls=entrance.tls)
        own = servers.setdefault(SERVER, dict(fresh))
        if not _listens(own, entrance.port):
            own["listen"] = fresh["listen"]
        if entrance.tls and own.get("automatic_https", {}).get("disable"):
            del own["automatic_https"]
        elif not entrance.tls:
            own["automatic_https"] = fresh["automatic_https"]
        return SERVER
    return listening[0]


def _listens(server: Json, port: int) -> bool:
    return any(_covers(address, port) for address in server.get("listen") or [])


def _covers(address: str, port: int) -> bool:
    found = _LISTEN.fullmatch(address)
    if found is None or not (found["network"] or "tcp").startswith("tcp"):
        return False
    first = int(found["first"])
    return first <= port <= int(found["last"] or first)


def _keep_plain(server: dict[str, Any], route: Json) -> None:
    """Keep Caddy from turning a plain HTTP server into a TLS one because it now knows a host."""
    automatic: dict[str, Any] = server.setdefault("automatic_https", {})
    if automatic.get("disable"):
        return
    skipped: list[str] = automatic.setdefault("skip", [])
    skipped += [host for host in _hosts(route) if host not in skipped]


def _forget_plain(server: dict[str, Any], route: Json) -> None:
    automatic = server.get("automatic_https", {})
    if "skip" not in automatic:
        return
    automatic["skip"] = [host for host in automatic["skip"] if host not in set(_hosts(route))]
    if not automatic["skip"]:
        del automatic["skip"]
    if not automatic:
        del server["automatic_https"]


def smallest_change(before: Json | None, after: Json) -> tuple[str, str, Any]:
    """`(method, path, value)` that turns one configuration into the other through the admin API.

    The narrowest object that holds every difference is replaced, so that a mistake elsewhere in a
    configuration that is not ours is not ours to answer for.
    """
    method, path, value = "POST", "/config/", after
    old: Any = before
    while isinstance(old, Mapping) and isinstance(value, Mapping):
        if set(old) - set(value):
            break
        differing = [key for key in value if key not in old or old[key] != value[key]]
        if len(differing) != 1 or not re.fullmatch(r"[A-Za-z0-9_-]+", differing[0]):
            break
        key = differing[0]
        method = "PATCH" if key in old else "PUT"
        path = f"{path.rstrip('/')}/{key}"
        old, value = old.get(key), value[key]
    return method, path, value
