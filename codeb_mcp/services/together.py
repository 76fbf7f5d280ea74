"""Several looks at once, as if they were one."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

T = TypeVar("T")


class Look(Generic[T]):
    """One of several looks; its result is there when all have ended."""

    def __init__(self, work: Awaitable[T]) -> None:
        self._work = work
        self._results: list[T] = []

    async def take(self) -> None:
        """Do it."""
        self._results.append(await self._work)

    def result(self) -> T:
        """What was seen."""
        return self._results[0]


class Looks:
    """The looks of one group."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group

    def create_task(self, work: Awaitable[T]) -> Look[T]:
        """Begin one more."""
        look = Look(work)
        self._group.start_soon(look.take)
        return look


@asynccontextmanager
async def at_once() -> AsyncIterator[Looks]:
    """A group whose looks have all ended when it does.

    When one fails the others are cancelled, and its error is raised as it is. Not asyncio's own
    group: one that fails leaves its caller half cancelled, which ends a later scope of anyio's.
    """
    try:
        async with anyio.create_task_group() as group:
            yield Looks(group)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
