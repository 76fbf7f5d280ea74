"""From findings to incidents: duplicates folded, root causes first, consequences marked."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from codeb_mcp.diagnosis.findings import Findings
from codeb_mcp.diagnosis.fingerprint import fingerprint, normal
from codeb_mcp.diagnosis.kinds import UNNAMED, kind_by_words
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
    failed_steps = steps.failed or steps.marked
    failed = {step.number for step in failed_steps}
    hints = [*findings.first_hints, *findings.last_hints]
    chosen = _chosen(findings.kept, hints, failed)
    roots = [each for each in chosen if each.weight is not Weight.CONSEQUENCE]
    rest = [each for each in chosen if each.weight is Weight.CONSEQUENCE]
    roots.sort(key=lambda each: (bool(failed) and each.step not in failed, each.weight, each.at))
    incidents = [*_with_causes(roots, failed), *_consequences(rest, roots)]
    step = failed_steps[0] if failed_steps else _step_of(roots, steps)
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
    errors = _without_unnamed([each for each in kept if not each.warning])
    telling = [each for each in errors if each.weight < Weight.HINT]
    if not telling:
        telling = [each for each in kept if each.warning]
    consequences = [each for each in errors if each.weight is Weight.CONSEQUENCE]
    if failed and not any(each.step in failed for each in telling):
        telling += _substitute(
            consequences, [each for each in hints if each.step in failed], failed
        )
    elif not telling:
        telling = _substitute(consequences, hints, failed)
    consequences = [each for each in consequences if each.at not in {one.at for one in telling}]
    return [*_without_summaries(_folded(telling)), *_folded(consequences)[:MOST_CONSEQUENCES]]


def _without_unnamed(findings: list[Finding]) -> list[Finding]:
    """What the general rules read goes where a tool's own rule read something in the same step."""
    steps = {
        each.step
        for each in findings
        if each.tool not in UNNAMED and each.weight is not Weight.CONSEQUENCE
    }
    return [each for each in findings if each.tool not in UNNAMED or each.step not in steps]


def _substitute(
    consequences: list[Finding], hints: list[Finding], failed: set[int]
) -> list[Finding]:
    """Where no diagnostic was found: what a builder reports, else a hint, else what failed last."""
    here = [each for each in consequences if not failed or each.step in failed]
    typed = [each for each in here if each.type is not IncidentType.UNKNOWN]
    chosen = typed[:1] or _best_hint(hints) or here[:1]
    return [replace(each, weight=Weight.ROOT, type=_said_type(each)) for each in chosen]


def _said_type(found: Finding) -> IncidentType:
    """Of what nobody knows, the type that its words speak of; of types nothing can be said so."""
    if found.type is not IncidentType.UNKNOWN:
        return found.type
    kind = kind_by_words(None, found.message, IncidentType.UNKNOWN)
    return IncidentType.UNKNOWN if kind is IncidentType.TYPE_ERROR else kind


def _best_hint(hints: list[Finding]) -> list[Finding]:
    """One: the first whose type and place are known; the next best is to know one of them."""

    def worth(each: Finding) -> tuple[bool, bool, int]:
        return (each.type is not IncidentType.UNKNOWN, each.file is not None, -each.at)

    return [max(hints, key=worth)] if hints else []


def _folded(findings: Iterable[Finding]) -> list[Finding]:
    """One of each: the same words at the same place, in whatever dress, are the same failure."""
    kept: dict[tuple[object, ...], Finding] = {}
    for each in findings:
        file, words = each.file, normal(each.message)[:60]
        if each.type is IncidentType.TEST_FAILURE and file and each.line:
            # a report of the tests names files and titles in another way than the terminal
            file, words = file.rsplit("/", 1)[-1], re.sub(r"\W+", "", words.split(": ")[0])
        kept.setdefault((file, each.line, words), each)
    return list(kept.values())


def _without_summaries(findings: list[Finding]) -> list[Finding]:
    """A summary goes when a diagnostic told of the same file, or of no file in the same step.

    One that names a file which a diagnostic elsewhere has brought down is its consequence.
    """
    roots = [each for each in findings if each.weight is Weight.ROOT]
    places = {
        each.step: {one.file for one in roots if one.step == each.step and one.file}
        for each in roots
    }
    touched = {
        each.step: set[str]().union(*(one.related for one in roots if one.step == each.step))
        for each in roots
    }
    kept: list[Finding] = []
    for each in findings:
        if each.weight is Weight.ROOT:
            kept.append(each)
        elif each.file is None:
            kept += [each] if each.step not in places else []
        elif _among(each.file, places.get(each.step, set())):
            continue
        elif _among(each.file, touched.get(each.step, set())):
            kept.append(replace(each, weight=Weight.CONSEQUENCE))
        else:
            kept.append(each)
    return kept


def _among(name: str, files: Iterable[str]) -> bool:
    return any(
        file == name or file.endswith("/" + name) or name.endswith("/" + file) for file in files
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
    return [_incident(each, _fingerprint(_cause(each, roots))) for each in rest[:MOST_CONSEQUENCES]]


def _cause(effect: Finding, roots: list[Finding]) -> Finding:
    """The root that touched the same file; else the first before it in the step; else the first."""
    if effect.file:
        for root in roots:
            if _among(effect.file, root.related):
                return root
    before = [root for root in roots if root.at <= effect.at and root.step == effect.step]
    return (before or roots)[0]


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
