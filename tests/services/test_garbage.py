"""What codeb left and nothing needs goes; what is somebody else's, or needed, stays."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from codeb_mcp.domain.host import Route
from codeb_mcp.domain.names import DomainName, EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType, Slot
from codeb_mcp.errors import DataAtRisk, DeployFailed, StalePlan
from codeb_mcp.planning.garbage import PULL_GRACE
from codeb_mcp.services.deployments import Deployments, DeployRequest
from codeb_mcp.services.garbage import Collection, CollectionRequest
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.views import DeployView, GarbageView
from tests.fakes.containers import Application
from tests.fakes.systems import InMemoryHost

SHOP = ProjectName("shop")
STAGING = EnvironmentKey(SHOP, EnvironmentName("staging"))
PREVIEW = EnvironmentKey(SHOP, EnvironmentName("pr-4"))


@pytest.fixture
async def host(tmp_path: Path) -> InMemoryHost:
    """One with staging, which keeps three releases."""
    made = InMemoryHost(tmp_path)
    await Projects(made.systems(), lambda: "abc").init(
        NewProject(SHOP, ProjectType.IMAGE), "cli:me"
    )
    await deploy(made, made.good_image("v1"))
    return made


async def deploy(host: InMemoryHost, image: str, key: EnvironmentKey = STAGING) -> DeployView:
    request = DeployRequest(key, ImageReference(image), "cli:me")
    return await Deployments(host.systems()).deploy(request)


async def collect(host: InMemoryHost, digest: str | None = None) -> GarbageView:
    return await Collection(host.systems()).collect(CollectionRequest("cli:me", digest))


async def forget(host: InMemoryHost, key: EnvironmentKey) -> None:
    """Lose the environment's row, as a removal by other hands would."""
    await host.registry.remove_environment(key)


def log(host: InMemoryHost, key: EnvironmentKey, number: int) -> Path:
    path = host.folder / "logs" / key.slug / f"r{number}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


async def test_tidy_host_has_no_garbage(host: InMemoryHost) -> None:
    log(host, STAGING, 1)
    assert (await collect(host)).items == []


async def test_orphans_are_listed_and_go_with_the_digest_of_the_list(host: InMemoryHost) -> None:
    log(host, STAGING, 1)
    before = await host.left_behind()
    await deploy(host, host.good_image("p1"), PREVIEW)
    await deploy(host, host.good_image("p2"), PREVIEW)
    orphaned = log(host, PREVIEW, 2)
    await forget(host, PREVIEW)
    planned = await collect(host)
    assert [each.kind for each in planned.items] == [
        "route",
        "container",
        "marker",
        "logs",
        "image",
        "image",
    ]
    assert planned.removed == []
    assert "codeb-shop-pr-4-green" in planned.items[1].sentence
    view = await collect(host, planned.digest)
    assert (len(view.removed), view.failed) == (6, {})
    assert await host.left_behind() == before
    assert not orphaned.parent.exists()
    assert (await collect(host)).items == []


async def test_things_of_others_are_never_garbage(host: InMemoryHost) -> None:
    host.runtime.foreign.add("codeb-shop-pr-4-blue")
    theirs = ImageReference("docker.io/library/postgres:16")
    host.images.local[theirs] = host.images.add(theirs).id
    stranger = "localhost/codeb/blog/staging:r1"
    host.images.local[stranger] = host.images.known[theirs].id
    (host.folder / "logs" / "notes").mkdir(parents=True)
    assert (await collect(host)).items == []


async def test_list_that_is_not_what_is_there_any_more_is_refused(host: InMemoryHost) -> None:
    digest = (await collect(host)).digest
    await deploy(host, host.good_image("p1"), PREVIEW)
    await forget(host, PREVIEW)
    before = await host.left_behind()
    with pytest.raises(StalePlan):
        await collect(host, digest)
    assert await host.left_behind() == before


async def test_environment_that_is_being_changed_is_left_for_the_next_time(
    host: InMemoryHost,
) -> None:
    await deploy(host, host.good_image("p1"), PREVIEW)
    await forget(host, PREVIEW)
    digest = (await collect(host)).digest
    async with host.systems().locks.hold(PREVIEW, "mcp:claude", "deploy v2"):
        view = await collect(host, digest)
    assert view.removed == []
    assert "mcp:claude" in view.failed["shop/pr-4"]


async def test_lost_registry_does_not_make_everything_garbage(tmp_path: Path) -> None:
    host = InMemoryHost(tmp_path)
    key = EnvironmentKey(ProjectName("gone"), EnvironmentName("production"))
    await host.proxy.put_route(Route(key, DomainName("gone.localhost"), 3000))
    with pytest.raises(DataAtRisk, match="may have been lost") as caught:
        await collect(host)
    assert caught.value.code == "registry_empty"


async def test_images_and_logs_beyond_those_kept_go_and_every_rollback_target_stays(
    host: InMemoryHost,
) -> None:
    for number in range(2, 5):
        await deploy(host, host.good_image(f"v{number}"))
    for tag in ("localhost/codeb/shop/staging:r1", "localhost/codeb/shop/staging:r77"):
        host.images.local[tag] = host.images.known["localhost/app:v1"].id
    old, new = log(host, STAGING, 1), log(host, STAGING, 4)
    planned = await collect(host)
    assert [each.name for each in planned.items] == [
        "shop/staging release 1",
        "localhost/codeb/shop/staging:r1",
        "localhost/codeb/shop/staging:r77",
    ]
    await collect(host, planned.digest)
    assert (await host.left_behind())["tags"] == [
        f"localhost/codeb/shop/staging:r{number}" for number in (2, 3, 4)
    ]
    assert (old.exists(), new.exists()) == (False, True)


async def test_releases_that_failed_do_not_push_out_the_one_to_go_back_to(
    host: InMemoryHost,
) -> None:
    await deploy(host, host.good_image("v2"))
    for number in range(5):
        with pytest.raises(DeployFailed):
            await deploy(host, host.bad_image(Application.ERRORS, f"bad{number}"))
    await deploy(host, host.good_image("v8"))
    assert (await host.left_behind())["tags"] == [
        f"localhost/codeb/shop/staging:r{number}" for number in (1, 2, 8)
    ]


async def test_pulled_name_goes_when_no_kept_release_needs_it(host: InMemoryHost) -> None:
    images = [host.images.add(f"ghcr.io/org/shop:v{number}").reference for number in range(2, 7)]
    for image in images:
        await deploy(host, image)
    assert (await collect(host)).items == []
    host.clock.seconds += PULL_GRACE / timedelta(seconds=1)
    planned = await collect(host)
    assert [each.name for each in planned.items] == images[:2]
    view = await collect(host, planned.digest)
    assert len(view.removed) == 2
    assert [tag for tag in host.images.local if tag.startswith("ghcr.io")] == images[2:]


async def test_name_that_was_here_before_codeb_pulled_it_stays(host: InMemoryHost) -> None:
    theirs = host.images.add("ghcr.io/org/shop:v2")
    host.images.local[theirs.reference] = theirs.id
    await deploy(host, theirs.reference)
    for number in range(3, 6):
        await deploy(host, host.good_image(f"v{number}"))
    host.clock.seconds += PULL_GRACE / timedelta(seconds=1)
    assert (await collect(host)).items == []


async def test_name_that_means_another_image_now_stays(host: InMemoryHost) -> None:
    await deploy(host, host.images.add("ghcr.io/org/shop:latest").reference)
    for number in range(3, 7):
        await deploy(host, host.good_image(f"v{number}"))
    host.clock.seconds += PULL_GRACE / timedelta(seconds=1)
    moved = host.images.add("ghcr.io/org/shop:latest")
    host.images.local[moved.reference] = moved.id
    await collect(host, (await collect(host)).digest)
    assert host.images.local[moved.reference] == moved.id
    assert (await collect(host)).items == []


async def test_history_has_an_end_but_keeps_what_can_be_gone_back_to(host: InMemoryHost) -> None:
    systems = host.systems()
    await systems.upkeep.forget_releases(STAGING, [1])
    assert [each.number for each in await host.registry.releases(STAGING)] == [1]
    spec = host.runtime.specs[STAGING.container(Slot.BLUE)]
    host.runtime.specs[spec.name] = replace(spec, release=1)
    assert (await deploy(host, host.good_image("v9"))).release == 2
