"""Deploys and rollbacks under traffic, beside a control run without any: what is lost.

    sudo apt-get install wrk
    sudo .venv/bin/python -m benchmarks.deploys_under_load [--rounds 10] [--per-second 200]

In a booted server, with units under systemd. A round is two deploys and a rollback. The traffic:
a client that never retries (GET, POST, some of 1.5 s, over kept and new connections), two `wrk`
beside it (kept and new connections), and websockets that always say something. The old slot has
three seconds to finish, so each change closes its websockets. Another site is visited meanwhile.
"""

import argparse
import re
import signal
import statistics
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from tempfile import NamedTemporaryFile

import anyio

from benchmarks.lab import lab_site
from benchmarks.load import Target, Traffic, traffic
from tests.system.live import live_image
from tests.system.sites import LabSite
from tests.system.sites.site import Session

DRAIN_SECONDS = 3.0
SOCKETS = 20
# between two requests of a connection, in milliseconds: a load, and not all that the machine can
PACE = "function delay() return 20 end"
CONNECTIONS = 4


@dataclass
class Seen:
    """What three clients saw, and how long the changes took from call to return, in seconds."""

    client: Traffic
    beside: Traffic
    wrk: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All requests to the site that changes."""
        return self.client.total + sum(answered + lost for answered, lost in self.wrk.values())

    @property
    def lost(self) -> int:
        """Those of them without the right answer."""
        return self.client.lost.total() + sum(lost for _, lost in self.wrk.values())


@asynccontextmanager
async def everything(target: Target, other: Target, per_second: float) -> AsyncIterator[Seen]:
    """All the traffic, while the block runs."""
    with NamedTemporaryFile("w", suffix=".lua") as pace:
        pace.write(PACE)
        pace.flush()
        async with (
            traffic(other, per_second=20, sockets=2) as beside,
            traffic(target, per_second=per_second, sockets=SOCKETS) as client,
        ):
            seen = Seen(client, beside)
            running = {kind: _wrk(target, kind, pace.name) for kind in ("keep-alive", "close")}
            try:
                yield seen
            finally:
                for kind, process in running.items():
                    process.send_signal(signal.SIGINT)
                    output, _ = await anyio.to_thread.run_sync(process.communicate)
                    seen.wrk[kind] = _counted(output)


def _wrk(target: Target, kind: str, script: str) -> "subprocess.Popen[str]":
    headers = (f"--header=Host: {target.domain}", f"--header=Connection: {kind}")
    size = ("--threads=1", f"--connections={CONNECTIONS}", "--duration=1h", "--timeout=30s")
    argv = ["wrk", *size, *headers, f"--script={script}", target.url]
    # what ends it early is SIGINT, after which it says what it saw
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def _counted(output: str) -> tuple[int, int]:
    """Answered, and lost: errors of the connection, timeouts, answers that are no 2xx or 3xx."""
    requests = re.search(r"(\d+) requests in", output)
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output
    )
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    assert requests, output
    unwell = int(refused[1]) if refused else 0
    broken = sum(map(int, errors.groups())) if errors else 0
    return int(requests[1]) - unwell, broken + unwell


async def measure(site: LabSite, rounds: int, per_second: float) -> None:
    """The changes under traffic, then a control run as long as they took."""
    images = [live_image(site, f"load:v{n}", f"release {n}\n") for n in range(2 * rounds + 1)]
    async with site.session(CODEB_DRAIN_TIMEOUT=f"{DRAIN_SECONDS:g}") as mcp:
        target, other = [await _deployed(mcp, site, name, images[0]) for name in ("load", "other")]
        begin, seconds = time.perf_counter(), []
        async with everything(target, other, per_second) as during:
            for first, second in zip(images[1::2], images[2::2], strict=True):
                for tool, more in (
                    ("deploy", {"image": first}),
                    ("deploy", {"image": second}),
                    ("rollback", {}),
                ):
                    started = time.perf_counter()
                    assert (await mcp.call(tool, project="load", **more))["changed"]
                    seconds.append(time.perf_counter() - started)
        took = time.perf_counter() - begin
        async with everything(target, other, per_second) as control:
            await anyio.sleep(took)
    report("control, no changes", control)
    report(f"{2 * rounds} deploys, {rounds} rollbacks", during)
    print(f"in {took:.0f} s; a change returned after {statistics.median(seconds):.1f} s (median)")
    if during.lost > control.lost or during.beside.lost or during.beside.closed:
        raise SystemExit(f"lost: {dict(during.client.lost)} {during.wrk} {during.beside}")


async def _deployed(mcp: Session, site: LabSite, project: str, image: str) -> Target:
    await mcp.call("init_project", project=project)
    answer = await mcp.call("deploy", project=project, image=image)
    return Target(site.url(), answer["domain"])


def report(name: str, seen: Seen) -> None:
    """One run."""
    spoken = seen.client.answered["websocket message"]
    print(f"{name}: {seen.total} requests, {seen.lost} lost; of these")
    print(f"  client {seen.client.total}, of which {spoken} over websockets; wrk {seen.wrk}")
    print(f"  websockets closed as the protocol asks: {len(seen.client.closed)}")
    print(f"  the other site: {seen.beside.total}, {seen.beside.lost.total()} lost")


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=10)
    arguments.add_argument("--per-second", type=float, default=200.0)
    options = arguments.parse_args()
    with lab_site() as site:
        anyio.run(measure, site, options.rounds, options.per_second)


if __name__ == "__main__":
    main()
