"""What every Runtime does. Inherit `RuntimeContract` and give a `host` fixture."""

from codeb_mcp.domain.host import ContainerState, ObservedContainer
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, Slot
from codeb_mcp.errors import Refused, SystemFailed
from tests.contracts.applications import until
from tests.contracts.container_host import ContainerHost, spec_for
from tests.fakes.containers import WRONG_PORT, Application
from tests.outcomes import fails_with

SHOP = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
PREVIEW = EnvironmentKey(ProjectName("shop"), EnvironmentName("pr-1"))


async def answers(host: ContainerHost, port: int) -> None:
    """Wait until the port answers 200."""

    async def answered() -> bool:
        return await host.status(port) == 200

    await until(answered, 20)


async def seen_when(
    host: ContainerHost, slot: Slot, condition: str, seconds: float = 20
) -> ObservedContainer:
    """The slot's container once it is `up` or `down` (ended, or ended and started again)."""
    found: list[ObservedContainer] = []

    async def is_so() -> bool:
        seen = (await host.runtime.observe(SHOP)).get(slot)
        if seen is None:
            return False
        died = seen.state is ContainerState.EXITED or seen.restarts > 0
        if died if condition == "down" else seen.running:
            found.append(seen)
        return bool(found)

    await until(is_so, seconds)
    return found[0]


class RuntimeContract:
    """Starting, observing and stopping, as every deploy relies on."""

    async def test_a_started_release_answers_on_its_port(self, host: ContainerHost) -> None:
        spec = await spec_for(host, SHOP)
        await host.runtime.start(spec)
        await answers(host, spec.host_port)

    async def test_what_runs_is_seen_with_its_release_image_and_spec(
        self, host: ContainerHost
    ) -> None:
        spec = await spec_for(host, SHOP, Slot.GREEN, 7)
        await host.runtime.start(spec)
        seen = await seen_when(host, Slot.GREEN, "up")
        assert (seen.name, seen.slot, seen.release) == ("codeb-shop-staging-green", "green", 7)
        assert (seen.image_id, seen.spec_digest) == (spec.image_id, spec.digest)
        assert (seen.restarts, seen.exit_code) == (0, None)
        assert seen.pid

    async def test_a_release_runs_the_image_of_its_id_whatever_its_tag_says(
        self, host: ContainerHost
    ) -> None:
        spec = await spec_for(host, SHOP)
        other = await host.images.pull(await host.image(Application.MUTE))
        await host.images.tag(other.id, spec.image)
        await host.runtime.start(spec)
        await answers(host, spec.host_port)
        assert (await seen_when(host, Slot.BLUE, "up")).image_id == spec.image_id != other.id

    async def test_starting_the_same_release_again_changes_nothing(
        self, host: ContainerHost
    ) -> None:
        spec = await spec_for(host, SHOP)
        await host.runtime.start(spec)
        before = await seen_when(host, Slot.BLUE, "up")
        await host.runtime.start(spec)
        assert await seen_when(host, Slot.BLUE, "up") == before

    async def test_another_release_takes_the_place_of_the_one_in_its_slot(
        self, host: ContainerHost
    ) -> None:
        first = await spec_for(host, SHOP)
        await host.runtime.start(first)
        before = await seen_when(host, Slot.BLUE, "up")
        second = await spec_for(host, SHOP, release=2, host_port=first.host_port)
        await host.runtime.start(second)
        await answers(host, second.host_port)
        after = await seen_when(host, Slot.BLUE, "up")
        assert (after.release, len(await host.runtime.observe(SHOP))) == (2, 1)
        assert after.pid != before.pid

    async def test_a_release_that_died_is_started_anew(self, host: ContainerHost) -> None:
        dead = await spec_for(host, SHOP, application=Application.EXITS)
        await host.runtime.start(dead)
        await seen_when(host, Slot.BLUE, "down")
        good = await spec_for(host, SHOP, release=2, host_port=dead.host_port)
        await host.runtime.start(good)
        await answers(host, good.host_port)
        assert (await seen_when(host, Slot.BLUE, "up")).restarts == 0

    async def test_both_slots_run_side_by_side(self, host: ContainerHost) -> None:
        blue = await spec_for(host, SHOP, Slot.BLUE, 1)
        green = await spec_for(host, SHOP, Slot.GREEN, 2)
        for spec in (blue, green):
            await host.runtime.start(spec)
        for spec in (blue, green):
            await answers(host, spec.host_port)
        assert set(await host.runtime.observe(SHOP)) == {Slot.BLUE, Slot.GREEN}

    async def test_environments_of_a_project_do_not_see_each_other(
        self, host: ContainerHost
    ) -> None:
        await host.runtime.start(await spec_for(host, SHOP))
        assert await host.runtime.observe(PREVIEW) == {}
        await host.runtime.stop(PREVIEW, Slot.BLUE)
        assert set(await host.runtime.observe(SHOP)) == {Slot.BLUE}

    async def test_everything_of_codeb_s_is_found_whatever_environment_it_is_of(
        self, host: ContainerHost
    ) -> None:
        await host.runtime.start(await spec_for(host, SHOP, Slot.GREEN))
        await host.runtime.start(await spec_for(host, PREVIEW))
        await host.add_stranger("codeb-shop-production-blue")
        assert set(await host.runtime.owned()) == {(SHOP, Slot.GREEN), (PREVIEW, Slot.BLUE)}

    async def test_a_stopped_slot_is_gone_and_its_port_silent(self, host: ContainerHost) -> None:
        spec = await spec_for(host, SHOP)
        await host.runtime.start(spec)
        await answers(host, spec.host_port)
        await host.runtime.stop(SHOP, Slot.BLUE)
        assert await host.runtime.observe(SHOP) == {}
        assert await host.status(spec.host_port) is None

    async def test_stopping_an_empty_slot_changes_nothing(self, host: ContainerHost) -> None:
        await host.runtime.stop(SHOP, Slot.GREEN)
        assert await host.runtime.observe(SHOP) == {}

    async def test_a_program_that_ends_at_once_is_seen_as_dead(self, host: ContainerHost) -> None:
        spec = await spec_for(host, SHOP, application=Application.EXITS)
        await host.runtime.start(spec)
        seen = await seen_when(host, Slot.BLUE, "down")
        assert (seen.release, seen.image_id) == (1, spec.image_id)
        await host.runtime.stop(SHOP, Slot.BLUE)
        assert await host.runtime.observe(SHOP) == {}

    async def test_a_taken_port_is_named_and_nothing_is_left_behind(
        self, host: ContainerHost
    ) -> None:
        spec = await spec_for(host, SHOP)
        host.take_port(spec.host_port)
        async with fails_with(SystemFailed, "port_taken", str(spec.host_port)):
            await host.runtime.start(spec)
        assert await host.runtime.observe(SHOP) == {}

    async def test_a_stranger_s_container_of_that_name_is_left_alone(
        self, host: ContainerHost
    ) -> None:
        spec = await spec_for(host, SHOP)
        await host.add_stranger(spec.name)
        async with fails_with(Refused, "foreign_container", spec.name):
            await host.runtime.start(spec)
        assert await host.has_stranger(spec.name)

    async def test_the_port_an_application_listens_on_is_told(self, host: ContainerHost) -> None:
        spec = await spec_for(host, SHOP, application=Application.WRONG_PORT)
        await host.runtime.start(spec)
        seen = await seen_when(host, Slot.BLUE, "up")

        async def listens() -> bool:
            return await host.runtime.listening_ports(seen) == (WRONG_PORT,)

        await until(listens)
        assert await host.status(spec.host_port) is None

    async def test_an_application_that_listens_nowhere_has_no_ports(
        self, host: ContainerHost
    ) -> None:
        await host.runtime.start(await spec_for(host, SHOP, application=Application.MUTE))
        seen = await seen_when(host, Slot.BLUE, "up")
        assert await host.runtime.listening_ports(seen) == ()

    async def test_a_container_that_is_gone_has_no_ports(self, host: ContainerHost) -> None:
        gone = ObservedContainer("x", Slot.BLUE, 1, "", "", ContainerState.EXITED)
        assert await host.runtime.listening_ports(gone) == ()
