"""What a heal gives back."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from codeb_mcp.domain.healing import Attempt, CheckRun, HealOutcome, HealRecord
from codeb_mcp.domain.incident import Incident
from codeb_mcp.services.diagnosing import IncidentView
from codeb_mcp.services.vetting import FindingView
from codeb_mcp.services.views import View

LONGEST_OUTPUT = 2_000
LONGEST_DIFF = 40_000


class CheckView(View):
    """One run of a check."""

    command: str
    passed: bool
    exit_code: int | None = Field(description="none when its time was over")
    seconds: float
    output: str = Field(description="its end, of one that failed")

    @classmethod
    def of(cls, run: CheckRun) -> "CheckView":
        """The view of `run`."""
        return cls(
            command=run.check.command,
            passed=run.passed,
            exit_code=run.exit_code,
            seconds=round(run.seconds, 2),
            output="" if run.passed else run.output[-LONGEST_OUTPUT:],
        )


class AttemptView(View):
    """One try."""

    number: int
    refused: str | None = Field(description="why its fix was not taken; none for the one that was")
    verdict: str | None = Field(description="the guard's: allow, review or block")
    findings: list[FindingView]
    checks: list[CheckView]
    diff: str
    said: str = Field(description="the fixer's last words")
    usd: float

    @classmethod
    def of(cls, attempt: Attempt) -> "AttemptView":
        """The view of `attempt`."""
        judgement = attempt.judgement
        return cls(
            number=attempt.number,
            refused=attempt.refused,
            verdict=judgement.verdict if judgement else None,
            findings=[
                FindingView(
                    rule=each.rule,
                    severity=each.severity,
                    path=each.path,
                    line=each.line,
                    text=each.text,
                    why=each.why,
                    instead=each.instead,
                )
                for each in (judgement.objections if judgement else ())
            ],
            checks=[CheckView.of(each) for each in attempt.checks],
            diff=attempt.diff.encode("utf-8", "replace").decode()[:LONGEST_DIFF],
            said=attempt.effort.said or attempt.effort.failure or "",
            usd=round(attempt.effort.usd, 4),
        )


class HealView(View):
    """What became of a heal."""

    outcome: str = Field(
        description="committed, proposed (a person decides), dry_run, reverted (an earlier fix "
        "failed), gave_up, or stopped (it was not tried)"
    )
    reason: str
    hint: str = ""
    incident: IncidentView | None = Field(description="the failure that it was about")
    commit: str | None
    branch: str | None = Field(description="where the commit is")
    pushed: bool
    pull_request: str | None = None
    diff: str = Field(description="the fix; empty when there is none")
    before: list[CheckView] = Field(description="the checks on the code that failed")
    attempts: list[AttemptView]
    usd: float = Field(description="an estimate from the tokens that were used")
    seconds: float

    @classmethod
    def of(
        cls,
        outcome: HealOutcome,
        reason: str,
        incident: Incident | None,
        attempts: Sequence[Attempt],
        *,
        before: Sequence[CheckRun],
        commit: str | None,
        branch: str | None,
        pushed: bool,
        seconds: float,
    ) -> "HealView":
        """The view of a heal that has ended."""
        views = [AttemptView.of(each) for each in attempts]
        return cls(
            outcome=outcome.value,
            reason=reason,
            incident=IncidentView.of(incident, None) if incident else None,
            commit=commit,
            branch=branch,
            pushed=pushed,
            diff=views[-1].diff if views and outcome.healed else "",
            before=[CheckView.of(each) for each in before],
            attempts=views,
            usd=round(sum(each.effort.usd for each in attempts), 4),
            seconds=round(seconds, 1),
        )


class HealAnswer(View):
    """What became of a heal, in few words."""

    outcome: str = Field(description="committed, proposed, dry_run, reverted, gave_up or stopped")
    reason: str
    hint: str
    failure: str
    fingerprint: str | None
    commit: str | None
    branch: str | None
    pushed: bool
    pull_request: str | None
    diff: str
    attempts: list[str] = Field(description="what became of each try")
    usd: float
    seconds: float

    @classmethod
    def of(cls, view: HealView) -> "HealAnswer":
        """The short form of `view`."""
        incident = view.incident
        place = f"{incident.file}:{incident.line}: " if incident and incident.file else ""
        return cls(
            outcome=view.outcome,
            reason=view.reason,
            hint=view.hint,
            failure=f"{incident.type} {place}{incident.message}" if incident else "",
            fingerprint=incident.fingerprint if incident else None,
            commit=view.commit,
            branch=view.branch,
            pushed=view.pushed,
            pull_request=view.pull_request,
            diff=view.diff,
            attempts=[_told(each) for each in view.attempts],
            usd=view.usd,
            seconds=view.seconds,
        )


def _told(attempt: AttemptView) -> str:
    lines = [f"{attempt.number}: {attempt.refused or 'taken'}"]
    lines += [f"  {each.path}:{each.line} {each.rule}: {each.why}" for each in attempt.findings]
    lines += [f"  $ {each.command}\n{each.output}" for each in attempt.checks if not each.passed]
    return "\n".join(lines)


class HealRecordView(View):
    """One heal of the past."""

    at: datetime
    repository: str
    project: str | None
    branch: str | None
    fingerprint: str
    outcome: str
    attempts: int
    fixer: str
    commit: str | None
    base: str = Field(description="the commit that failed")
    message: str
    usd: float
    seconds: float

    @classmethod
    def of(cls, record: HealRecord) -> "HealRecordView":
        """The view of `record`."""
        return cls(
            at=record.at,
            repository=record.repository,
            project=record.project,
            branch=record.branch,
            fingerprint=record.fingerprint,
            outcome=record.outcome.value,
            attempts=record.attempts,
            fixer=record.fixer,
            commit=record.commit,
            base=record.base,
            message=record.message,
            usd=record.usd,
            seconds=record.seconds,
        )


class HealHistoryView(View):
    """Heals, newest first."""

    heals: list[HealRecordView]
