"""Attacks on a real Podman and a real Caddy: what they try to leave behind, or to mix up."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .sites import EmbeddedSite
from .sites.embedded import BIN

SERVE = 'CMD ["sh", "-c", "exec httpd -f -p $PORT -h /www"]'


@pytest.fixture(scope="module")
def site(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSite]:
    with EmbeddedSite.opened(tmp_path_factory.mktemp("attacks")) as made:
        yield made


def source(folder: Path, page: str, *more: str) -> Path:
    folder.mkdir()
    lines = ("FROM localhost/busybox", f"RUN mkdir /www && echo {page} > /www/index.html", *more)
    (folder / "Containerfile").write_text("\n".join((*lines, "STOPSIGNAL SIGKILL", SERVE, "")))
    return folder


def start(site: EmbeddedSite, *argv: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [str(BIN / "codeb"), *argv, "--json"],
        env=site.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def test_folders_built_at_once_for_different_environments_are_not_mixed_up(
    site: EmbeddedSite, tmp_path: Path
) -> None:
    site.codeb("init", "mixed")
    numbers = range(1, 7)
    deploys = [
        start(site, "deploy", "mixed", "--env", f"pr-{number}", "--source", str(folder))
        for number in numbers
        for folder in [source(tmp_path / f"source-{number}", f"page-{number}")]
    ]
    for running in deploys:
        said, errors = await asyncio.to_thread(running.communicate)
        assert running.returncode == 0, (said, errors)
    for number in numbers:
        answer = await site.get(f"pr-{number}.mixed.localhost")
        assert answer.text == f"page-{number}\n"


@pytest.mark.parametrize(
    "moment", ["start release", "wait until", "send the traffic", "check that"]
)
def test_deploy_that_was_killed_is_made_good_by_the_next_one(
    site: EmbeddedSite, moment: str
) -> None:
    project = f"killed-{moment.split(maxsplit=1)[0]}"
    first, second = (site.image(f"{project}:v{n}", page=f"{n}\n") for n in (1, 2))
    site.codeb("init", project)
    site.codeb("deploy", project, "--image", first)
    running = subprocess.Popen(
        [str(BIN / "codeb"), "deploy", project, "--image", second],
        env=site.environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    assert any(moment in line for line in running.stderr)
    running.kill()
    running.communicate()
    site.codeb("deploy", project, "--image", second)
    again = json.loads(site.codeb("deploy", project, "--image", second, "--json"))
    assert again["plan"]["steps"] == []
    left = [name for name in site.snapshot().containers if project in name]
    assert len(left) == 1


def test_image_that_exposes_a_range_of_ports_is_deployed(site: EmbeddedSite) -> None:
    image = site.image("ranged:v1", containerfile=["EXPOSE 9000-9005"])
    site.codeb("init", "ranged")
    assert json.loads(site.codeb("deploy", "ranged", "--image", image, "--json"))["release"] == 1


def test_image_without_a_command_is_told_so_and_leaves_nothing(site: EmbeddedSite) -> None:
    image = site.image("commandless:v1", containerfile=["CMD []"])
    site.codeb("init", "commandless")
    before = site.snapshot()
    running = start(site, "deploy", "commandless", "--image", image)
    said, _ = running.communicate()
    assert running.returncode == 6
    assert json.loads(said)["error"]["code"] == "command_not_found"
    assert site.snapshot() == before
