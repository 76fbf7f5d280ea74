"""DNS records by hand; a deploy makes those of its own domain itself."""

from codeb_mcp.domain.host import DnsRecord
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import RecordView


class Domains:
    """The records of the zones that codeb keeps."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def create_record(self, record: DnsRecord, actor: str) -> RecordView:
        """Create or replace a record; one that stands already is left alone."""
        async with audited(
            self._systems,
            actor,
            "create_dns",
            name=record.name,
            type=record.type,
            content=record.content,
            ttl=record.ttl,
        ):
            standing = await self._systems.dns.records(record.name)
            changed = [each for each in standing if each.type is record.type] != [record]
            if changed:
                await self._systems.dns.put(record)
        return RecordView(
            name=record.name,
            type=record.type,
            content=record.content,
            ttl=record.ttl,
            changed=changed,
        )
