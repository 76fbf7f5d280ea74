"""Caddy as the proxy in front of every environment."""

from pathlib import Path
from typing import Literal

from codeb_mcp.adapters.caddy_admin import CaddyAdmin
from codeb_mcp.adapters.caddy_version import require_new_enough
from codeb_mcp.adapters.certificates import CaddyCertificates
from codeb_mcp.adapters.http_client import NO_TLS, NoAnswer, Target, fetch
from codeb_mcp.domain.host import Json, Route
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import Refused, SystemFailed
from codeb_mcp.planning.certificates import Authority
from codeb_mcp.planning.routes import route_json
from codeb_mcp.planning.server_files import CADDY_SOCKET, CADDY_UNIT
from codeb_mcp.planning.servers import (
    Entrance,
    find_route,
    other_route,
    owned_routes,
    with_route,
    without_route,
)
from codeb_mcp.settings import Settings

START_EMBEDDED = "codeb local start"
START_SYSTEM = "systemctl start caddy"
START_OWN = f"systemctl start {CADDY_UNIT}"


def entrance_of(
    http_port: int,
    tls: Literal["off", "auto"],
    https_port: int = 443,
    authority: Authority | None = None,
) -> Entrance:
    """Where visitors come in, by the settings."""
    if tls == "auto":
        signed_by = authority or Authority()
        return Entrance(https_port, tls=True, plain_port=http_port, authority=signed_by)
    return Entrance(http_port)


def authority_of(settings: Settings) -> Authority:
    """Who signs certificates, by the settings."""
    root = str(settings.acme_root) if settings.acme_root else None
    return Authority(settings.acme_directory, root, settings.acme_email)


class CaddyProxy:
    """Implements `Proxy` through the admin API at `admin`.

    `http_port` is what visitors use without TLS; with `tls="auto"` they use `https_port` and Caddy
    keeps the certificates. `embedded` says that codeb runs this Caddy itself; `binary` is the
    program of one that it does not, where it is not found by itself.
    """

    def __init__(
        self,
        admin: str,
        *,
        http_port: int,
        tls: Literal["off", "auto"] = "off",
        live_folder: Path,
        embedded: bool,
        binary: Path | None = None,
        https_port: int = 443,
        authority: Authority | None = None,
    ) -> None:
        start = START_OWN if admin == f"unix/{CADDY_SOCKET}" else START_SYSTEM
        self._admin = CaddyAdmin(admin, START_EMBEDDED if embedded else start)
        self._tls = tls == "auto"
        self._entrance = entrance_of(http_port, tls, https_port, authority)
        self._live_folder = str(live_folder)
        self._embedded = embedded
        self._binary = binary

    @property
    def certificates(self) -> CaddyCertificates:
        """The certificates that this Caddy keeps."""
        return CaddyCertificates(self._admin, self._entrance)

    async def check_version(self) -> str:
        """The version of the Caddy that answers; HostNotReady when it is too old to be trusted."""
        return await require_new_enough(self._admin, self._binary)

    async def route(self, route_id: str) -> Json | None:
        """The route as it stands, or None."""
        config, _ = await self._admin.config()
        return find_route(config, route_id)

    async def put_route(self, route: Route) -> None:
        """Create or replace the route; one that already stands as wanted is left alone."""
        wanted = route_json(route, self._live_folder)

        def change(config: Json | None) -> Json:
            for host in route.hosts:
                _require_unrouted(config, host, route.id)
            return with_route(config, wanted, self._entrance)

        await self._admin.edit(f"routing {route.domain}", change)

    async def require_unrouted(self, domain: DomainName, route_id: str) -> None:
        """Raise Refused when another route than `route_id` answers for `domain`."""
        config, _ = await self._admin.config()
        _require_unrouted(config, domain, route_id)

    async def restore_route(self, route_id: str, before: Json | None) -> None:
        """Put a route back as it was; None removes it. Absent is fine."""
        if before is None:
            await self._admin.edit(
                f"removing the route {route_id}", lambda config: without_route(config, route_id)
            )
        else:
            await self._admin.edit(
                f"restoring the route {route_id}",
                lambda config: with_route(config, before, self._entrance),
            )

    async def owned(self) -> tuple[EnvironmentKey, ...]:
        """The environments whose route is chosen by a marker of this codeb folder."""
        config, _ = await self._admin.config()
        return owned_routes(config, self._live_folder)

    async def requests_in_flight(self, port: int) -> int:
        """How many requests are being answered by 127.0.0.1:`port` right now."""
        answer = await self._admin.get("/reverse_proxy/upstreams")
        upstreams = answer.json()
        if not answer.ok or not isinstance(upstreams, list):
            raise SystemFailed(
                f"Caddy did not tell its requests in flight (HTTP {answer.status})",
                hint="try again; if it happens again, restart Caddy",
                code="caddy_refused",
            )
        address = f"127.0.0.1:{port}"
        return sum(int(up["num_requests"]) for up in upstreams if up.get("address") == address)

    async def public_status(self, domain: DomainName, path: str, seconds: float) -> int:
        """The HTTP status that a visitor of `domain` gets for `path`, asked of this Caddy."""
        scheme = "https" if self._tls else "http"
        here = f"{scheme}://127.0.0.1:{self._entrance.port}"
        try:
            answer = await fetch(
                Target(here, server_name=str(domain)), path, seconds=seconds, limit=1_024
            )
        except NoAnswer as nothing:
            # Caddy has no certificate to show for the domain, or not yet.
            uncertified = self._tls and nothing.reason == NO_TLS
            raise SystemFailed(
                f"Caddy does not answer for {domain} on {here}: {nothing.reason}",
                hint="see that nothing else listens on that port and that the certificate, "
                "if any, could be had; Caddy's log says more",
                code="certificate_missing" if uncertified else "public_unreachable",
            ) from None
        return answer.status

    def url(self, domain: DomainName) -> str:
        """Where a visitor opens the domain."""
        scheme, usual = ("https", 443) if self._tls else ("http", 80)
        port = "" if self._entrance.port == usual else f":{self._entrance.port}"
        return f"{scheme}://{domain}{port}/"


def _require_unrouted(config: Json | None, host: DomainName, route_id: str) -> None:
    other = other_route(config, str(host), route_id)
    if other is not None:
        raise Refused(
            f"the domain {host} is already routed by {other} in this Caddy",
            hint="remove that route from Caddy's configuration, or deploy this "
            "environment under another domain",
            code="domain_routed_elsewhere",
        )
