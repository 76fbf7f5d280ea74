"""Several looks at once: how they end together."""

import anyio
import anyio.lowlevel

from codeb_mcp.errors import Refused
from codeb_mcp.services.together import at_once


async def seen(value: int) -> int:
    await anyio.lowlevel.checkpoint()
    return value


async def refused() -> int:
    await anyio.sleep(0.01)
    raise Refused("no", hint="none", code="no")


async def look_in_vain() -> None:
    async with at_once() as looks:
        looks.create_task(seen(1))
        looks.create_task(refused())


async def test_results_are_there_when_all_have_ended() -> None:
    async with at_once() as looks:
        first, second = looks.create_task(seen(1)), looks.create_task(seen(2))
    assert (first.result(), second.result()) == (1, 2)


async def test_error_of_one_is_raised_as_it_is_and_cancels_nothing_later() -> None:
    failure = None
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep_forever)
        try:
            await look_in_vain()
        except Refused as error:
            failure = error
        group.cancel_scope.cancel()
    assert failure is not None
