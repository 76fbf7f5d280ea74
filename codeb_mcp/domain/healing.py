"""What a heal is made of: limits, attempts, what came of them, and what is remembered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path


class HealOutcome(StrEnum):
    """How a heal ended."""

    COMMITTED = "committed"
    """The fix is on the branch that failed."""
    PROPOSED = "proposed"
    """The fix is on a branch of its own: a person decides."""
    DRY_RUN = "dry_run"
    """There is a fix that was vetted and checked, and nothing was changed."""
    REVERTED = "reverted"
    """What failed was an earlier fix, which was taken back."""
    GAVE_UP = "gave_up"
    """No attempt was allowed by the guard and passed the checks."""
    STOPPED = "stopped"
    """It was not tried: no change of code heals it, or it was tried before."""

    @property
    def healed(self) -> bool:
        """Whether there is a fix."""
        return self in (HealOutcome.COMMITTED, HealOutcome.PROPOSED, HealOutcome.DRY_RUN)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one heal may take: attempts, seconds and US dollars, all of them together."""

    attempts: int = 3
    seconds: float = 1800.0
    usd: float = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """A command that tells whether a project is sound, and why it was chosen."""

    command: str
    reason: str


@dataclass(frozen=True, slots=True)
class CheckRun:
    """How a check ended. `output` is its last lines; `exit_code` is None when its time was over."""

    check: Check
    exit_code: int | None
    output: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether it found nothing."""
        return self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Objection:
    """Something that the guard said of a fix."""

    rule: str
    severity: str
    path: str
    line: int
    text: str
    why: str
    instead: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was said of one diff: the guard's verdict, and what it binds to."""

    verdict: str
    sha256: str
    objections: tuple[Objection, ...] = ()


@dataclass(frozen=True, slots=True)
class Effort:
    """What a fixer spent. `failure` says why it ended early; None when it ended by itself."""

    usd: float = 0.0
    said: str = ""
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class FixRequest:
    """What a fixer is asked: who it is, what to do, and what it may spend."""

    instructions: str
    task: str
    seconds: float
    usd: float


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a commit in a folder of their own, without the repository.

    `home` is where the project itself lies: the folder is to stand in its place, and `lent` are
    folders of it that no commit holds (installed packages), relative to it.
    """

    folder: Path
    home: Path
    lent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. `refused` says why its fix was not taken; None for the one that was."""

    number: int
    diff: str
    refused: str | None
    judgement: Judgement | None = None
    checks: tuple[CheckRun, ...] = ()
    effort: Effort = field(default_factory=Effort)


@dataclass(frozen=True, slots=True)
class CodeState:
    """The code that failed. `branch` is None for a detached HEAD; `tree` names the contents."""

    repository: str
    branch: str | None
    commit: str
    tree: str


@dataclass(frozen=True, slots=True)
class HealRecord:
    """What is remembered of a heal. `commit` is the one that it made."""

    at: datetime
    repository: str
    project: str | None
    branch: str | None
    base: str
    tree: str
    fingerprint: str
    outcome: HealOutcome
    fixer: str
    attempts: int
    message: str
    commit: str | None = None
    usd: float = 0.0
    seconds: float = 0.0


_FIXED = (HealOutcome.COMMITTED, HealOutcome.PROPOSED)


def failures_in_a_row(records: Sequence[HealRecord]) -> int:
    """How often healing failed since it last worked; `records` are of one failure, newest first."""
    count = 0
    for record in records:
        if record.outcome in (HealOutcome.GAVE_UP, HealOutcome.REVERTED):
            count += 1
        elif record.outcome in _FIXED and not _was_reverted(record, records):
            break
    return count


def _was_reverted(record: HealRecord, records: Sequence[HealRecord]) -> bool:
    """Whether a fix was taken back: it counts as the one failure that its reversal is."""
    return any(
        other.outcome is HealOutcome.REVERTED and other.base == record.commit for other in records
    )
