"""Shells, git, workflows and configuration files: what is said when a command cannot even start."""

import re

from codeb_mcp.diagnosis.paths import relative
from codeb_mcp.diagnosis.rules import FILE, Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

DEPENDENCY, CONFIG, SYNTAX = (
    IncidentType.DEPENDENCY_ERROR,
    IncidentType.CONFIG_ERROR,
    IncidentType.SYNTAX_ERROR,
)
UNKNOWN, LINT = IncidentType.UNKNOWN, IncidentType.LINT_ERROR


def _script(sighting: Sighting) -> Finding:
    made = sighting.finding()
    if made.file and (
        made.file in {"bash", "sh", "/bin/sh", "/bin/bash"} or "/_temp/" in made.file
    ):
        made.file = made.line = None
    return made


def _shellcheck(sighting: Sighting) -> Finding | None:
    for line in sighting.before(6):
        if found := re.match(r"In (?P<file>\S+) line (?P<line>\d+):", line.text):
            made = sighting.finding(
                file=relative(found["file"]), line=int(found["line"][:8]), first=line.number
            )
            made.warning = sighting.group("severity") in {"info", "style"}
            return made
    return None


def _terraform(sighting: Sighting) -> Finding:
    made = sighting.finding()
    for line in sighting.after(10):
        if found := re.match(
            r"[│|]?\s*on (?P<file>\S+\.(?:tf|tfvars|hcl)) line (?P<line>\d+)", line.text
        ):
            made.file, made.line, made.last = (
                relative(found["file"]),
                int(found["line"][:8]),
                line.number + 3,
            )
            break
    return made


RULES: tuple[Rule, ...] = (
    rule(
        "shell",
        CONFIG,
        "unbound",
        rf"^{FILE}: line (?P<line>\d+): (?P<message>\S+: unbound variable)$",
        _script,
    ),
    rule(
        "shell",
        DEPENDENCY,
        "not recognized",
        r"(?P<message>'.+' is not recognized as an internal or external command.*)",
        weight=Weight.HINT,
    ),
    rule(
        "shell",
        SYNTAX,
        ("rror near", "rror: ", "nexpected"),
        rf"^{FILE}: line (?P<line>\d+): (?P<message>syntax error.*|unexpected (?:EOF|end of file).*)$",
        _script,
    ),
    rule(
        "shell",
        SYNTAX,
        "nexpected",
        rf"^{FILE}: (?P<line>\d+): (?P<message>Syntax error: .+)$",
        _script,
    ),
    rule(
        "shell",
        DEPENDENCY,
        "not found",
        r"(?:^|[\s:])(?P<message>(?!npm )[\w@./+-]+: (?:command )?not found)$",
        weight=Weight.HINT,
    ),
    rule(
        "shell",
        CONFIG,
        "ermission denied",
        r"^(?P<message>.*\bPermission denied\b.*)$",
        weight=Weight.HINT,
    ),
    rule(
        "shell",
        CONFIG,
        "No such file",
        r"^(?P<message>(?:\S+: )+(?:line \d+: )?.*No such file or directory)$",
        weight=Weight.HINT,
    ),
    rule(
        "shellcheck",
        LINT,
        "rror)",
        r"\^-*-? (?P<code>SC\d{4}) \((?P<severity>error|warning|info|style)\): (?P<message>.+)$",
        _shellcheck,
    ),
    rule(
        "actions",
        CONFIG,
        (
            "nexpected value",
            "nvalid workflow",
            "rror parsing",
            "Unrecognized",
            "workflow is not valid",
        ),
        r"(?P<file>\.github/workflows/\S+\.ya?ml) \(Line: (?P<line>\d+), Col: (?P<column>\d+)\): (?P<message>.+)$",
    ),
    rule(
        "actions",
        CONFIG,
        ("nable to resolve action", "nput required", "not found", "annot find action"),
        r"(?P<message>(?:Unable to resolve action|Input required and not supplied|Dependencies lock file is not found|Can't find 'action\.yml').*)",
        weight=Weight.SUMMARY,
    ),
    rule(
        "git",
        CONFIG,
        ("atal: ",),
        r"^fatal: (?!unable to access|early EOF|the remote end)(?P<message>.+)$",
        weight=Weight.HINT,
    ),
    rule(
        "git",
        CONFIG,
        ("CONFLICT (", "rror: failed to push", "rror: pathspec"),
        r"^(?:error: )?(?P<message>(?:CONFLICT \(.+\)|failed to push some refs|pathspec .+ did not match).*)$",
        weight=Weight.HINT,
    ),
    rule("terraform", CONFIG, "rror: ", r"^(?:[│|]\s)(?:Error): (?P<message>.+)$", _terraform),
    rule(
        "prisma",
        CONFIG,
        ("rror: ", "rror code"),
        r"^(?:Error: )?(?P<message>(?:Prisma schema validation|Error code: P\d{4}|P\d{4}: ?).*)$",
        weight=Weight.SUMMARY,
    ),
    rule("ansible", CONFIG, "FAILED! =>", r"^fatal: \[.+?\]: (?P<message>FAILED! => .+)$"),
    rule("helm", CONFIG, "FAILED", r"^Error: (?P<message>(?:INSTALLATION|UPGRADE) FAILED: .+)$"),
)


def _said(sighting: Sighting) -> Finding | None:
    text = sighting.line.text
    if re.search(
        r"\b(?:0|no) (?:errors?|failures?|failed)\b|^\s*(?:✓|✔|√|ok |PASS|npm (?:warn|WARN|notice|http|verbose|silly|timing))|[Ww]arn(?:ing)?\b|DEBUG|deprecat",
        text,
    ):
        return None
    if sighting.line.stream == "" and sighting.line.mark == "warning":
        return None
    return sighting.finding(first=sighting.line.number, last=sighting.line.number, more=3)


LAST: tuple[Rule, ...] = (
    rule(
        "unknown",
        UNKNOWN,
        (
            "rror",
            "ERR",
            "xception",
            "atal",
            "FATAL",
            "anic",
            "failed",
            "Failed",
            "FAILED",
            "annot",
            "nable to",
            "ould not",
        ),
        r"^\W{0,6}(?P<message>(?:\[?(?:fatal|error|ERROR|FATAL|Error|Fatal|E)\]?[:!]? ?.{0,40}: |(?:\w+\.)*\w*(?:Error|Exception)\b: |error |Error: |ERROR |FATAL |Failed |failed |Cannot |cannot |Unable |unable |Could not )\S.*)$",
        _said,
        Weight.HINT,
    ),
)
"""Tried when no family knows the line."""
