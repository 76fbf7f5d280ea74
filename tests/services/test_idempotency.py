"""The same request sent many times is carried out once, and everybody gets its result."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from codeb_mcp.adapters.registry import SqlReceipts
from codeb_mcp.domain.lifetime import KEY_LIFE, IdempotencyKey
from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import DeployFailed, InvalidRequest, Refused
from codeb_mcp.services.deployments import Deployments, DeployRequest, RollbackRequest
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.views import DeployView
from tests.fakes.containers import Application
from tests.fakes.systems import InMemoryHost

KEY = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
ONCE = IdempotencyKey("commit-4f2a")
CALLER = Path(__file__).with_name("idempotent_caller.py")


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    made = InMemoryHost(tmp_path)
    await Projects(made.systems(), lambda: "abc").init(
        NewProject(KEY.project, ProjectType.IMAGE), "cli:me"
    )
    return made


async def deploy(host: InMemoryHost, image: str, **more: object) -> DeployView:
    request = DeployRequest(KEY, ImageReference(image), "cli:me", idempotency_key=ONCE)
    return await Deployments(host.systems()).deploy(replace(request, **more))  # type: ignore[arg-type]  # the fields of the request


async def test_twenty_calls_at_once_make_one_release_and_all_get_its_result(
    host: InMemoryHost,
) -> None:
    image = host.good_image()
    results: list[DeployView] = []

    async def call() -> None:
        results.append(await deploy(host, image))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(call)
    assert len(results) == 20
    assert len({each.model_dump_json() for each in results}) == 1
    assert results[0].release == 1
    assert results[0].changed is True
    assert len(await host.registry.releases(KEY)) == 1
    assert [each.action for each in await host.registry.audit_trail()].count("deploy") == 1


async def test_later_call_gets_the_result_of_then_whatever_runs_now(host: InMemoryHost) -> None:
    image = host.good_image("v1")
    first = await deploy(host, image)
    await deploy(host, host.good_image("v2"), idempotency_key=None)
    assert (await deploy(host, image)).model_dump_json() == first.model_dump_json()
    assert len(host.runtime.starts) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"source": ImageReference("localhost/app:v2")},
        {"key": EnvironmentKey(KEY.project, EnvironmentName("production"))},
        {"source": Path("/localhost/app:v1")},
    ],
)
async def test_same_key_for_another_request_is_refused(
    host: InMemoryHost, other: dict[str, object]
) -> None:
    await deploy(host, host.good_image("v1"))
    host.good_image("v2")
    before = await host.left_behind()
    with pytest.raises(Refused, match="was used for another request") as caught:
        await deploy(host, "localhost/app:v1", **other)
    assert caught.value.code == "key_reused"
    assert await host.left_behind() == before


async def test_rollback_and_deploy_do_not_share_a_key(host: InMemoryHost) -> None:
    for tag in ("v1", "v2"):
        await deploy(host, host.good_image(tag), idempotency_key=None)
    deployments = Deployments(host.systems())
    request = RollbackRequest(KEY, "cli:me", idempotency_key=ONCE)
    first = await deployments.rollback(request)
    again = await deployments.rollback(request)
    assert again.model_dump_json() == first.model_dump_json()
    assert (first.version, len(host.runtime.starts)) == ("v1", 3)
    with pytest.raises(Refused) as caught:
        await deploy(host, "localhost/app:v2")
    assert caught.value.code == "key_reused"


async def test_release_that_failed_is_the_result_as_well(host: InMemoryHost) -> None:
    image = host.bad_image(Application.ERRORS)
    with pytest.raises(DeployFailed) as first:
        await deploy(host, image)
    with pytest.raises(DeployFailed) as again:
        await deploy(host, image)
    assert (again.value.message, again.value.code) == (first.value.message, first.value.code)
    assert len(host.runtime.starts) == 1


async def test_request_that_changed_nothing_leaves_its_key_free(host: InMemoryHost) -> None:
    with pytest.raises(InvalidRequest):
        await deploy(host, "localhost/none:v1")
    assert (await deploy(host, host.good_image("v2"))).release == 1


async def test_cancelled_request_leaves_its_key_free(host: InMemoryHost) -> None:
    image = host.good_image()
    with anyio.CancelScope() as scope:

        async def cancel(_: object) -> None:
            scope.cancel()

        request = DeployRequest(KEY, ImageReference(image), "cli:me", idempotency_key=ONCE)
        await Deployments(host.systems()).deploy(request, cancel)
    assert scope.cancelled_caught
    assert (await deploy(host, image)).release is not None


async def test_dry_run_uses_no_key(host: InMemoryHost) -> None:
    image = host.good_image()
    assert (await deploy(host, image, dry_run=True)).changed is False
    assert (await deploy(host, image)).changed is True


async def test_key_is_free_again_after_a_day(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    moments = iter([now, now + KEY_LIFE - timedelta(seconds=1), now + KEY_LIFE])
    receipts = SqlReceipts(tmp_path / "registry.db", lambda: next(moments))
    await receipts.begin(ONCE, "first")
    assert await receipts.find(ONCE) is not None
    assert await receipts.find(ONCE) is None


class Caller:
    """A process that deploys with the key, on the same folder as all others."""

    def __init__(self, folder: Path, *, hang: bool = False) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(CALLER), str(folder), str(ONCE), "hang" if hang else "go"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def result(self) -> dict[str, object]:
        """What the deploy gave."""
        out, errors = self.process.communicate(timeout=90)
        assert self.process.returncode == 0, errors
        return dict(json.loads(out.splitlines()[-1]))


@pytest.fixture
def callers() -> Iterator[ExitStack]:
    """Ends what a test that fails leaves running."""
    with ExitStack() as stack:
        yield stack


def _started(stack: ExitStack, folder: Path, *, hang: bool = False) -> Caller:
    caller = Caller(folder, hang=hang)
    stack.callback(caller.process.wait)
    stack.callback(caller.process.kill)
    return caller


def test_processes_with_one_key_make_one_release(callers: ExitStack, tmp_path: Path) -> None:
    processes = [_started(callers, tmp_path) for _ in range(6)]
    results = [each.result() for each in processes]
    assert all(each == results[0] for each in results)
    assert (tmp_path / "starts").read_text() == "1"


def test_key_of_a_killed_process_is_not_stuck(callers: ExitStack, tmp_path: Path) -> None:
    killed = _started(callers, tmp_path, hang=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "hanging").exists():
        assert killed.process.poll() is None, killed.process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)  # how often to look; another process's file cannot be awaited
    waiting = _started(callers, tmp_path)
    os.kill(killed.process.pid, signal.SIGKILL)
    assert waiting.result()["changed"] is True
