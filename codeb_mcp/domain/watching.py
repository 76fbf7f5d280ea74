"""Being told how long work goes on."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

Told: TypeAlias = Callable[[str], Awaitable[None]]
"""Takes a few words about what happens now, such as `12.3 MB of 45.6 MB`."""


async def unwatched(_: str) -> None:
    """For work that nobody watches."""
