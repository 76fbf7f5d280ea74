"""From a red build to a green one: diagnose, ask a fixer, vet, check, and only then commit."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from codeb_mcp.domain.healing import (
    Attempt,
    Check,
    CheckRun,
    Effort,
    FixRequest,
    HealOutcome,
    HealRecord,
    Judgement,
    Limits,
    Objection,
    Tree,
    failures_in_a_row,
)
from codeb_mcp.domain.incident import Diagnosis
from codeb_mcp.errors import CodebError, HostNotReady, InvalidRequest
from codeb_mcp.guard.diff import parse_diff
from codeb_mcp.planning import healing as decide
from codeb_mcp.planning.checks import (
    CONFIG,
    READ,
    WORKFLOWS,
    HealConfig,
    choose_checks,
    parse_config,
)
from codeb_mcp.planning.heal_request import INSTRUCTIONS, harmless, request_text
from codeb_mcp.planning.healing import Policy, Stop
from codeb_mcp.services.deployments import OnProgress, Progress
from codeb_mcp.services.healing_systems import (
    Checks,
    Fixer,
    HealRecords,
    People,
    WorkPlace,
    WorkPlaces,
)
from codeb_mcp.services.healing_views import HealHistoryView, HealRecordView, HealView
from codeb_mcp.services.systems import Clock
from codeb_mcp.services.vetting import VerdictView, Vetting

DELEGATED = "copilot"
LONGEST_DETAIL = 120
_CANNOT_RUN = (126, 127)


@dataclass(frozen=True, slots=True)
class HealRequest:
    """What to heal: the code that is checked out in `folder`, and what its log says.

    `branch` is the one that failed, where a detached commit is checked out. With `propose` the
    fix always goes to a branch of its own; with `again` it is tried although it was before.
    """

    folder: Path
    diagnosis: Diagnosis
    actor: str
    project: str | None = None
    branch: str | None = None
    fixer: str | None = None
    limits: Limits = field(default_factory=Limits)
    dry_run: bool = False
    push: bool = False
    propose: bool = False
    again: bool = False


@dataclass(slots=True)
class _Run:
    """One heal as it goes on."""

    request: HealRequest
    place: WorkPlace
    report: OnProgress
    started: float
    fixer: Fixer | None = None
    config: HealConfig = field(default_factory=HealConfig)
    checks: tuple[Check, ...] = ()
    before: list[CheckRun] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    done: int = 0
    message: str = ""

    @property
    def usd(self) -> float:
        return sum(each.effort.usd for each in self.attempts)

    async def say(self, message: str) -> None:
        """A step begins."""
        total = 2 + 3 * self.request.limits.attempts
        self.message = message
        await self.report(Progress(min(self.done, total), total, message))
        self.done += 1

    async def told(self, detail: str) -> None:
        """How far the step is."""
        total = 2 + 3 * self.request.limits.attempts
        shown = harmless(detail, LONGEST_DETAIL)
        await self.report(Progress(min(self.done, total), total, self.message, shown))


class Healing:
    """The use case. `mark` draws a random text, `fixer` gives the one of a name."""

    def __init__(
        self,
        places: WorkPlaces,
        checks: Checks,
        records: HealRecords,
        vetting: Vetting,
        clock: Clock,
        *,
        fixer: Callable[[str | None], Fixer],
        mark: Callable[[], str],
        policy: Policy,
        people: People | None = None,
    ) -> None:
        self._places = places
        self._checks = checks
        self._records = records
        self._vetting = vetting
        self._clock = clock
        self._fixer = fixer
        self._mark = mark
        self._policy = policy
        self._people = people

    async def history(self, limit: int = 20, project: str | None = None) -> HealHistoryView:
        """The newest heals, newest first."""
        records = await self._records.newest(limit, project)
        return HealHistoryView(heals=[HealRecordView.of(each) for each in records])

    async def heal(self, request: HealRequest, report: OnProgress) -> HealView:
        """Heal one failure, or say why not. Nothing is left of it but a commit.

        Raises Locked when this branch is being healed already, InvalidRequest when there is no
        repository, HostNotReady when the fixer cannot be used here.
        """
        async with self._places.open(request.folder, request.branch) as place:
            run = _Run(request, place, report, self._clock.monotonic())
            await run.say("diagnose")
            if stop := decide.why_not(request.diagnosis):
                return await self._stopped(run, stop)
            files = await place.files(READ, WORKFLOWS)
            run.config = parse_config(files.get(CONFIG))
            run.checks = choose_checks(request.diagnosis, files)
            tip = await place.tip_message()
            if decide.failed_fix(tip):
                return await self._look_at_failed_fix(run, tip)
            if not request.again and (stop := await self._tried(run)):
                return await self._stopped(run, stop)
            if stop := await self._reproduce(run):
                return await self._stopped(run, stop)
            if request.fixer == DELEGATED:
                return await self._delegated(run)
            run.fixer = self._fixer(request.fixer)
            await run.fixer.ready()
            return await self._try_until_healed(run)

    async def _delegated(self, run: _Run) -> HealView:
        """Leave the failure to the forge's agent, whose pull request is vetted there."""
        state = run.place.state
        if self._people is None or state.branch is None:
            raise HostNotReady(
                "there is no token for GitHub, or no branch is checked out",
                hint="set github_token in config.toml (mode 0600)",
                code="github_token_missing",
            )
        stop = Stop("it was given to the Copilot coding agent", "review its pull request")
        view = await self._stopped(run, stop)
        fingerprint = decide.target(run.request.diagnosis).fingerprint
        link = await self._people.delegate(state.repository, fingerprint, state.branch, view)
        return view.model_copy(update={"pull_request": link})

    async def _tried(self, run: _Run) -> Stop | None:
        incident = decide.target(run.request.diagnosis)
        state = run.place.state
        records = await self._records.of_failure(state.repository, incident.fingerprint)
        return decide.tried_before(records, state)

    async def _reproduce(self, run: _Run) -> Stop | None:
        """Find the check that fails on the code as it is; put it first."""
        if not run.checks:
            return Stop(
                "no check is known that tells whether the project is sound",
                f'name them in {CONFIG}: checks = ["npm test"]',
            )
        await run.say("run the check that failed")
        tree = await run.place.fresh()
        missing: list[str] = []
        for check in run.checks:
            done = await self._check(run, check, tree)
            if done.exit_code in _CANNOT_RUN:
                missing.append(f"`{check.command}`: {done.output.strip()[-200:]}")
                continue
            run.before.append(done)
            if not done.passed:
                others = [each for each in run.checks if each != check]
                run.checks = (check, *others)
                return None
        if run.request.propose and run.before:
            return None
        if missing and not run.before:
            return Stop(
                f"the checks cannot be run here: {missing[0]}",
                "install what the project needs in its folder first (npm ci, or a .venv)",
            )
        passed = ", ".join(f"`{each.check.command}`" for each in run.before)
        return Stop(
            f"the failure cannot be seen here: {passed} passed on this code",
            f"check out the commit that failed, or name the check that failed in {CONFIG}",
        )

    async def _try_until_healed(self, run: _Run) -> HealView:
        while (over := self._over(run)) is None:
            attempt, contents = await self._attempt(run)
            run.attempts.append(attempt)
            if attempt.refused is None:
                return await self._land(run, attempt, contents)
        last = run.attempts[-1].refused if run.attempts else None
        reason = f"{over}; the last: {last}" if last else over
        view = await self._ended(run, HealOutcome.GAVE_UP, reason)
        await self._tell_people(run, view)
        return view

    def _over(self, run: _Run) -> str | None:
        return decide.enough_left(run.request.limits, run.attempts, self._spent(run))

    def _spent(self, run: _Run) -> float:
        return self._clock.monotonic() - run.started

    async def _attempt(self, run: _Run) -> tuple[Attempt, str]:
        """One try: what came of it, and the contents that it leads to."""
        number = len(run.attempts) + 1
        tree = await run.place.fresh()
        await run.say(f"attempt {number}: ask for a fix")
        effort = await self._fix(run, tree)
        attempt = Attempt(number, "", None, effort=effort)
        try:
            diff = await run.place.diff(tree)
            attempt = replace(attempt, diff=diff)
            if refused := decide.objection_to(diff):
                said = effort.failure or effort.said
                return replace(
                    attempt, refused=f"{refused} ({said[:300]})" if said else refused
                ), ""
            return await self._judged(run, attempt)
        except InvalidRequest as error:
            return replace(attempt, refused=error.message), ""

    async def _fix(self, run: _Run, tree: Tree) -> Effort:
        assert run.fixer is not None  # noqa: S101 - set before the first attempt
        limits = run.request.limits
        request = FixRequest(
            INSTRUCTIONS,
            request_text(run.request.diagnosis, run.checks, run.attempts, self._mark()),
            decide.time_left(limits, self._spent(run)),
            max(0.0, limits.usd - run.usd),
        )
        return await run.fixer.fix(request, tree, run.told)

    async def _judged(self, run: _Run, attempt: Attempt) -> tuple[Attempt, str]:
        await run.say(f"attempt {attempt.number}: vet the fix")
        tree, contents = await run.place.applied(attempt.diff)
        judgement = await self._vet(run, attempt.diff, contents)
        attempt = replace(attempt, judgement=judgement)
        if refused := decide.verdict_objection(judgement):
            return replace(attempt, refused=refused), ""
        await run.say(f"attempt {attempt.number}: run the checks")
        after = await self._check_all(run, tree)
        refused = decide.check_objection(after, run.before)
        return replace(attempt, checks=tuple(after), refused=refused), contents

    async def _vet(self, run: _Run, diff: str, contents: str) -> Judgement:
        """The guard's verdict, the files read whole, exceptions as in the code that failed."""
        vetting = self._vetting.over(run.place.repository(contents))
        base = run.place.state.commit
        return _judgement(await vetting.vet(diff, run.request.folder, base, staged=True))

    async def _check_all(self, run: _Run, tree: Tree) -> list[CheckRun]:
        """Every check on the fixed code; of one that fails, also how it was before."""
        after: list[CheckRun] = []
        for index, check in enumerate(run.checks):
            done = await self._check(run, check, tree)
            if done.exit_code in _CANNOT_RUN and index > 0:
                continue
            after.append(done)
            if done.passed:
                continue
            if index == 0:
                break
            if not any(each.check == check for each in run.before):
                run.before.append(await self._check(run, check, await run.place.fresh()))
        return after

    async def _check(self, run: _Run, check: Check, tree: Tree) -> CheckRun:
        left = decide.time_left(run.request.limits, self._spent(run))
        return await self._checks.run(
            check,
            tree,
            seconds=min(run.config.seconds, left),
            network=run.config.network,
            told=run.told,
        )

    async def _land(self, run: _Run, attempt: Attempt, contents: str) -> HealView:
        request, state = run.request, run.place.state
        assert attempt.judgement is not None  # noqa: S101 - it was allowed
        if request.dry_run:
            return await self._ended(run, HealOutcome.DRY_RUN, "nothing was changed")
        incident = decide.target(request.diagnosis)
        message = decide.commit_message(incident, attempt.number, attempt.judgement)
        commit = await run.place.commit(contents, message)
        person = decide.needs_a_person(
            attempt.judgement, _changed_lines(attempt.diff), state.branch, self._policy_of(run)
        )
        if person is None and request.propose:
            person = "a fix for a release is always proposed"
        await run.say("commit the fix")
        if person is None:
            return await self._commit(run, commit)
        name = f"{decide.BRANCHES}{incident.fingerprint[:8]}-{state.commit[:8]}"
        branch = await run.place.branch_off(name, commit)
        if request.push:
            await run.place.push(commit, branch)
        view = await self._ended(run, HealOutcome.PROPOSED, person, commit, branch)
        if self._people is not None and request.push and state.branch is not None:
            view = await self._proposed(run, self._people, view)
        return view

    async def _proposed(self, run: _Run, people: People, view: HealView) -> HealView:
        """With a pull request; where none can be opened the branch is there all the same."""
        state = run.place.state
        try:
            link = await people.propose(state.repository, str(view.branch), str(state.branch), view)
        except CodebError as error:
            return view.model_copy(update={"hint": f"open a pull request: {error.message}"})
        return view.model_copy(update={"pull_request": link})

    async def _commit(self, run: _Run, commit: str) -> HealView:
        await run.place.advance(commit)
        branch = run.place.state.branch
        if run.request.push:
            try:
                await run.place.push(commit, str(branch))
            except CodebError:
                await run.place.retreat(commit)
                raise
        return await self._ended(run, HealOutcome.COMMITTED, "the checks pass", commit, branch)

    def _policy_of(self, run: _Run) -> Policy:
        lines = self._policy.lines if run.config.lines is None else run.config.lines
        return Policy((*self._policy.protected, *run.config.protected), lines)

    async def _look_at_failed_fix(self, run: _Run, tip: str) -> HealView:
        """The newest commit is a fix of ours: it failed again, or was not sent yet."""
        place, request = run.place, run.request
        state = place.state
        stop = await self._reproduce(run)
        if stop is not None and request.push and not await place.upstream_is_at(state.commit):
            await place.push(state.commit, str(state.branch))
            reason = "the fix was there already, and is sent now"
            return await self._ended(run, HealOutcome.COMMITTED, reason, state.commit, state.branch)
        if stop is not None:
            reason = f"the newest commit is a fix already, and with it {stop.reason}"
            return await self._stopped(run, Stop(reason, "run the job again on the newest commit"))
        if request.dry_run:
            return await self._stopped(run, Stop("the last fix failed and would be reverted", ""))
        await run.say("revert the fix that failed")
        subject = tip.splitlines()[0]
        message = decide.revert_message(subject, state.commit)
        contents = await place.parent_contents()
        commit = await place.commit(contents, message)
        await place.advance(commit)
        if request.push:
            await place.push(commit, str(state.branch))
        return await self._ended(
            run,
            HealOutcome.REVERTED,
            f"`{run.checks[0].command}` fails with the fix {state.commit[:12]} in place",
            commit,
            state.branch,
            fingerprint=decide.incident_of(tip),
            tree=contents,
        )

    async def _stopped(self, run: _Run, stop: Stop) -> HealView:
        view = await self._ended(run, HealOutcome.STOPPED, stop.reason)
        view = view.model_copy(update={"hint": stop.hint})
        if stop.person:
            await self._tell_people(run, view)
        return view

    async def _tell_people(self, run: _Run, view: HealView) -> None:
        """After the third failure in a row somebody has to look at it."""
        if self._people is None or run.request.dry_run or view.incident is None:
            return
        fingerprint = view.incident.fingerprint
        records = await self._records.of_failure(run.place.state.repository, fingerprint)
        if failures_in_a_row(records) == decide.FAILURES_BEFORE_A_PERSON:
            with suppress(CodebError):  # what it is about was told already
                await self._people.tell(run.place.state.repository, fingerprint, view)

    async def _ended(
        self,
        run: _Run,
        outcome: HealOutcome,
        reason: str,
        commit: str | None = None,
        branch: str | None = None,
        *,
        fingerprint: str | None = None,
        tree: str | None = None,
    ) -> HealView:
        request, state = run.request, run.place.state
        first = next(iter(decide.roots(request.diagnosis)), None)
        if first is not None and decide.why_not(request.diagnosis) is None:
            first = decide.target(request.diagnosis)
        view = HealView.of(
            outcome,
            reason,
            first,
            run.attempts,
            before=run.before,
            commit=commit,
            branch=branch,
            pushed=request.push and commit is not None,
            seconds=self._spent(run),
        )
        if first is not None and outcome is not HealOutcome.DRY_RUN:
            record = HealRecord(
                at=self._clock.now(),
                repository=state.repository,
                project=request.project,
                branch=state.branch,
                base=state.commit,
                tree=tree or state.tree,
                fingerprint=fingerprint or first.fingerprint,
                outcome=outcome,
                fixer=run.fixer.name if run.fixer else "",
                attempts=len(run.attempts),
                message=view.reason[:500],
                commit=commit,
                usd=run.usd,
                seconds=view.seconds,
            )
            await self._records.add(record)
        return view


def _judgement(verdict: VerdictView) -> Judgement:
    objections = tuple(Objection(**each.model_dump()) for each in verdict.findings)
    return Judgement(verdict.verdict, verdict.diff_sha256, objections)


def _changed_lines(diff: str) -> int:
    hunks = (hunk for file in parse_diff(diff) for hunk in file.hunks)
    return sum(hunk.tags.count("+") + hunk.tags.count("-") for hunk in hunks)
