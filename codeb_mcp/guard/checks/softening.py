"""Hits that a person may have good reasons for: they are looked at, not refused."""

import re
from dataclasses import replace

from codeb_mcp.guard.places import Role
from codeb_mcp.guard.reading import Hit, Reading
from codeb_mcp.guard.rules import Severity

_PLATFORM = re.compile(
    r"sys\.platform|sys\.version|version_info|os\.name|platform\.|hasattr\(|shutil\.which"
    r"|find_spec|win32|darwin|is_?windows|is_?macos|IS_?WINDOWS"
    r"|not HAS_|not HAVE_|HAS_\w+|runtime\.GOOS|testing\.Short\(\)|os\.Getenv|os\.environ|getenv"
    r"|process\.platform|importorskip|requires|DisabledOnOs|EnabledOnOs"
    r"|ImportError|ModuleNotFoundError|not installed|Windows|python_requires|LookPath|geteuid"
    r"|getuid|is_available"
)
_CONDITIONAL = re.compile(
    r"\bskipif\b|skipIf|skipUnless|unless_\w+|\bif\b|unless|except\b|skip_unless"
)


def softened(hit: Hit, reading: Reading) -> Hit:
    """`hit`, or the same to be reviewed only."""
    if hit.severity is Severity.REVIEW:
        return hit
    if hit.rule == "test-skipped" and _depends_on_the_platform(hit, reading):
        return replace(hit, severity=Severity.REVIEW)
    if hit.rule == "test-retried" and _is_custom(hit, reading):
        return replace(hit, severity=Severity.REVIEW)
    if hit.rule == "tls-unverified" and reading.place.role in (Role.TEST, Role.FIXTURE):
        return replace(hit, severity=Severity.REVIEW)
    return hit


def _is_custom(hit: Hit, reading: Reading) -> bool:
    """Whether the file does the same in lines that the change leaves alone."""
    side = reading.side
    return any(
        hit.key in line for index, line in enumerate(reading.live) if index not in side.changed
    )


def _depends_on_the_platform(hit: Hit, reading: Reading) -> bool:
    lines = reading.live[max(0, hit.first - 2) : hit.first + 4]
    text = " ".join(lines)
    if re.search(r"skip(?:if|If)\( ?(?:True|1|not False)\b|[\"'](?:CI|GITHUB_ACTIONS)[\"']", text):
        return False
    return bool(_CONDITIONAL.search(" ".join([*lines[:-2], ""]))) and bool(_PLATFORM.search(text))
