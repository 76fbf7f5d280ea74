"""What becomes of a deploy that failed: its record, and an error that says how things stand."""

import contextlib

from codeb_mcp.domain.host import EnvFile, Observed
from codeb_mcp.domain.masking import KEY_LINES, mask, mask_lines
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.release import ReleaseStatus
from codeb_mcp.errors import CodebError, DeployFailed
from codeb_mcp.planning.hints import missing_capability
from codeb_mcp.services.apply import Unhealthy
from codeb_mcp.services.systems import Systems

LOG_TAIL = 50


async def record_failure(
    systems: Systems,
    error: BaseException,
    key: EnvironmentKey,
    number: int,
    found: Observed,
    env_file: EnvFile | None,
    *,
    started: bool,
) -> None:
    """Record the end of a release; give the error of an unhealthy one its log and hint."""
    if isinstance(error, DeployFailed):
        values = env_file.values if env_file else frozenset()
        lines = await systems.logs.tail(key, number, LOG_TAIL + KEY_LINES)
        error.log_tail = mask_lines(lines, values)[-LOG_TAIL:]
        before = found.live_release
        stands = (
            f"release {before.number} still serves"
            if before is not None
            else "nothing was left behind"
        )
        subject = f"release {number} of {key} " if isinstance(error, Unhealthy) else ""
        error.message = f"{subject}{error.message}; {stands}"
        read = f"read_logs project={key.project} environment={key.environment} release={number}"
        error.hint = error.hint or missing_capability(key.project, lines) or read
    if started:
        said = error.message if isinstance(error, CodebError) else str(error) or "cancelled"
        message = mask(said)
        with contextlib.suppress(CodebError):  # as on a full disk: the first error counts
            await systems.registry.end_release(key, number, ReleaseStatus.FAILED, message)
