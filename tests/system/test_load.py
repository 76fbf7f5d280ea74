"""Deploys and rollbacks under every kind of traffic, websockets among it, on the server."""

import time
from typing import Any

import anyio
import pytest

from benchmarks.load import Target, traffic

from .live import live_image
from .sites import LabSite
from .sites.site import Session

DRAIN = 3.0
SOCKETS = 4


@pytest.fixture(scope="module")
def images(lab_site: LabSite) -> list[str]:
    return [live_image(lab_site, f"talk:v{n}", f"release {n}\n") for n in range(3)]


async def deployed(mcp: Session, site: LabSite, project: str, image: str) -> Target:
    """A project that serves that image."""
    await mcp.call("init_project", project=project)
    answer = await mcp.call("deploy", project=project, image=image)
    return Target(site.url(), answer["domain"])


def kinds(view: dict[str, Any]) -> list[str]:
    return [str(step["kind"]) for step in view["plan"]["steps"]]


async def test_deploys_and_rollbacks_lose_nothing_and_websockets_last_until_the_drain_limit(
    lab_site: LabSite, images: list[str]
) -> None:
    async with lab_site.session(CODEB_DRAIN_TIMEOUT=f"{DRAIN:g}") as mcp:
        target = await deployed(mcp, lab_site, "talk", images[0])
        neighbour = await deployed(mcp, lab_site, "beside", images[0])
        changes: list[tuple[str, dict[str, str]]] = [
            ("deploy", {"image": images[1]}),
            ("deploy", {"image": images[2]}),
            ("rollback", {}),
        ]
        async with (
            traffic(neighbour, per_second=20, sockets=1) as beside,
            traffic(target, per_second=80, sockets=SOCKETS) as seen,
        ):
            for tool, arguments in changes:
                begin, closed = time.monotonic(), len(seen.closed)
                assert (await mcp.call(tool, project="talk", **arguments))["changed"]
                ends = [moment - begin for moment in seen.closed[closed:]]
                assert len(ends) == SOCKETS
                assert min(ends) >= DRAIN
        assert (await lab_site.get(target.domain)).text == "release 1\n"
    assert seen.lost.total() == 0, seen.lost
    assert len(seen.answered) == 9, seen.answered
    assert (beside.lost.total(), beside.closed) == (0, []), beside.lost


async def test_rollback_while_the_old_release_still_answers_starts_no_container(
    lab_site: LabSite, images: list[str]
) -> None:
    async with lab_site.session() as mcp, lab_site.session() as other:
        target = await deployed(mcp, lab_site, "recall", images[0])
        async with traffic(target, per_second=20, sockets=1) as seen:
            async with anyio.create_task_group() as group:

                async def deploy_second() -> None:
                    await mcp.call("deploy", project="recall", image=images[1])

                group.start_soon(deploy_second)
                with anyio.fail_after(60):
                    while (await lab_site.get(target.domain)).text != "release 1\n":
                        await anyio.sleep(0.05)
                back = await other.call("rollback", project="recall")
            assert seen.closed == []
        assert (await lab_site.get(target.domain)).text == "release 0\n"
    assert "StartContainer" not in kinds(back)
    assert (back["release"], back["slot"]) == (1, "blue")
    assert seen.lost.total() == 0, seen.lost


async def test_websockets_outlast_the_first_deploy_of_another_project(
    lab_site: LabSite, images: list[str]
) -> None:
    async with lab_site.session() as mcp:
        target = await deployed(mcp, lab_site, "quiet", images[0])
        async with traffic(target, per_second=0, sockets=SOCKETS) as seen:
            await deployed(mcp, lab_site, "newcomer", images[0])
        assert (seen.lost.total(), seen.closed) == (0, []), seen.lost
        assert seen.answered.total() > SOCKETS
