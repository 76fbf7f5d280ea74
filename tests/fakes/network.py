"""The network side of a host, in memory. Each passes the contract suite of its Protocol."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from codeb_mcp.domain.certificate import Certificate
from codeb_mcp.domain.domains import LOOPBACK, Resolution
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
    requests by port. `uncertified` is how many more visitors find no certificate.
    """

    markers: FakeMarkers = field(default_factory=FakeMarkers)
    probe: FakeProbe = field(default_factory=FakeProbe)
    routes: dict[str, Json] = field(default_factory=dict)
    wanted: dict[str, Route] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)
    in_flight: dict[int, int] = field(default_factory=dict)
    writes: int = 0
    down: bool = False
    uncertified: int = 0

    async def route(self, route_id: str) -> Json | None:
        return self.routes.get(route_id)

    async def require_unrouted(self, domain: DomainName, route_id: str) -> None:
        other = self.foreign.get(domain) or next(
            (i for i, known in self.wanted.items() if domain in known.hosts), route_id
        )
        if other != route_id:
            raise Refused(
                f"the domain {domain} is already routed by {other}",
                hint="remove that route",
                code="domain_routed_elsewhere",
            )

    async def put_route(self, route: Route) -> None:
        for host in route.hosts:
            await self.require_unrouted(host, route.id)
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
        if self.uncertified > 0:
            self.uncertified -= 1
            raise SystemFailed(f"no TLS for {domain}", code="certificate_missing")
        for route in self.wanted.values():
            if domain in route.hosts:
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

    async def holds(self, name: DomainName) -> bool:
        return name.is_within(self.base)

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


@dataclass
class FakeResolver:
    """Answers by name; one that nobody set does not exist. What `dns` keeps is answered too.

    `later` are answers that come only after so many questions.
    """

    dns: FakeDns
    answers: dict[str, Resolution] = field(default_factory=dict)
    later: dict[str, tuple[int, Resolution]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def resolve(self, domain: DomainName) -> Resolution:
        self.asked.append(domain)
        times, answer = self.later.get(domain, (0, None))
        if answer is not None and self.asked.count(domain) > times:
            return answer
        if domain in self.answers:
            return self.answers[domain]
        kept = tuple(record.content for record in await self.dns.records(domain))
        return Resolution(kept) if kept else Resolution(problem="it does not exist")


@dataclass
class FakeCertificates:
    """Certificates for every host that `proxy` routes, had at once.

    `missing` are hosts that none can be had for, `stuck` is an authority that signs nothing new.
    """

    proxy: FakeProxy
    now: Callable[[], datetime]
    kept: bool = False
    missing: set[str] = field(default_factory=set)
    stuck: bool = False
    serials: dict[str, int] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    ordered: list[str] = field(default_factory=list)

    async def served(self, domain: DomainName) -> Certificate | None:
        routed = any(domain in route.hosts for route in self.proxy.wanted.values())
        if not routed or domain in self.missing:
            return None
        if domain not in self.serials or (domain in self.shares and not self.stuck):
            self.shares.pop(domain, None)
            self.ordered.append(domain)
            self.serials[domain] = len(self.ordered)
        begin = self.now() - timedelta(days=1)
        return Certificate(
            serial=f"{self.serials[domain]:x}",
            names=(domain,),
            issuer="CN=Fake",
            not_before=begin,
            not_after=begin + timedelta(days=90),
        )

    def signed(self, domain: DomainName) -> bool:
        return not domain.is_within(LOOPBACK)

    async def start_renewal(self, shares: Mapping[DomainName, float]) -> float:
        self.shares.update({str(host): share for host, share in shares.items()})
        return 60.0

    async def end_renewal(self, domains: Collection[DomainName]) -> None:
        for domain in domains:
            self.shares.pop(domain, None)
