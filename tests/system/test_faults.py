"""Every system that a deploy talks to, misbehaving: said within seconds, mended after."""

import itertools
import time
from collections.abc import Iterator

import pytest

from .faults import FAULTS, SYSTEMS, Faulty
from .sites import LabSite

PREFIX = "fault"
DOWN_WITHIN = 15.0
PULL_WITHIN = 60.0
SLOW_WITHIN = 90.0
HALF_WITHIN = 150.0
CODES = {
    "podman": ("podman_down", "podman_failed"),
    "caddy": ("caddy_down",),
    "powerdns": ("powerdns_down", "powerdns_refused"),
    "registry": ("registry_unreachable", "registry_failed", "registry_stalled"),
}
CASES = list(itertools.product(SYSTEMS, FAULTS))
NAMED = {"podman": "Podman", "caddy": "Caddy", "powerdns": "PowerDNS", "registry": "registry"}


@pytest.fixture(scope="module")
def faulty(lab_site: LabSite) -> Iterator[Faulty]:
    """The lab's site behind relays."""
    site = Faulty(lab_site)
    yield site
    site.close()


@pytest.mark.parametrize(("system", "fault"), CASES)
async def test_fault_is_named_in_time_and_nothing_of_it_is_left_once_it_is_over(
    faulty: Faulty, system: str, fault: str
) -> None:
    project = f"{PREFIX}-{system}-{fault}"
    image = faulty.image(f"{project}:v1", page=f"{project}\n")
    async with faulty.session() as mcp:
        await mcp.call("init_project", project=project)
        before = faulty.snapshot()
        with faulty.fault(system, fault):
            began = time.monotonic()
            answer = await mcp.ask("deploy", project=project, image=image)
            took = time.monotonic() - began
        if fault == "slow":
            assert took < SLOW_WITHIN
            assert not answer.error, answer.error
        else:
            # what may pass by itself is waited for, and tried again
            assert took < (PULL_WITHIN if system == "registry" else DOWN_WITHIN), answer.error
            assert any(f"(error {code}" in answer.error for code in CODES[system]), answer.error
            assert NAMED[system] in answer.error
            assert "next: " in answer.error
            assert faulty.snapshot() == before
        await _converges(faulty, project, image)
        assert faulty.snapshot() == before


@pytest.mark.parametrize(
    ("system", "fault"),
    [
        ("podman", "500"),
        ("podman", "timeout"),
        ("podman", "reset"),
        ("podman", "garbage"),
        ("caddy", "500"),
        ("caddy", "reset"),
        ("caddy", "garbage"),
        ("powerdns", "500"),
    ],
)
async def test_fault_of_changes_alone_is_undone_as_far_as_it_can_be_and_finished_by_the_next_call(
    faulty: Faulty, system: str, fault: str
) -> None:
    project = f"{PREFIX}-half-{system}-{fault}"
    image = faulty.image(f"{project}:v1", page=f"{project}\n")
    async with faulty.session() as mcp:
        await mcp.call("init_project", project=project)
        before = faulty.snapshot()
        with faulty.fault(system, f"changes:{fault}"):
            began = time.monotonic()
            answer = await mcp.ask("deploy", project=project, image=image)
            took = time.monotonic() - began
        assert took < HALF_WITHIN
        assert f"(error {system}_" in answer.error, answer.error
        assert NAMED[system] in answer.error
        assert faulty.snapshot().containers == before.containers
        await _converges(faulty, project, image)
        assert faulty.snapshot() == before


async def _converges(site: Faulty, project: str, image: str) -> None:
    """A deploy works, the same again changes nothing, and a removal leaves nothing."""
    async with site.session() as mcp:
        deployed = await mcp.call("deploy", project=project, image=image)
        assert (await site.get(deployed["domain"])).text == f"{project}\n"
        assert (await mcp.call("deploy", project=project, image=image))["plan"]["steps"] == []
        planned = await mcp.call("remove_environment", project=project, environment="staging")
        digest = planned["plan"]["digest"]
        await mcp.call(
            "remove_environment", project=project, environment="staging", plan_digest=digest
        )
