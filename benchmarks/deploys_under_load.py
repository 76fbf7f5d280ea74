"""Deploys under traffic, beside a control run without any: what is lost, and how long each takes.

    sudo .venv/bin/python -m benchmarks.deploys_under_load [--deploys 10] [--per-second 200]

Runs the embedded runtime in a folder of its own. The client never retries. The floor is the same
work by hand: start the container from the same image, and ask until it first answers.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import anyio
import httpx

from benchmarks.load import Target, Traffic, traffic
from tests.system.sites import EmbeddedSite

BY_HAND_PORT = 3990


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--deploys", type=int, default=10)
    arguments.add_argument("--per-second", type=float, default=200.0)
    options = arguments.parse_args()
    with EmbeddedSite.opened(Path(tempfile.mkdtemp(prefix="codeb-load-"))) as site:
        anyio.run(measure, site, options.deploys, options.per_second)


async def measure(site: EmbeddedSite, deploys: int, per_second: float) -> None:
    """The floor, a control run as long as the deploys took, and the deploys."""
    images = [site.image(f"load:v{n}", page=f"release {n}\n") for n in range(deploys + 1)]
    floor = statistics.median(by_hand(site, images[0]) for _ in range(5))
    async with site.session() as mcp:
        await mcp.call("init_project", project="load")
        deployed = await mcp.call("deploy", project="load", image=images[0])
        target = Target(site.url(), deployed["domain"])
        begin, seconds = time.perf_counter(), []
        async with traffic(target, per_second) as during:
            for image in images[1:]:
                started = time.perf_counter()
                await mcp.call("deploy", project="load", image=image)
                seconds.append(time.perf_counter() - started)
        took = time.perf_counter() - begin
        idle = []
        for image in images[:5]:
            started = time.perf_counter()
            await mcp.call("deploy", project="load", image=image)
            idle.append(time.perf_counter() - started)
        async with traffic(target, per_second) as control:
            await anyio.sleep(took)
    print(f"{'':24}{'requests':>10}{'lost':>6}")
    report("control, no deploys", control)
    report(f"{deploys} deploys in {took:.0f} s", during)
    print(
        f"a deploy takes {statistics.median(idle):.2f} s idle, "
        f"{statistics.median(seconds):.2f} s under this traffic (medians, call to return)"
    )
    print(
        f"by hand (run, first answer) {floor:.2f} s; "
        f"ratio idle {statistics.median(idle) / floor:.1f}"
    )
    if during.lost.total() > control.lost.total():
        raise SystemExit(f"requests were lost: {dict(during.lost)}")


def report(name: str, seen: Traffic) -> None:
    """One row."""
    print(f"{name:24}{seen.total:>10}{seen.lost.total():>6}")


def by_hand(site: EmbeddedSite, image: str) -> float:
    """Seconds from `podman run` to the first answer."""
    begin = time.perf_counter()
    publish = f"--publish=127.0.0.1:{BY_HAND_PORT}:8080"
    name = site.podman("run", "--detach", "--env=PORT=8080", publish, image).strip()
    try:
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{BY_HAND_PORT}/").raise_for_status()
                return time.perf_counter() - begin
            except httpx.TransportError:
                continue
    finally:
        site.podman("rm", "--force", "--time=0", name)


if __name__ == "__main__":
    main()
