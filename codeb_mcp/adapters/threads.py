"""Lets a synchronous library (podman-py, SQLAlchemy) be awaited: its calls run in a thread."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

import anyio.to_thread

P = ParamSpec("P")
T = TypeVar("T")


def in_thread(function: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """`function`, awaitable. A cancelled caller still waits for it: nothing is half done."""

    @wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return await anyio.to_thread.run_sync(partial(function, *args, **kwargs))

    return call


async def in_thread_left_behind(function: Callable[[], T]) -> T:
    """`function()` in a thread that a cancelled caller does not wait for, nor the process's end.

    Only for long work that may end unwatched and changes nothing that matters, such as a pull.
    """
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
    outcome.set_running_or_notify_cancel()

    def work() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            outcome.set_exception(error)

    threading.Thread(target=work, name="left behind when cancelled", daemon=True).start()
    return await asyncio.wrap_future(outcome)
