"""Work on an environment that ends when somebody closes the environment."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import Refused
from codeb_mcp.services.systems import Systems

T = TypeVar("T")


async def unless_closed(
    systems: Systems, key: EnvironmentKey, work: Callable[[], Awaitable[T]]
) -> T:
    """Do `work`; it is cancelled, so undone, and Refused raised, once someone closes `key`."""
    closer = ""
    done: list[T] = []
    failure: BaseException | None = None

    async def watch(scope: anyio.CancelScope) -> None:
        nonlocal closer
        closer = await systems.locks.closed(key)
        scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(watch, group.cancel_scope)
        try:
            done.append(await work())
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001 - raised below, where no group wraps it
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if done:
        return done[0]
    raise Refused(
        f"{key} was closed by {closer} while this went on; it was stopped and taken back",
        hint="call again if the environment is to come back",
        code="environment_closing",
    )
