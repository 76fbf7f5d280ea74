"""Steady traffic that never retries: a request that is lost is counted as lost.

A quarter each of: GET over kept connections, GET over new ones, POST over kept connections,
POST over new ones. A share of them is slow, so that some are always under way at a cut-over.
Beside them websockets that say something all the time.
"""

import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

SECONDS_TO_FINISH = 30.0
SLOW_SHARE = 25  # one of this many
BETWEEN_MESSAGES = 0.25
GOING_AWAY = 1001


@dataclass
class Traffic:
    """What became of the requests: by kind, how many were answered and what was lost.

    `closed` holds the moments (`time.monotonic`) at which websockets were closed by the other
    side in the way the protocol asks for; one that broke off, or could not be opened, is lost.
    """

    answered: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    closed: list[float] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All requests, and all messages over websockets, that came to an end."""
        return self.answered.total() + self.lost.total()


@dataclass(frozen=True, slots=True)
class Target:
    """Caddy's address, and the application behind it: `/`, `/echo`, `/slow`, `/socket`."""

    url: str
    domain: str


@asynccontextmanager
async def traffic(
    target: Target, per_second: float = 200.0, sockets: int = 0
) -> AsyncIterator[Traffic]:
    """Send requests at a steady rate while the block runs, and wait for the last answers.

    So many websockets are kept open meanwhile: one that was closed is opened anew.
    """
    seen = Traffic()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    async with (
        httpx.AsyncClient(limits=limits, timeout=SECONDS_TO_FINISH) as kept,
        anyio.create_task_group() as requests,
        anyio.create_task_group() as clock,
    ):
        if per_second:
            clock.start_soon(_send, requests, kept, target, per_second, seen)
        for _ in range(sockets):
            clock.start_soon(_talk, target, seen)
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
    path = "/slow" if slow else "/echo" if method == "POST" else "/"
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
    echoed = path != "/echo" or body in answer.content
    if answer.status_code == 200 and echoed:
        seen.answered[kind] += 1
    else:
        seen.lost[f"{kind}: HTTP {answer.status_code}"] += 1


async def _talk(target: Target, seen: Traffic) -> None:
    where = httpx.URL(target.url)
    while True:
        try:
            async with connect(
                f"ws://{target.domain}/socket",
                host=where.host,
                port=where.port or 80,
                proxy=None,
                ping_interval=None,
                open_timeout=SECONDS_TO_FINISH,
            ) as socket:
                await _say(socket, seen)
        except ConnectionClosed as error:
            if error.rcvd is not None and error.rcvd.code == GOING_AWAY:
                seen.closed.append(time.monotonic())
            else:
                seen.lost[f"websocket: {error}"] += 1
        except (OSError, TimeoutError, InvalidHandshake) as error:
            seen.lost[f"websocket not opened: {type(error).__name__}"] += 1
            await anyio.sleep(BETWEEN_MESSAGES)


async def _say(socket: ClientConnection, seen: Traffic) -> None:
    for number in itertools.count():
        text = f"message {number}"
        await socket.send(text)
        answer = await socket.recv()
        if answer == text:
            seen.answered["websocket message"] += 1
        else:
            seen.lost["websocket: another answer"] += 1
        await anyio.sleep(BETWEEN_MESSAGES)
