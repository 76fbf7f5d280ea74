"""Steady traffic that never retries: a request that is lost is counted as lost.

A quarter each of: GET over kept connections, GET over new ones, POST over kept connections,
POST over new ones. A share of them is slow, so that some are always under way at a cut-over.
"""

import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import httpx

SECONDS_TO_FINISH = 30.0
SLOW_SHARE = 25  # one of this many


@dataclass
class Traffic:
    """What became of the requests: by kind, how many were answered and what was lost."""

    answered: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All requests that came to an end."""
        return self.answered.total() + self.lost.total()


@dataclass(frozen=True, slots=True)
class Target:
    """Caddy's address, and the application behind it: `/`, `/cgi-bin/echo`, `/cgi-bin/slow`."""

    url: str
    domain: str


@asynccontextmanager
async def traffic(target: Target, per_second: float = 200.0) -> AsyncIterator[Traffic]:
    """Send requests at a steady rate while the block runs, and wait for the last answers."""
    seen = Traffic()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    async with (
        httpx.AsyncClient(limits=limits, timeout=SECONDS_TO_FINISH) as kept,
        anyio.create_task_group() as requests,
        anyio.create_task_group() as clock,
    ):
        clock.start_soon(_send, requests, kept, target, per_second, seen)
        yield seen
        clock.cancel_scope.cancel()


async def _send(
    requests: anyio.abc.TaskGroup,
    kept: httpx.AsyncClient,
    target: Target,
    per_second: float,
    seen: Traffic,
) -> None:
    begin = anyio.current_time()
    for number in itertools.count():
        # from the start, not from the last request: a late one does not lower the rate
        await anyio.sleep(max(0.0, begin + number / per_second - anyio.current_time()))
        requests.start_soon(_request, kept, target, number, seen)


async def _request(kept: httpx.AsyncClient, target: Target, number: int, seen: Traffic) -> None:
    method = "POST" if number % 4 in (1, 3) else "GET"
    slow = number % SLOW_SHARE == 0
    connection = "keep-alive" if number % 4 < 2 else "close"
    kind = f"{method} {connection}{' slow' if slow else ''}"
    body = f"request {number}".encode()
    path = "/cgi-bin/slow" if slow else "/cgi-bin/echo" if method == "POST" else "/"
    try:
        answer = await kept.request(
            method,
            f"{target.url}{path}",
            content=body if method == "POST" else None,
            headers={"Host": target.domain, "Connection": connection},
        )
    except httpx.HTTPError as error:
        seen.lost[f"{kind}: {type(error).__name__}"] += 1
        return
    echoed = path != "/cgi-bin/echo" or body in answer.content
    if answer.status_code == 200 and echoed:
        seen.answered[kind] += 1
    else:
        seen.lost[f"{kind}: HTTP {answer.status_code}"] += 1
