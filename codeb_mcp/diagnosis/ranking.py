"""From findings to incidents: duplicates folded, root causes first, consequences marked."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from codeb_mcp.diagnosis.findings import Findings
from codeb_mcp.diagnosis.fingerprint import fingerprint, normal
from codeb_mcp.diagnosis.rules import Finding, Weight
from codeb_mcp.diagnosis.steps import Step, Steps
from codeb_mcp.domain.incident import Diagnosis, Incident, IncidentType

MOST_INCIDENTS = 100
MOST_CONSEQUENCES = 10

# what a failure of the first kind brings about later in the same job
_BRINGS_ABOUT = {
    IncidentType.DEPENDENCY_ERROR: frozenset(
        (IncidentType.IMPORT_ERROR, IncidentType.DEPENDENCY_ERROR, IncidentType.CONFIG_ERROR)
    ),
    IncidentType.INFRASTRUCTURE: frozenset(IncidentType),
}


def ranked(findings: Findings, steps: Steps) -> Diagnosis:
    """The diagnosis of all that was found."""
    failed = {step.number for step in steps.failed}
    hints = [*findings.first_hints, *findings.last_hints]
    chosen = _chosen(findings.kept, hints, failed)
    roots = [each for each in chosen if each.weight is not Weight.CONSEQUENCE]
    rest = [each for each in chosen if each.weight is Weight.CONSEQUENCE]
    roots.sort(key=lambda each: (bool(failed) and each.step not in failed, each.at))
    incidents = [*_with_causes(roots, failed), *_consequences(rest, roots)]
    step = steps.failed[0] if steps.failed else _step_of(roots, steps)
    return Diagnosis(
        incidents=tuple(incidents[:MOST_INCIDENTS]),
        failed_step=step.name or step.command,
        failed_command=step.command,
        failed_job=step.job,
        exit_code=steps.exit_code,
        truncated=findings.truncated or len(incidents) > MOST_INCIDENTS,
    )


def _step_of(roots: Sequence[Finding], steps: Steps) -> Step:
    return steps.current if roots and roots[0].step == steps.current.number else Step(0)


def _chosen(kept: list[Finding], hints: list[Finding], failed: set[int]) -> list[Finding]:
    errors = [each for each in kept if not each.warning]
    telling = [each for each in errors if each.weight < Weight.HINT]
    if not telling:
        telling = [each for each in kept if each.warning]
    if failed and not any(each.step in failed for each in telling):
        telling += _best_hint([each for each in hints if each.step in failed])
    elif not telling:
        telling = _best_hint(hints)
    consequences = [each for each in errors if each.weight is Weight.CONSEQUENCE]
    if not telling:
        return [replace(each, weight=Weight.ROOT) for each in consequences[:1]]
    return [*_without_summaries(_folded(telling)), *_folded(consequences)[:MOST_CONSEQUENCES]]


def _best_hint(hints: list[Finding]) -> list[Finding]:
    """One: the first that a rule knew a type for, else the first."""
    known = [each for each in hints if each.type is not IncidentType.UNKNOWN]
    return [replace(each, weight=Weight.ROOT) for each in (known or hints)[:1]]


def _folded(findings: Iterable[Finding]) -> list[Finding]:
    """One of each; the same place and words again, in another dress, are the same failure."""
    kept: dict[tuple[object, ...], Finding] = {}
    for each in findings:
        text = normal(each.message)[:60]
        keys = [(each.file, each.line, each.code or text, text if each.file is None else "")]
        if each.file and each.line:
            keys.append((each.file, each.line, text))
        if any(key in kept for key in keys):
            continue
        for key in keys:
            kept[key] = each
    return list({id(each): each for each in kept.values()}.values())


def _without_summaries(findings: list[Finding]) -> list[Finding]:
    """A summary goes when a diagnostic told of the same file, or of no file in the same step."""
    told = {each.step: set[str]() for each in findings}
    bare = {each.step for each in findings if each.weight is Weight.ROOT}
    for each in findings:
        if each.weight is Weight.ROOT:
            told[each.step] |= {*each.related, each.file or ""}
    return [
        each
        for each in findings
        if each.weight is Weight.ROOT
        or (each.step not in bare if each.file is None else not _covered(each, told[each.step]))
    ]


def _covered(summary: Finding, told: set[str]) -> bool:
    name = summary.file or ""
    return any(
        file and (file == name or file.endswith("/" + name) or name.endswith("/" + file))
        for file in {*told}
    )


def _with_causes(roots: list[Finding], failed: set[int]) -> list[Incident]:
    made: list[Incident] = []
    causes: list[tuple[Finding, Incident]] = []
    later: list[Incident] = []
    for each in roots:
        cause = next((name for known, name in causes if _explains(known, each, failed)), None)
        incident = _incident(each, cause.fingerprint if cause else None)
        (later if cause else made).append(incident)
        if each.type in _BRINGS_ABOUT and not cause:
            causes.append((each, incident))
    return [*made, *later]


def _explains(cause: Finding, effect: Finding, failed: set[int]) -> bool:
    if effect.type not in _BRINGS_ABOUT[cause.type] or effect.at <= cause.at:
        return False
    return effect.step == cause.step or cause.step in failed or not failed


def _consequences(rest: list[Finding], roots: list[Finding]) -> list[Incident]:
    made = []
    for each in rest:
        before = [root for root in roots if root.at <= each.at and root.step == each.step]
        cause = (before or roots)[0]
        made.append(_incident(each, _fingerprint(cause)))
    return made


def _incident(found: Finding, cause: str | None) -> Incident:
    own = _fingerprint(found)
    return Incident(
        type=found.type,
        tool=found.tool,
        message=found.message,
        log_line=found.at,
        fingerprint=own,
        file=found.file,
        line=found.line,
        column=found.column,
        code=found.code,
        excerpt=found.excerpt,
        caused_by=cause if cause != own else None,
    )


def _fingerprint(found: Finding) -> str:
    return fingerprint(found.type, found.tool, found.file, found.code, found.message)
