"""Visitors over HTTPS who verify the chain, one new connection each, and say how it went."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Seen:
    """`serials` counts answered visits by certificate; `again` those answered the second time.

    A visitor asks once more when the connection was closed without an answer, as browsers do;
    `lost` are those whom that did not help, `unsafe` the handshakes that failed.
    """

    serials: Counter[str] = field(default_factory=Counter)
    unsafe: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    again: int = 0


class Closed(Exception):
    """The connection was closed before an answer came."""


@asynccontextmanager
async def visiting(
    address: str, domain: str, trust: ssl.SSLContext, *, per_second: float = 40.0
) -> AsyncIterator[Seen]:
    """Visit `domain` at `address` for as long as it lasts."""
    seen, visits = Seen(), set[asyncio.Task[None]]()

    async def arrive() -> None:
        while True:
            visits.add(asyncio.create_task(_visit(address, domain, trust, seen)))
            await asyncio.sleep(1 / per_second)

    arriving = asyncio.create_task(arrive())
    try:
        yield seen
    finally:
        arriving.cancel()
        await asyncio.gather(*visits)


async def _visit(address: str, domain: str, trust: ssl.SSLContext, seen: Seen) -> None:
    for attempt in (1, 2):
        try:
            seen.serials[await _ask(address, domain, trust)] += 1
        except (Closed, ConnectionError):
            if attempt == 2:
                seen.lost["closed twice"] += 1
        except (OSError, ssl.SSLError, TimeoutError) as error:
            seen.unsafe[repr(error)] += 1
            return
        else:
            seen.again += attempt - 1
            return


async def _ask(address: str, domain: str, trust: ssl.SSLContext) -> str:
    """The serial of the certificate by which the answer, 200, came."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(
            address, 443, ssl=trust, server_hostname=domain
        )
        try:
            serial = str(writer.get_extra_info("peercert")["serialNumber"])
            request = f"GET / HTTP/1.1\r\nHost: {domain}\r\nConnection: close\r\n\r\n"
            writer.write(request.encode())
            answer = await reader.read()
        finally:
            writer.close()
    if not answer:
        raise Closed
    assert answer.startswith(b"HTTP/1.1 200"), answer[:100]
    return serial
