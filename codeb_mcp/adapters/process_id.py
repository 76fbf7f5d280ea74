"""A process that cannot be mistaken for another one that was given its number later."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import anyio


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process by its number and the moment it started, in clock ticks since boot."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this number now."""
        started = _started(pid)
        return None if started is None else cls(pid, started)

    @classmethod
    def parse(cls, value: Any) -> Self | None:
        """What `as_json` gave, or None."""
        match value:
            case {"pid": int(pid), "started": int(started)}:
                return cls(pid, started)
            case _:
                return None

    @property
    def as_json(self) -> dict[str, int]:
        """Plain data."""
        return {"pid": self.pid, "started": self.started}

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that ended and was not yet waited for does not."""
        return _started(self.pid) == self.started

    async def end(self, seconds: float) -> None:
        """Ask it to end, make it end after `seconds`, and return when it is gone."""
        for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10.0)):
            if not self.alive:
                return
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return
            await self._gone(patience)

    async def _gone(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            while self.alive:  # noqa: ASYNC110 - only a parent could be told of its end
                await anyio.sleep(0.02)


def _started(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in brackets, which may hold anything.
    state, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else int(rest[18])
