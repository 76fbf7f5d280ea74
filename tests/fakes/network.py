"""The network side of a host, in memory. Each passes the contract suite of its Protocol."""

from dataclasses import dataclass, field

from codeb_mcp.domain.host import DnsRecord, Json, ProbeAnswer, RecordType, Route
from codeb_mcp.domain.names import DomainName
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.errors import InvalidRequest, Refused, SystemFailed
from codeb_mcp.planning.routes import route_json


@dataclass
class FakeProbe:
    """Answers by port; a port that nobody set refuses. `taken` are held by strangers."""

    answers: dict[int, list[ProbeAnswer]] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    asked: list[tuple[int, str, float]] = field(default_factory=list)

    def serve(self, port: int, *statuses: int) -> None:
        """Answer with each status in turn, and with the last one from then on."""
        self.answers[port] = [ProbeAnswer(status) for status in statuses]

    async def get(self, port: int, path: str, seconds: float) -> ProbeAnswer:
        self.asked.append((port, path, seconds))
        answers = self.answers.get(port)
        if not answers:
            return ProbeAnswer(None, "connection refused")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def port_is_free(self, port: int) -> bool:
        return port not in self.taken and port not in self.answers


@dataclass
class FakeMarkers:
    """Markers in a dict."""

    slots: dict[EnvironmentKey, Slot] = field(default_factory=dict)
    changes: list[tuple[EnvironmentKey, Slot]] = field(default_factory=list)

    def folder(self) -> str:
        return "/live"

    async def slot(self, key: EnvironmentKey) -> Slot:
        return self.slots.get(key, Slot.BLUE)

    async def point_to(self, key: EnvironmentKey, slot: Slot) -> None:
        self.changes.append((key, slot))
        self.slots[key] = slot

    async def owned(self) -> tuple[EnvironmentKey, ...]:
        return tuple(self.slots)

    async def forget(self, key: EnvironmentKey) -> None:
        self.slots.pop(key, None)


@dataclass
class FakeProxy:
    """Routes in a dict, answered by asking `probe` for the slot that `markers` name.

    `foreign` are domains that somebody else routes; `writes` counts reloads; `in_flight` holds
    requests by port.
    """

    markers: FakeMarkers = field(default_factory=FakeMarkers)
    probe: FakeProbe = field(default_factory=FakeProbe)
    routes: dict[str, Json] = field(default_factory=dict)
    wanted: dict[str, Route] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)
    in_flight: dict[int, int] = field(default_factory=dict)
    writes: int = 0
    down: bool = False

    async def route(self, route_id: str) -> Json | None:
        return self.routes.get(route_id)

    async def put_route(self, route: Route) -> None:
        other = self.foreign.get(route.domain) or next(
            (i for i, known in self.wanted.items() if known.domain == route.domain), route.id
        )
        if other != route.id:
            raise Refused(
                f"the domain {route.domain} is already routed by {other}",
                hint="remove that route",
                code="domain_routed_elsewhere",
            )
        self.wanted[route.id] = route
        self._put(route.id, route_json(route, self.markers.folder()))

    async def restore_route(self, route_id: str, before: Json | None) -> None:
        if before is not None:
            self._put(route_id, before)
        elif self.routes.pop(route_id, None) is not None:
            del self.wanted[route_id]
            self.writes += 1

    def _put(self, route_id: str, wanted: Json) -> None:
        if self.routes.get(route_id) != wanted:
            self.routes[route_id] = wanted
            self.writes += 1

    async def owned(self) -> tuple[EnvironmentKey, ...]:
        return tuple(route.key for route in self.wanted.values())

    async def requests_in_flight(self, port: int) -> int:
        return self.in_flight.get(port, 0)

    async def public_status(self, domain: DomainName, path: str, seconds: float) -> int:
        if self.down:
            raise SystemFailed(f"Caddy does not answer for {domain}", code="public_unreachable")
        for route in self.wanted.values():
            if route.domain == domain:
                slot = await self.markers.slot(route.key)
                answer = await self.probe.get(route.port(slot), path, seconds)
                return answer.status or 502
        return 200

    def url(self, domain: DomainName) -> str:
        return f"http://{domain}:8080/"


@dataclass
class FakeDns:
    """Records in a dict, in the zones given; a name in none of them is refused."""

    base: DomainName = field(default_factory=lambda: DomainName("example.com"))
    kept: dict[tuple[DomainName, RecordType], DnsRecord] = field(default_factory=dict)
    managed: bool = True

    async def records(self, name: DomainName) -> tuple[DnsRecord, ...]:
        return tuple(record for (owner, _), record in self.kept.items() if owner == name)

    async def put(self, record: DnsRecord) -> None:
        if not record.name.is_within(self.base):
            raise InvalidRequest(
                f"{record.name} is in no zone of this server",
                hint=f"use a name within {self.base}",
                code="no_zone",
            )
        others = [found for found in await self.records(record.name) if found.type != record.type]
        if any(RecordType.CNAME in (found.type, record.type) for found in others):
            raise InvalidRequest(
                f"a CNAME must be the only record of {record.name}",
                hint="remove the other first",
                code="cname_conflict",
            )
        self.kept[record.name, record.type] = record

    async def remove(self, name: DomainName, kind: RecordType) -> None:
        self.kept.pop((name, kind), None)
