"""What comes after a deploy, on real systems: the end of previews, drift, what is left over."""

import asyncio
import json
from typing import Any

import anyio

from .sites import EmbeddedSite, LabSite, Site


async def test_preview_that_is_closed_during_its_deploy_leaves_nothing(site: Site) -> None:
    image = site.image("closing:v1", page="never seen\n")
    where = {"project": "closing", "environment": "pr-7"}
    # an answer that never comes: the release is being waited for when the preview is closed
    async with site.session() as deployer, site.session() as closer:
        await deployer.call("init_project", project="closing", health_check="/cgi-bin/hang")
        before = site.snapshot()
        waiting = asyncio.Event()

        async def note(
            progress: float, total: float | None = None, message: str | None = None
        ) -> None:
            if message is not None and message.startswith("wait until"):
                waiting.set()

        deploying = asyncio.create_task(
            deployer.client.call_tool("deploy", {**where, "image": image}, progress_callback=note)
        )
        async with asyncio.timeout(60):
            await waiting.wait()
        closed = await closer.call("remove_preview", **where)
        result = await deploying
        assert result.is_error
        assert "(error environment_closing" in str(result.content)
        assert closed["removed"] is True
        assert site.snapshot() == before
        listed = await closer.call("list_previews", project="closing")
        assert listed["previews"] == []


async def test_release_that_only_visitors_find_sick_is_rolled_back_by_itself(site: Site) -> None:
    good = site.image("sick:v1", page="well\n")
    sick = site.image("sick:v2", page="ill\n", containerfile=["ENV SICK_HOST=staging.sick."])
    async with site.session() as mcp:
        await mcp.call("init_project", project="sick", health_check="/cgi-bin/health")
        deployed = await mcp.call("deploy", project="sick", image=good)
        before = site.snapshot()
        failed = await mcp.ask("deploy", project="sick", image=sick)
        assert "answered in its slot, but not at" in failed.error
        assert "HTTP 500; release 1 still serves" in failed.error
        assert (await site.get(deployed["domain"])).text == "well\n"
        assert site.snapshot() == before
        again = await mcp.call("deploy", project="sick", image=good)
        assert again["plan"]["steps"] == []


async def test_twenty_calls_with_one_key_make_one_release(site: Site) -> None:
    image = site.image("one-time:v1", page="once\n")
    results: list[dict[str, Any]] = []
    async with site.session() as first, site.session() as second:
        await first.call("init_project", project="one-time")

        async def call(number: int) -> None:
            mcp = first if number % 2 else second
            arguments = {"project": "one-time", "image": image, "idempotency_key": "ci-run-1"}
            results.append(await mcp.call("deploy", **arguments))

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(call, number)
        assert len(results) == 20
        assert {json.dumps(each, sort_keys=True) for each in results} == {
            json.dumps(results[0], sort_keys=True)
        }
        assert (results[0]["release"], results[0]["changed"]) == (1, True)
        other = await first.ask(
            "deploy",
            project="one-time",
            environment="production",
            image=image,
            idempotency_key="ci-run-1",
        )
        assert "(error key_reused" in other.error


async def test_route_that_was_deleted_by_hand_comes_back_without_a_release(site: Site) -> None:
    image = site.image("drift:v1", page="here\n")
    async with site.session() as mcp:
        await mcp.call("init_project", project="drift")
        deployed = await mcp.call("deploy", project="drift", image=image)
        before = site.snapshot()
        site.delete_route("codeb-drift-staging")
        assert await _drift(mcp, "drift") == ["route_missing"]
        planned = await mcp.call("reconcile", project="drift", dry_run=True)
        assert _kinds(planned) == ["CheckHealth", "WriteRoute", "CheckPublic"]
        assert _kinds(await mcp.call("reconcile", project="drift")) == _kinds(planned)
        assert (await site.get(deployed["domain"])).text == "here\n"
        assert site.snapshot() == before
        assert await _drift(mcp, "drift") == []
        again = await mcp.call("reconcile", project="drift")
        assert _kinds(again) == []


async def test_container_that_was_removed_by_hand_is_started_again(
    embedded: EmbeddedSite,
) -> None:
    image = embedded.image("removed:v1", page="back again\n")
    async with embedded.session() as mcp:
        await mcp.call("init_project", project="removed")
        deployed = await mcp.call("deploy", project="removed", image=image)
        before = embedded.snapshot()
        embedded.podman("rm", "--force", "--time=0", "codeb-removed-staging-blue")
        assert await _drift(mcp, "removed") == ["container_gone"]
        mended = await mcp.call("reconcile", project="removed")
        assert _kinds(mended) == ["StartContainer", "CheckHealth", "CheckPublic"]
        assert (await embedded.get(deployed["domain"])).text == "back again\n"
        assert embedded.snapshot() == before
        status = await mcp.call("get_status", project="removed")
        assert status["environments"][0]["live"]["number"] == 1


async def test_unit_that_was_stopped_by_hand_is_started_again(lab_site: LabSite) -> None:
    image = lab_site.image("stopped:v1", page="back again\n")
    async with lab_site.session() as mcp:
        await mcp.call("init_project", project="stopped")
        deployed = await mcp.call("deploy", project="stopped", image=image)
        before = lab_site.snapshot()
        stop = ["systemctl", "--user", "stop", "codeb-stopped-staging-blue.service"]
        lab_site.server.run_as(lab_site.user.name, stop)
        assert await _drift(mcp, "stopped") == ["container_stopped"]
        mended = await mcp.call("reconcile", project="stopped")
        assert _kinds(mended) == ["StartContainer", "CheckHealth", "CheckPublic"]
        assert (await lab_site.get(deployed["domain"])).text == "back again\n"
        assert lab_site.snapshot() == before


async def test_gc_removes_what_the_registry_does_not_know_and_no_stranger_s(site: Site) -> None:
    image = site.image("left:v1", page="left\n")
    stranger = "codeb-theirs-staging-blue"
    async with site.session() as mcp:
        await mcp.call("init_project", project="left")
        before = site.snapshot()
        await mcp.call("deploy", project="left", environment="pr-9", image=image)
        site.podman("tag", "localhost/codeb/left/pr-9:r1", "localhost/theirs:v1")
        site.podman("create", "--name", stranger, "localhost/theirs:v1")
        _forget(site, "left", "pr-9")
        listed = await mcp.call("collect_garbage")
        ours = [each["name"] for each in listed["items"] if "left" in each["name"]]
        assert "codeb-left-pr-9-blue" in ours
        assert "localhost/codeb/left/pr-9:r1" in ours
        assert not [each for each in listed["items"] if "theirs" in each["name"]]
        done = await mcp.call("collect_garbage", plan_digest=listed["digest"])
        assert done["failed"] == {}
        after = site.snapshot()
        assert after.containers - {stranger} == before.containers
        assert (after.routes, after.units) == (before.routes, before.units)
        assert stranger in after.containers
        assert "localhost/theirs:v1" in site.podman("images", "--format", _NAMES)
        assert "localhost/codeb/left/" not in site.podman("images", "--format", _NAMES)
    site.podman("rm", "--force", stranger)
    site.podman("rmi", "localhost/theirs:v1")


def test_command_line_closes_previews_prunes_and_removes_a_whole_project(
    embedded: EmbeddedSite,
) -> None:
    image = embedded.image("whole:v1", page="whole\n")
    before = embedded.snapshot()
    embedded.codeb("init", "whole")
    for env in ("staging", "pr-1", "pr-2"):
        embedded.codeb("deploy", "whole", "--env", env, "--image", image, "--wait")
    embedded.codeb("preview", "remove", "whole", "pr-1", "--yes")
    embedded.sql(
        "UPDATE environments SET expires_at = '2020-01-01T00:00:00+00:00' WHERE name = 'pr-2'"
    )
    pruned = json.loads(embedded.codeb("preview", "prune", "--yes", "--json"))
    assert (pruned["removed"], pruned["failed"]) == (["whole/pr-2"], {})
    removed = json.loads(embedded.codeb("remove", "whole", "--yes", "--json"))
    assert [each["environment"] for each in removed["environments"]] == ["staging"]
    assert embedded.snapshot() == before
    listed = json.loads(embedded.codeb("list", "--json"))["projects"]
    assert "whole" not in [each["name"] for each in listed]


_NAMES = "{{.Repository}}:{{.Tag}}"


def _forget(site: Site, project: str, environment: str) -> None:
    """Lose the environment's rows, as a registry brought back from an older day has."""
    which = f"project = '{project}' AND name = '{environment}'"
    number = f"(SELECT id FROM environments WHERE {which})"  # noqa: S608 - names of this test
    site.sql(
        f"DELETE FROM releases WHERE environment_id = {number};"  # noqa: S608 - names of this test
        f"DELETE FROM domains WHERE environment_id = {number};"
        f"DELETE FROM environments WHERE {which};"
        f"DELETE FROM ports WHERE project = '{project}' AND environment = '{environment}';"
    )


def _kinds(view: dict[str, Any]) -> list[str]:
    (environment,) = view["environments"]
    assert environment["error"] == "", environment["error"]
    return [str(step["kind"]) for step in environment["plan"]["steps"]]


async def _drift(mcp: Any, project: str) -> list[str]:
    status = await mcp.call("get_status", project=project)
    return [str(each["kind"]) for each in status["environments"][0]["drift"]]
