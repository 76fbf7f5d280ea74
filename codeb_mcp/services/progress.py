"""How far long work has come, told to whoever watches."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` steps are behind; `message` is what happens now, `detail` how far it is."""

    done: int
    total: int
    message: str
    detail: str = ""


OnProgress: TypeAlias = Callable[[Progress], Awaitable[None]]


async def ignore_progress(_: Progress) -> None:
    """For callers that do not watch."""
