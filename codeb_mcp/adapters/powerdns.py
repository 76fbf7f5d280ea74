"""PowerDNS over its HTTP API, and the adapter for hosts where codeb keeps no DNS."""

from collections.abc import Iterator
from typing import Any, NoReturn

from codeb_mcp.adapters.http_client import Answer, NoAnswer, Target, fetch
from codeb_mcp.domain.host import DnsRecord, RecordType
from codeb_mcp.domain.names import DomainName, shown
from codeb_mcp.errors import HostNotReady, InvalidRequest, SystemFailed
from codeb_mcp.planning.records import from_rrsets, removal, rrset
from codeb_mcp.planning.zones import new_zone
from codeb_mcp.settings import Settings

SECONDS = 4.0
MAX_ZONE = 32_000_000


class PowerDns:
    """Implements `Dns` with the server, zone and name server settings."""

    managed = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = DomainName(settings.base_domain)
        self._nameservers = tuple(DomainName(name) for name in settings.nameservers)
        key = settings.powerdns_key
        self._headers = {"x-api-key": key.get_secret_value()} if key else {}

    async def records(self, name: DomainName) -> tuple[DnsRecord, ...]:
        """The A, AAAA and CNAME records of `name`."""
        zone = await self._zone_of(name)
        if zone is None:
            return ()
        answer = await self._ask("GET", f"/zones/{zone}.?rrset_name={name}.")
        if answer.status == 404:
            return ()
        return from_rrsets(self._wanted(answer, f"reading {zone}")["rrsets"], name)

    async def holds(self, name: DomainName) -> bool:
        """Whether `name` is in a zone that is kept here already."""
        return await self._zone_of(name) is not None

    async def put(self, record: DnsRecord) -> None:
        """Create or replace the record set, and its zone when absent."""
        zone = await self._zone_of(record.name) or await self._create_zone(record.name)
        await self._patch(zone, rrset(record), f"setting {record}")

    async def remove(self, name: DomainName, kind: RecordType) -> None:
        """Remove the record set; absent is fine."""
        zone = await self._zone_of(name)
        if zone is not None:
            await self._patch(zone, removal(name, kind), f"removing {name} {kind}")

    async def has_zone(self) -> bool:
        """Whether some zone holds the base domain."""
        return await self._zone_of(self._base) is not None

    async def create_zone(self) -> None:
        """Create the zone of the base domain, unless some zone holds it."""
        if not await self.has_zone():
            await self._create_zone(self._base)

    async def _zone_of(self, name: DomainName) -> DomainName | None:
        """The longest zone there is that holds `name`."""
        for candidate in _upwards(name):
            answer = await self._ask("GET", f"/zones?zone={candidate}.")
            if self._wanted(answer, f"looking for the zone of {name}"):
                return candidate
        return None

    async def _create_zone(self, name: DomainName) -> DomainName:
        if not name.is_within(self._base):
            raise InvalidRequest(
                f"{name} is in no zone of this PowerDNS, nor within {self._base}",
                hint=f"use a name within {self._base}, or create the zone in PowerDNS first",
                code="no_zone",
            )
        zone = new_zone(self._base, self._nameservers, self._settings.addresses)
        answer = await self._ask("POST", "/zones?rrsets=false", zone)
        if answer.status != 409:  # somebody else created it at the same moment
            self._wanted(answer, f"creating the zone {self._base}")
        return self._base

    async def _patch(self, zone: DomainName, change: dict[str, Any], what: str) -> None:
        answer = await self._ask("PATCH", f"/zones/{zone}.", {"rrsets": [change]})
        if answer.status == 422 and "onflict" in answer.text:
            raise InvalidRequest(
                f"PowerDNS refused {what}: a CNAME must be the only record of its name",
                hint="remove the other records of that name first, or use A or AAAA",
                code="cname_conflict",
            )
        if not answer.ok:
            self._fail(answer, what)

    async def _ask(self, method: str, path: str, body: object = None) -> Answer:
        settings = self._settings
        base = settings.powerdns_url.rstrip("/")
        target = Target(base, headers=self._headers)
        path = f"/api/v1/servers/{settings.powerdns_server}{path}"
        try:
            answer = await fetch(
                target, path, method=method, body=body, seconds=SECONDS, limit=MAX_ZONE
            )
        except NoAnswer as nothing:
            raise HostNotReady(
                f"PowerDNS does not answer at {base}: {nothing.reason}",
                hint="start it: systemctl start pdns; its HTTP API needs api=yes and "
                "webserver-port in pdns.conf",
                code="powerdns_down",
            ) from None
        if answer.status == 401:
            said = "the API key was refused" if self._headers else "no API key is set"
            raise HostNotReady(
                f"PowerDNS at {base} lets nobody in: {said}",
                hint="set powerdns_key (CODEB_POWERDNS_KEY) to the api-key in pdns.conf",
                code="powerdns_key_refused",
            )
        return answer

    def _wanted(self, answer: Answer, what: str) -> Any:
        """The JSON of an answer that is one."""
        if not answer.ok or (found := answer.json()) is None:
            self._fail(answer, what)
        return found

    def _fail(self, answer: Answer, what: str) -> NoReturn:
        body = answer.json()
        said = body.get("error") if isinstance(body, dict) else None
        raise SystemFailed(
            f"PowerDNS failed while {what} (HTTP {answer.status}): "
            f"{shown(said or answer.text, 300)}",
            hint="check powerdns_url and powerdns_server in codeb's settings; "
            "journalctl -u pdns says more",
            code="powerdns_refused",
        )


class NoDns:
    """Implements `Dns` where codeb keeps none: every name answers already, or somebody else's."""

    managed = False

    async def records(self, name: DomainName) -> tuple[DnsRecord, ...]:  # noqa: ARG002 - Protocol
        """None that codeb keeps."""
        return ()

    async def holds(self, name: DomainName) -> bool:  # noqa: ARG002 - Protocol
        """No zone is kept."""
        return False

    async def put(self, record: DnsRecord) -> None:
        """Refused."""
        _not_managed(f"the record {record} cannot be set")

    async def remove(self, name: DomainName, kind: RecordType) -> None:
        """Refused."""
        _not_managed(f"the record {name} {kind} cannot be removed")


def _not_managed(what: str) -> NoReturn:
    raise InvalidRequest(
        f"{what}: codeb keeps no DNS on this host",
        hint='set dns = "powerdns" (CODEB_DNS) and powerdns_key (CODEB_POWERDNS_KEY), '
        "or set the record where the domain's DNS is kept",
        code="dns_not_managed",
    )


def _upwards(name: DomainName) -> Iterator[DomainName]:
    labels = name.split(".")
    for start in range(len(labels)):
        yield DomainName(".".join(labels[start:]))
