"""What every Images does. Inherit `ImagesContract` and give a `host` fixture."""

from pathlib import Path

import pytest

from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.errors import DeployFailed, InvalidRequest
from tests.contracts.container_host import ContainerHost, spec_for
from tests.fakes.containers import Application
from tests.outcomes import fails_with

SHOP = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
ALIKE = EnvironmentKey(ProjectName("shop-staging"), EnvironmentName("production"))


def release(key: EnvironmentKey, number: int) -> str:
    """The tag under which a release's image is kept."""
    return f"localhost/codeb/{key.project}/{key.environment}:r{number}"


class ImagesContract:
    """Looking up, building, naming and pruning."""

    async def test_an_image_is_found_by_name_and_by_id(self, host: ContainerHost) -> None:
        name = await host.image(Application.HEALTHY)
        image = await host.images.pull(name)
        again = await host.images.pull(ImageReference(image.id[:12]))
        assert (image.reference, again.reference) == (name, image.id[:12])
        assert again.id == image.id
        assert len(image.id) == 64

    async def test_the_tcp_ports_an_image_exposes_are_told(self, host: ContainerHost) -> None:
        image = await host.images.pull(await host.image(Application.HEALTHY))
        assert image.exposed_ports == (8080,)

    @pytest.mark.parametrize("name", ["localhost/nowhere:1", "0123456789ab"])
    async def test_a_name_that_is_not_here_is_said_to_be_missing(
        self, host: ContainerHost, name: str
    ) -> None:
        async with fails_with(InvalidRequest, "image_not_found", name):
            await host.images.pull(ImageReference(name))

    async def test_releases_are_listed_by_number_and_by_environment(
        self, host: ContainerHost
    ) -> None:
        image = await host.images.pull(await host.image(Application.HEALTHY))
        for number in (10, 2, 2):
            await host.images.tag(image.id, release(SHOP, number))
        await host.images.tag(image.id, release(ALIKE, 5))
        tags = await host.images.release_tags(SHOP)
        assert list(tags.items()) == [(2, release(SHOP, 2)), (10, release(SHOP, 10))]
        assert list(await host.images.release_tags(ALIKE)) == [5]

    async def test_tagging_what_is_not_here_is_refused(self, host: ContainerHost) -> None:
        async with fails_with(InvalidRequest, "image_not_found"):
            await host.images.tag("f" * 64, release(SHOP, 1))

    async def test_untagging_twice_is_the_same_as_once(self, host: ContainerHost) -> None:
        image = await host.images.pull(await host.image(Application.HEALTHY))
        await host.images.tag(image.id, release(SHOP, 3))
        for _ in range(2):
            await host.images.untag(release(SHOP, 3))
        assert 3 not in await host.images.release_tags(SHOP)
        assert (await host.images.pull(await host.image(Application.HEALTHY))).id == image.id

    async def test_a_release_that_a_container_runs_keeps_its_image(
        self, host: ContainerHost
    ) -> None:
        spec = await spec_for(host, SHOP, release=4)
        await host.runtime.start(spec)
        await host.images.untag(spec.image)
        assert 4 in await host.images.release_tags(SHOP)
        await host.runtime.stop(SHOP, Slot.BLUE)
        await host.images.untag(spec.image)
        assert 4 not in await host.images.release_tags(SHOP)

    async def test_a_release_image_is_found_by_its_tag_and_by_its_digest(
        self, host: ContainerHost
    ) -> None:
        image = await host.images.pull(await host.image(Application.HEALTHY))
        tag = release(SHOP, 3)
        assert await host.images.find(tag) is None
        await host.images.tag(image.id, tag)
        by_tag = await host.images.find(tag)
        assert by_tag is not None
        by_digest = await host.images.find(f"{tag.rpartition(':')[0]}@{image.digest}")
        assert by_digest is not None
        assert by_tag.id == by_digest.id == image.id

    async def test_every_release_image_is_listed_with_its_environment(
        self, host: ContainerHost
    ) -> None:
        image = await host.images.pull(await host.image(Application.HEALTHY))
        tags = (release(SHOP, 3), release(ALIKE, 12))
        for tag in (*tags, "localhost/codeb/shop/build:latest"):
            await host.images.tag(image.id, tag)
        owned = {(each.key, each.release, each.tag) for each in await host.images.owned()}
        assert owned == {(SHOP, 3, tags[0]), (ALIKE, 12, tags[1])}
        assert {each.image_id for each in await host.images.owned()} == {image.id}

    async def test_a_name_is_dropped_only_while_it_means_that_image(
        self, host: ContainerHost
    ) -> None:
        image = await host.images.pull(await host.image(Application.HEALTHY))
        await host.images.tag(image.id, release(SHOP, 3))
        name = ImageReference(release(SHOP, 3))
        await host.images.drop(name, "0" * 64)
        assert await host.images.find(name) is not None
        for _ in range(2):
            await host.images.drop(name, image.id)
        assert await host.images.find(name) is None

    async def test_an_image_that_is_not_codeb_s_is_never_untagged(
        self, host: ContainerHost
    ) -> None:
        name = await host.image(Application.HEALTHY)
        async with fails_with(InvalidRequest, "not_a_release_image", name):
            await host.images.untag(name)
        assert (await host.images.pull(name)).reference == name

    async def test_a_folder_without_a_containerfile_is_not_built(
        self, host: ContainerHost, tmp_path: Path
    ) -> None:
        async with fails_with(InvalidRequest, "no_build_file", str(tmp_path)):
            await host.images.build(tmp_path, ImageReference("localhost/never"))

    async def test_a_folder_that_is_not_there_is_named(
        self, host: ContainerHost, tmp_path: Path
    ) -> None:
        async with fails_with(InvalidRequest, "no_build_folder", "absent"):
            await host.images.build(tmp_path / "absent", ImageReference("localhost/never"))

    async def test_a_folder_reached_by_a_link_is_not_built(
        self, host: ContainerHost, tmp_path: Path
    ) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "real" / "Containerfile").write_text("FROM scratch\n")
        (tmp_path / "link").symlink_to(tmp_path / "real")
        async with fails_with(InvalidRequest, "no_build_folder"):
            await host.images.build(tmp_path / "link", ImageReference("localhost/never"))

    async def test_a_containerfile_that_is_a_link_is_not_read(
        self, host: ContainerHost, tmp_path: Path
    ) -> None:
        (tmp_path / "Containerfile").symlink_to("/etc/hostname")
        async with fails_with(InvalidRequest, "no_build_file", "symbolic link"):
            await host.images.build(tmp_path, ImageReference("localhost/never"))


class RealBuildContract:
    """What only a real build can show."""

    async def test_a_step_that_fails_is_named_with_the_end_of_the_output(
        self, host: ContainerHost, tmp_path: Path
    ) -> None:
        (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY absent.txt /\n")
        with pytest.raises(DeployFailed) as caught:
            await host.images.build(tmp_path, ImageReference("localhost/never"))
        assert caught.value.code == "build_failed"
        assert any("COPY absent.txt" in line for line in caught.value.log_tail)
        assert "absent.txt" in caught.value.message

    async def test_every_step_is_told_as_it_is_done(
        self, host: ContainerHost, tmp_path: Path
    ) -> None:
        (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY x /\nEXPOSE 1111\n")
        (tmp_path / "x").write_text("x")
        lines: list[str] = []

        async def told(line: str) -> None:
            lines.append(line)

        await host.images.build(tmp_path, ImageReference("localhost/told"), told)
        for number, step in enumerate(("FROM scratch", "COPY x /", "EXPOSE 1111")):
            (said,) = [line for line in lines if line.startswith("STEP ") and step in line]
            assert said.startswith(f"STEP {number + 1}/")

    async def test_a_containerfile_is_preferred_to_a_dockerfile(
        self, host: ContainerHost, tmp_path: Path
    ) -> None:
        (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY x /\nEXPOSE 1111\n")
        (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY x /\nEXPOSE 2222\n")
        (tmp_path / "x").write_text("x")
        image = await host.images.build(tmp_path, ImageReference("localhost/preferred"))
        assert image.exposed_ports == (1111,)

    async def test_an_image_built_here_serves_as_a_base(
        self, host: ContainerHost, tmp_path: Path
    ) -> None:
        base = await host.image(Application.HEALTHY)
        (tmp_path / "Dockerfile").write_text(f"FROM {base}\nEXPOSE 8181\n")
        image = await host.images.build(tmp_path, ImageReference("localhost/derived"))
        assert image.exposed_ports == (8080, 8181)
