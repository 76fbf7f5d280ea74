"""Several looks at once: how they end together."""

import anyio
import pytest

from codeb_mcp.errors import Refused
from codeb_mcp.services.together import at_once


async def seen(value: int) -> int:
    return value


async def refused() -> int:
    raise Refused("no", hint="none", code="no")


async def test_results_are_there_when_all_have_ended() -> None:
    async with at_once() as looks:
        first, second = looks.create_task(seen(1)), looks.create_task(seen(2))
    assert (first.result(), second.result()) == (1, 2)


async def test_error_of_one_is_raised_as_it_is_and_ends_no_later_scope() -> None:
    with pytest.raises(Refused):
        async with at_once() as looks:
            looks.create_task(seen(1))
            looks.create_task(refused())
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anyio.sleep(1)
    assert scope.cancelled_caught
