"""SIGTERM and SIGINT: the first one asks for an orderly end, a second one ends at once."""

import signal
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus


async def on_first_signal(
    end: Callable[[int], None], *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Call `end` with the first signal. From then on signals do again what they do by default."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for received in signals:
            end(received)
            return


def exit_code(received: int) -> int:
    """0 for SIGTERM: to end is what was asked. 130 for SIGINT, as a shell expects of ctrl-C."""
    return 130 if received == signal.SIGINT else 0
