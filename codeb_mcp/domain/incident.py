"""What a failure log says: incidents, and the step that failed."""

from dataclasses import dataclass
from enum import StrEnum


class IncidentType(StrEnum):
    """The kinds of failure. `INFRASTRUCTURE` is the one that no change of code heals."""

    TYPE_ERROR = "type_error"
    LINT_ERROR = "lint_error"
    IMPORT_ERROR = "import_error"
    TEST_FAILURE = "test_failure"
    SECURITY_VULN = "security_vuln"
    CONTAINER_BUILD = "container_build"
    SYNTAX_ERROR = "syntax_error"
    DEPENDENCY_ERROR = "dependency_error"
    CONFIG_ERROR = "config_error"
    INFRASTRUCTURE = "infrastructure"
    UNKNOWN = "unknown"

    @property
    def healable(self) -> bool:
        """Whether a change of code could heal it."""
        return self is not IncidentType.INFRASTRUCTURE


@dataclass(frozen=True, slots=True)
class Incident:
    """One failure.

    `file` is relative to the project where the log allows it. `excerpt` holds the failing lines,
    each with its number in the log; `log_line` is the number of the telling one, from 1.
    `fingerprint` is the same for the same failure in another run. `caused_by` is the fingerprint
    of the incident that this one follows from.
    """

    type: IncidentType
    tool: str
    message: str
    log_line: int
    fingerprint: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    code: str | None = None
    excerpt: str = ""
    caused_by: str | None = None

    @property
    def healable(self) -> bool:
        """Whether a change of code could heal it."""
        return self.type.healable


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Every incident of a log, root causes first.

    `failed_step` is the step's name, `failed_command` what it ran, both None where the log does
    not show them. `truncated` says that there were more incidents than are listed.
    """

    incidents: tuple[Incident, ...] = ()
    failed_step: str | None = None
    failed_command: str | None = None
    failed_job: str | None = None
    exit_code: int | None = None
    truncated: bool = False
