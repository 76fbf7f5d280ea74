"""Time from the call of a deploy until it serves, beside the same work by hand, in one run.

    sudo .venv/bin/python -m benchmarks.overhead [--runs 15] [--runtime podman|quadlet]

By hand is: pull the image (its layers are there), start its container or unit, first healthy
answer. The unit, or the options of `podman run`, are those that codeb uses itself; a unit is
written and loaded before the clock starts. The two take turns, so that both see the same load.
codeb's clock ends when a visitor, through Caddy, first gets the new release.
"""

import argparse
import statistics
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import anyio
import httpx

from benchmarks import by_hand
from benchmarks.lab import lab_site
from tests.system.sites import EmbeddedSite, LabSite, Site
from tests.system.sites.site import Session

PROJECT = "overhead"
PORT = 3990
UNIT = "by-hand.service"
BETWEEN_VISITS = 0.01
MOST_SECONDS, MOST_RATIO = 0.5, 1.3

S = TypeVar("S", bound=Site)


@dataclass(frozen=True, slots=True)
class Hands(ABC, Generic[S]):
    """A person at work on `site`, with the container that codeb started last as the model."""

    site: S
    model: str

    @abstractmethod
    def deploy(self, image: str) -> float:
        """Start `image` on PORT; seconds to the first answer. It is gone afterwards."""


class PodmanHands(Hands[EmbeddedSite]):
    """`podman run` on this host."""

    def deploy(self, image: str) -> float:
        """As the base says."""
        podman = ["podman", "--url", f"unix://{self.site.endpoint('podman')}"]
        options = (
            *("--detach", "--name=by-hand", "--env=PORT=8080", "--cap-drop=all"),
            *("--security-opt=no-new-privileges", f"--publish=127.0.0.1:{PORT}:8080"),
            f"--network={self.site.podman('inspect', self.model, '--format', NETWORKS).strip()}",
        )
        try:
            return by_hand.by_hand(PORT, [[*podman, "run", *options, image]])
        finally:
            self.site.podman("rm", "--force", "--time=0", "by-hand")


NETWORKS = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}"


class QuadletHands(Hands[LabSite]):
    """`podman pull` and `systemctl start` in the server."""

    def deploy(self, image: str) -> float:
        """As the base says."""
        server, user = self.site.server, self.site.user
        folder = f"{user.home}/.config/containers/systemd"
        unit = server.read(f"{folder}/{self.model}.container")
        text = "".join(f"{line}\n" for line in self._changed(unit, image))
        server.write(f"{folder}/by-hand.container", text, owner=user.name)
        server.run_as(user.name, ["systemctl", "--user", "daemon-reload"])
        script = Path(by_hand.__file__).read_text()
        commands = (f"podman pull --quiet {image}", f"systemctl --user start {UNIT}")
        argv = [self.site.product.python, "-", str(PORT), *commands]
        try:
            return float(server.run_as(user.name, argv, input=script).stdout)
        finally:
            for verb in ("stop", "reset-failed"):  # else systemd counts the starts
                server.run_as(user.name, ["systemctl", "--user", verb, UNIT], check=False)
            server.run(["rm", f"{folder}/by-hand.container"])
            server.run_as(user.name, ["systemctl", "--user", "daemon-reload"])

    def _changed(self, unit: str, image: str) -> Iterator[str]:
        for line in unit.splitlines():
            name, _, value = line.partition("=")
            match name:
                case "ContainerName":
                    yield "ContainerName=by-hand"
                case "Image":
                    yield f"Image={image}"
                case "PublishPort":
                    yield f"PublishPort=127.0.0.1:{PORT}:{value.rpartition(':')[2]}"
                case _:
                    yield line


async def seconds_to_serve(
    site: Site, mcp: Session, image: str, domain: str, page: str
) -> tuple[float, float]:
    """From the call until a visitor gets `page`, and until the call returns."""
    begin = time.perf_counter()
    served = 0.0

    async def visit() -> None:
        nonlocal served
        async with httpx.AsyncClient(base_url=site.url(), headers={"Host": domain}) as client:
            while (await client.get("/")).text != page:
                await anyio.sleep(BETWEEN_VISITS)
        served = time.perf_counter() - begin

    async with anyio.create_task_group() as group:
        group.start_soon(visit)
        await mcp.call("deploy", project=PROJECT, image=image)
        returned = time.perf_counter() - begin
    return served, returned


async def measure(site: Site, runs: int) -> bool:
    """Measure, print, and say whether both limits are kept."""
    pages = [f"release {number}\n" for number in range(runs + 1)]
    images = [site.image(f"{PROJECT}:v{n}", page=page) for n, page in enumerate(pages)]
    floor, served, returned = [], [], []
    async with site.session() as mcp:
        await mcp.call("init_project", project=PROJECT)
        deployed = await mcp.call("deploy", project=PROJECT, image=images[0])
        for image, page in zip(images[1:], pages[1:], strict=True):
            model = f"codeb-{PROJECT}-staging-{deployed['slot']}"
            if isinstance(site, LabSite):  # its layers are there, by hand and for codeb
                site.podman("pull", "--quiet", image)
            floor.append(hands_of(site, model).deploy(image))
            times = await seconds_to_serve(site, mcp, image, deployed["domain"], page)
            served.append(times[0])
            returned.append(times[1])
            deployed = await mcp.call("deploy", project=PROJECT, image=image)
            assert deployed["changed"] is False
    return report(site.name, floor, served, returned)


def hands_of(site: Site, model: str) -> PodmanHands | QuadletHands:
    """The person for that runtime."""
    if isinstance(site, LabSite):
        return QuadletHands(site, model)
    assert isinstance(site, EmbeddedSite)
    return PodmanHands(site, model)


def report(name: str, floor: list[float], served: list[float], returned: list[float]) -> bool:
    """One line; whether the limits are kept."""
    hand, codeb = statistics.median(floor), statistics.median(served)
    over, ratio = codeb - hand, codeb / hand
    print(
        f"{name:8} by hand {hand:.2f} s ({min(floor):.2f}), codeb serves after {codeb:.2f} s "
        f"({min(served):.2f}), returns after {statistics.median(returned):.2f} s: "
        f"overhead {over:.2f} s, ratio {ratio:.2f} (medians of {len(floor)}, least in brackets)"
    )
    return over <= MOST_SECONDS and ratio <= MOST_RATIO


def main() -> None:
    """Measure both runtimes."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=15)
    arguments.add_argument("--runtime", choices=["podman", "quadlet"])
    options = arguments.parse_args()
    kept = []
    if options.runtime != "quadlet":
        with EmbeddedSite.opened(Path(tempfile.mkdtemp(prefix="codeb-overhead-"))) as site:
            kept.append(anyio.run(measure, site, options.runs))
    if options.runtime != "podman":
        with lab_site() as server:
            kept.append(anyio.run(measure, server, options.runs))
    if not all(kept):
        sys.exit(f"over the limits: {MOST_SECONDS:g} s and {MOST_RATIO:g} times")


if __name__ == "__main__":
    main()
