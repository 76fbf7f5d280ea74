"""Commands that run to their end beside a release: once, or by a schedule."""

import re
import shlex
from dataclasses import dataclass
from typing import Self

from codeb_mcp.domain.names import shown
from codeb_mcp.errors import InvalidRequest

_JOB = re.compile(r"[a-z][a-z0-9_]{0,30}")
_SCHEDULE = re.compile(r"[A-Za-z0-9*:.,/~_+ -]{1,200}")
LONGEST_COMMAND = 4000


class JobName(str):
    """A scheduled job's name, such as `backup`. No hyphen, so that a unit's name tells whose."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _JOB.fullmatch(text):
            raise InvalidRequest(
                f"job name {shown(text)} is not valid",
                hint="use 1 to 31 lower-case letters, digits and underscores, beginning with a "
                "letter, such as nightly_backup",
                code="invalid_job",
            )
        return super().__new__(cls, text)


class Schedule(str):
    """When a job runs, as systemd writes it: `*-*-* 03:00`. Only systemd knows if it is valid."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _SCHEDULE.fullmatch(text) or not text.strip():
            raise invalid_schedule(text, "it holds characters that no schedule has")
        return super().__new__(cls, text.strip())


def invalid_schedule(text: str, reason: str) -> InvalidRequest:
    """The error for a schedule that systemd would not take."""
    return InvalidRequest(
        f"schedule {shown(text)} is not valid: {reason}",
        hint='write it as systemd does: "*-*-* 03:00" (daily), "Mon *-*-* 04:30", "*:0/15" '
        "(every 15 minutes), hourly; try one with systemd-analyze calendar",
        code="invalid_schedule",
    )


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its arguments, none of them read by a shell."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.words or not self.words[0]:
            raise InvalidRequest(
                "no command was given",
                hint="put it after two hyphens: -- npm run migrate",
                code="invalid_command",
            )
        if sum(map(len, self.words)) > LONGEST_COMMAND or not all(
            word.isprintable() for word in self.words
        ):
            raise InvalidRequest(
                f"the command {shown(self.words[0])} … is over {LONGEST_COMMAND} characters, or "
                "holds characters that cannot be printed",
                hint="put a longer script into the image, and run that",
                code="invalid_command",
            )

    def __str__(self) -> str:
        return shlex.join(self.words)


@dataclass(frozen=True, slots=True)
class Job:
    """A command that runs by a schedule."""

    name: JobName
    schedule: Schedule
    command: Command


@dataclass(frozen=True, slots=True)
class JobState:
    """How an installed job stands, in systemd's words; empty where there is nothing to say.

    `exit_code` is that of the last run.
    """

    next_run: str = ""
    last_run: str = ""
    result: str = ""
    exit_code: int | None = None
