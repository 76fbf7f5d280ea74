"""Pure decisions of a heal: whether to begin, what became of an attempt, where its fix goes."""

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

from codeb_mcp.domain.healing import (
    Attempt,
    CheckRun,
    CodeState,
    HealOutcome,
    HealRecord,
    Judgement,
    Limits,
    failures_in_a_row,
)
from codeb_mcp.domain.incident import Diagnosis, Incident

FAILURES_BEFORE_A_PERSON = 3
LARGEST_DIFF = 200_000
"""Characters of a fix; more is no fix of a failed build."""
SUBJECT = "fix: auto-heal build errors"
BRANCHES = "codeb/heal-"
TRAILERS = ("Codeb-Incident", "Codeb-Attempt", "Codeb-Verdict")

# A variable that is not set where the build runs, or that a server did not accept.
_MISSING_SECRET = re.compile(
    r"(?i)(?:secret|credential|api[ _-]?key|access[ _-]?key|auth[ _-]?token|npm_token|"
    r"password|(?:environment|env)(?:ironment)? ?var(?:iable)?s?)\b.{0,80}"
    r"(?:not (?:set|provided|found|defined|supplied|configured)|missing|required|empty|unset|"
    r"must be set|is undefined)"
    r"|(?:missing|required|no) (?:\w+ ){0,3}(?:secret|credentials?|api[ _-]?key|access[ _-]?key|"
    r"(?:environment|env) ?var(?:iable)?s?)\b"
    r"|input required and not supplied: \S*(?:token|key|secret|password)"
    r"|(?:bad credentials|authentication (?:failed|required)|401 unauthorized|"
    r"unauthorized: |could not read (?:username|password)|permission denied \(publickey\))"
)


@dataclass(frozen=True, slots=True)
class Stop:
    """No attempt is made. `person` says that somebody has to be told."""

    reason: str
    hint: str
    person: bool = False


def roots(diagnosis: Diagnosis) -> tuple[Incident, ...]:
    """The incidents that follow from no other."""
    return tuple(each for each in diagnosis.incidents if each.caused_by is None)


def needs_a_secret(incident: Incident) -> bool:
    """Whether what failed is a secret that is not there or not right, which no fix may supply."""
    return _MISSING_SECRET.search(incident.message) is not None


def why_not(diagnosis: Diagnosis) -> Stop | None:
    """Why no change of code can heal what the log says; None when one may."""
    first = roots(diagnosis)
    if not first:
        return Stop("no failure was found in the log", "pass the log of the job that failed")
    if secret := next((each for each in first if needs_a_secret(each)), None):
        return Stop(
            f"a secret is missing or not accepted: {secret.message[:200]}",
            "set it where the build runs (the repository's secrets, or codeb env set); "
            "a fix must not supply one",
        )
    if not any(each.healable for each in first):
        return Stop(
            f"no change of code heals this ({first[0].type}): {first[0].message[:200]}",
            "run the job again when the network, disk or runner is well",
        )
    return None


def target(diagnosis: Diagnosis) -> Incident:
    """The incident that a heal is about: the first that a change of code can heal."""
    return next(each for each in roots(diagnosis) if each.healable)


def tried_before(records: Sequence[HealRecord], state: CodeState) -> Stop | None:
    """Why this failure of this code is not tried (again); `records` are its own, newest first."""
    failures = failures_in_a_row(records)
    if failures >= FAILURES_BEFORE_A_PERSON:
        return Stop(
            f"healing this failure has failed {failures} times",
            "a person must look at it; codeb heal history shows what was tried",
            person=True,
        )
    for record in records:
        if record.tree == state.tree and record.outcome is not HealOutcome.STOPPED:
            return Stop(
                f"this failure of this very code was tried on {record.at:%Y-%m-%d %H:%M} "
                f"({record.outcome}): {record.message[:200]}",
                "change the code first; codeb heal history shows what was tried",
            )
    return None


def failed_fix(message: str) -> bool:
    """Whether a commit, by its message, is a fix that was made here."""
    return message.startswith(SUBJECT) and all(f"\n{name}: " in message for name in TRAILERS)


def incident_of(message: str) -> str | None:
    """The fingerprint in the trailer of a fix."""
    found = re.search(rf"^{TRAILERS[0]}: ([0-9a-f]{{16}})$", message, re.M)
    return found[1] if found else None


def objection_to(diff: str) -> str | None:
    """Why a diff is not worth judging; None when it is."""
    if not diff.strip():
        return "nothing was changed"
    if len(diff) > LARGEST_DIFF:
        return f"the change is too large for a fix ({len(diff)} characters)"
    return None


def verdict_objection(judgement: Judgement) -> str | None:
    """Why the guard's verdict ends an attempt."""
    if judgement.verdict not in ("allow", "review"):
        rules = sorted({each.rule for each in judgement.objections if each.severity == "block"})
        return f"the guard refused it: {', '.join(rules) or judgement.verdict}"
    return None


def check_objection(after: Sequence[CheckRun], before: Sequence[CheckRun]) -> str | None:
    """Why the checks end an attempt. What failed the same way before the fix is not its fault.

    The first of `after` is the check that failed: it must pass.
    """
    failed_before = {each.check.command for each in before if not each.passed}
    for index, run in enumerate(after):
        if run.passed or (index > 0 and run.check.command in failed_before):
            continue
        end = "did not end in time" if run.exit_code is None else f"exit code {run.exit_code}"
        return f"the check `{run.check.command}` did not pass ({end})"
    return None


@dataclass(frozen=True, slots=True)
class Policy:
    """Where fixes may go without a person: not to `protected` branches, nor beyond `lines`."""

    protected: tuple[str, ...] = ("main", "master", "production", "release/*")
    lines: int = 60


def needs_a_person(
    judgement: Judgement, changed_lines: int, branch: str | None, policy: Policy
) -> str | None:
    """Why a fix goes to a branch of its own; None when it may go to the branch that failed."""
    if judgement.verdict == "review":
        rules = sorted({each.rule for each in judgement.objections})
        return f"the guard wants a person's agreement: {', '.join(rules)}"
    if changed_lines > policy.lines:
        return f"it changes {changed_lines} lines, more than {policy.lines}"
    if branch is None:
        return "no branch is checked out"
    if any(fnmatch.fnmatchcase(branch, pattern) for pattern in policy.protected):
        return f"the branch {branch} is protected"
    return None


def time_left(limits: Limits, spent: float) -> float:
    """Seconds that are left; never below zero."""
    return max(0.0, limits.seconds - spent)


def enough_left(limits: Limits, attempts: Sequence[Attempt], spent: float) -> str | None:
    """Why there is no further attempt; None when there may be one."""
    usd = sum(each.effort.usd for each in attempts)
    if len(attempts) >= limits.attempts:
        return f"{len(attempts)} attempts failed"
    if time_left(limits, spent) <= 0:
        return f"the time limit of {limits.seconds:g} s is over"
    if usd >= limits.usd:
        return f"the cost limit of {limits.usd:g} USD is reached ({usd:.2f})"
    return None


def commit_message(incident: Incident, attempt: int, judgement: Judgement) -> str:
    """The message of a fix, with what it answers in the trailers."""
    place = f" in {incident.file}" if incident.file else ""
    code = f" {incident.code}" if incident.code else ""
    return (
        f"{SUBJECT}\n\n{incident.tool}{code}: {incident.type}{place}\n\n"
        f"{TRAILERS[0]}: {incident.fingerprint}\n"
        f"{TRAILERS[1]}: {attempt}\n"
        f"{TRAILERS[2]}: {judgement.verdict} {judgement.sha256}\n"
    )


def revert_message(subject: str, commit: str) -> str:
    """The message that `git revert` would write."""
    return f'Revert "{subject}"\n\nThis reverts commit {commit}: its build failed again.\n'
