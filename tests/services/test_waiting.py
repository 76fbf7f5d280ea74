"""Two changes of one environment: the second is told who is at it, or waits."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import Locked, Refused
from codeb_mcp.services.deployments import Deployments, DeployRequest
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.views import DeployView
from tests.fakes.systems import InMemoryHost

KEY = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
OTHER = EnvironmentKey(ProjectName("blog"), EnvironmentName("staging"))
HOLDER = """
import sys, anyio
from datetime import UTC, datetime
from pathlib import Path
from codeb_mcp.adapters.locks import FileLocks
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey

async def main():
    locks = FileLocks(Path(sys.argv[1]), lambda: datetime.now(UTC))
    key = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
    async with locks.hold(key, "cli:holder", "deploy v9"):
        print("held", flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    made = InMemoryHost(tmp_path)
    projects = Projects(made.systems(), iter(("abc", "def")).__next__)
    for key in (KEY, OTHER):
        await projects.init(NewProject(key.project, ProjectType.IMAGE), "cli:me")
    return made


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of shop/staging until it is ended."""
    yield from _process(HOLDER, tmp_path)


@pytest.fixture
def closer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is closing shop/staging until it is ended."""
    closing = 'close(key, "cli:closer", 5)'
    yield from _process(HOLDER.replace('hold(key, "cli:holder", "deploy v9")', closing), tmp_path)


def _process(code: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder / "locks")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


async def deploy(
    host: InMemoryHost, image: str, key: EnvironmentKey = KEY, wait: float = 0
) -> DeployView:
    request = DeployRequest(key, ImageReference(image), "cli:me", wait=wait)
    return await Deployments(host.systems()).deploy(request)


async def test_second_process_is_told_who_holds_the_lock_since_when_and_what_for(
    host: InMemoryHost, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(Locked) as caught:
        await deploy(host, host.good_image())
    assert "cli:holder (deploy v9, since 20" in str(caught.value)
    assert f"process {holder.pid}" in str(caught.value)
    assert "have this call wait" in caught.value.hint


async def test_killed_holder_frees_the_lock_at_once(
    host: InMemoryHost, holder: subprocess.Popen[str]
) -> None:
    holder.kill()
    holder.wait()
    begin = time.monotonic()
    assert (await deploy(host, host.good_image())).release == 1
    assert time.monotonic() - begin < 5


async def test_other_projects_go_on_meanwhile(
    host: InMemoryHost, holder: subprocess.Popen[str]
) -> None:
    assert (await deploy(host, host.good_image(), OTHER)).release == 1


async def test_waiting_deploy_goes_on_when_the_one_before_ends(
    host: InMemoryHost, holder: subprocess.Popen[str]
) -> None:
    async with anyio.create_task_group() as group:

        async def wait_and_deploy() -> None:
            assert (await deploy(host, host.good_image(), wait=60)).release == 1

        group.start_soon(wait_and_deploy)
        await anyio.sleep(0.3)
        assert await host.registry.releases(KEY) == ()
        holder.kill()


async def test_waiting_ends_when_its_time_is_over(
    host: InMemoryHost, holder: subprocess.Popen[str]
) -> None:
    begin = time.monotonic()
    with pytest.raises(Locked, match="cli:holder"):
        await deploy(host, host.good_image(), wait=0.5)
    assert 0.5 <= time.monotonic() - begin < 5


async def test_waiting_deploys_take_turns_and_all_are_made(host: InMemoryHost) -> None:
    images = [host.good_image(f"v{number}") for number in range(5)]
    async with anyio.create_task_group() as group:
        for image in images:
            group.start_soon(deploy, host, image, KEY, 60)
    assert len(await host.registry.releases(KEY)) == 5
    assert len(host.runtime.specs) == 1


async def test_deploy_that_waits_is_refused_once_the_environment_is_closed(
    host: InMemoryHost, holder: subprocess.Popen[str]
) -> None:
    locks = host.systems().locks
    refused = anyio.Event()

    async def wait_for_the_deploy() -> None:
        with pytest.raises(Refused, match="is being removed by cli:closer"):
            await deploy(host, host.good_image(), wait=60)
        refused.set()

    async with anyio.create_task_group() as group:
        group.start_soon(wait_for_the_deploy)
        await anyio.sleep(0.2)
        with pytest.raises(Locked):
            async with locks.close(KEY, "cli:closer", 1.0):
                pass
        with anyio.fail_after(5):
            await refused.wait()


async def test_closing_ends_with_its_process(
    host: InMemoryHost, closer: subprocess.Popen[str]
) -> None:
    with pytest.raises(Refused, match="is being removed by cli:closer"):
        await deploy(host, host.good_image())
    closer.kill()
    closer.wait()
    assert (await deploy(host, host.good_image())).release == 1


async def test_status_says_who_is_changing_the_environment(
    host: InMemoryHost, tmp_path: Path
) -> None:
    await deploy(host, host.good_image())
    systems = host.systems()
    projects = Projects(systems, lambda: "abc")
    (before,) = (await projects.status(KEY.project)).environments
    async with systems.locks.hold(KEY, "mcp:claude", "deploy v2"):
        (during,) = (await projects.status(KEY.project)).environments
    assert (before.busy, during.busy[:21]) == ("", "mcp:claude (deploy v2")
