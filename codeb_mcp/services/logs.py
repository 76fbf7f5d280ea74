"""Reading what releases wrote: bounded, filtered, and with secrets masked."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from codeb_mcp.domain.masking import KEY_LINES, LineMasker, mask_lines
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.release import Release
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import LogsView

MAX_LINES = 1000
MAX_CHARACTERS = 40_000
# With a filter, the lines to look through: enough for a day, little enough to be quick.
FILTER_WINDOW = 20_000


@dataclass(frozen=True, slots=True)
class LogsRequest:
    """The last `lines` lines of a release (the newest unless given) that contain `contains`."""

    key: EnvironmentKey
    release: int | None = None
    lines: int = 100
    contains: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.lines <= MAX_LINES:
            raise InvalidRequest(
                f"{self.lines} lines were asked for",
                hint=f"ask for 1 to {MAX_LINES}",
                code="invalid_lines",
            )


class LogReading:
    """The logs of this host's releases."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems

    async def read(self, request: LogsRequest) -> LogsView:
        """The end of a release's log."""
        release = await self._release(request)
        window = FILTER_WINDOW if request.contains else request.lines
        lines = await self._systems.logs.tail(request.key, release.number, window + KEY_LINES)
        values = self._secret_values(request.key)
        wanted = request.contains.lower()
        masked = mask_lines(lines, values)[-window:]
        matching = [line for line in masked if wanted in line.lower()][-request.lines :]
        kept = _last_within(matching, MAX_CHARACTERS)
        return LogsView(
            project=request.key.project,
            environment=request.key.environment,
            release=release.number,
            release_status=release.status,
            lines=kept,
            truncated=len(kept) < len(matching),
        )

    async def follow(self, request: LogsRequest) -> AsyncIterator[str]:
        """Lines as they come."""
        release = await self._release(request)
        masker = LineMasker(self._secret_values(request.key))
        async for line in self._systems.logs.follow(request.key, release.number):
            masked = masker.mask(line)
            if request.contains.lower() in masked.lower():
                yield masked

    def _secret_values(self, key: EnvironmentKey) -> frozenset[str]:
        found = self._systems.secrets.read(key)
        return found.values if found else frozenset()

    async def _release(self, request: LogsRequest) -> Release:
        key = request.key
        await self._systems.registry.project(key.project)
        releases = await self._systems.registry.releases(key, limit=1000)
        for release in releases:
            if request.release in (None, release.number):
                return release
        what = f"release {request.release}" if request.release else "release"
        raise InvalidRequest(
            f"{key} has no {what}",
            hint=f"get_status project={key.project} shows its releases"
            if releases
            else f"deploy project={key.project} environment={key.environment} first",
            code="unknown_release",
        )


def _last_within(lines: list[str], characters: int) -> list[str]:
    kept: list[str] = []
    for line in reversed(lines):
        characters -= len(line) + 1
        if characters < 0:
            break
        kept.append(line)
    return kept[::-1]
