"""The real time."""

import time
from datetime import UTC, datetime

import anyio


class SystemClock:
    """Time as this host has it."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)

    def monotonic(self) -> float:
        """Seconds from some fixed moment."""
        return time.monotonic()
