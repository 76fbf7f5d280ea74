"""What failure logs say, for people and agents: secrets masked, bounded, root causes first."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from anyio import to_thread
from pydantic import Field

from codeb_mcp.diagnosis import diagnose
from codeb_mcp.diagnosis.ranking import MOST_INCIDENTS
from codeb_mcp.domain.incident import Diagnosis, Incident
from codeb_mcp.domain.masking import mask
from codeb_mcp.services.views import View


class FailureLogs(Protocol):
    """Where failure logs are read from."""

    def names(self, source: str) -> Sequence[str]:
        """The logs that `source` stands for: itself, or the files of a folder, in their order.

        Raises InvalidRequest when there is nothing to read.
        """

    def open(self, name: str) -> AbstractContextManager[Iterator[bytes]]:
        """The log in blocks. Raises InvalidRequest when it cannot be read."""


class IncidentView(View):
    """One failure found in a log."""

    type: str
    tool: str
    file: str | None = Field(description="relative to the project where the log allows it")
    line: int | None
    column: int | None
    code: str | None = Field(description="the tool's own name for the error, such as TS2345")
    message: str
    excerpt: str = Field(description="the failing lines, each with its number in the log")
    log_line: int
    log: str | None = Field(description="which log it is in, when there were several")
    fingerprint: str = Field(description="the same for the same failure in another run")
    caused_by: str | None = Field(description="fingerprint of the incident this one follows from")
    healable: bool = Field(description="false: nothing that a change of code could heal")

    @classmethod
    def of(cls, incident: Incident, log: str | None) -> "IncidentView":
        """The view of `incident`, without secrets."""
        return cls(
            type=incident.type,
            tool=incident.tool,
            file=incident.file,
            line=incident.line,
            column=incident.column,
            code=incident.code,
            message=mask(incident.message),
            excerpt=mask(incident.excerpt),
            log_line=incident.log_line,
            log=log,
            fingerprint=incident.fingerprint,
            caused_by=incident.caused_by,
            healable=incident.healable,
        )


class DiagnosisView(View):
    """Every incident of one or several logs, root causes first."""

    incidents: list[IncidentView]
    failed_step: str | None
    failed_command: str | None
    failed_job: str | None
    exit_code: int | None
    truncated: bool = Field(description="there were more incidents than are listed")


class Diagnosing:
    """Reads failure logs."""

    def __init__(self, logs: FailureLogs) -> None:
        self._logs = logs

    async def analyze(self, sources: Sequence[str]) -> DiagnosisView:
        """What the logs say. Raises InvalidRequest when one cannot be read."""
        return await to_thread.run_sync(self._analyze, sources)

    async def diagnosis(self, sources: Sequence[str]) -> Diagnosis:
        """What the logs say together. Raises InvalidRequest when one cannot be read."""
        return await to_thread.run_sync(self._one, sources)

    def _one(self, sources: Sequence[str]) -> Diagnosis:
        names = [name for source in sources for name in self._logs.names(source)]
        read = [(name, self._diagnose(name)) for name in names]
        failed = next((each for _, each in read if each.incidents), None) or Diagnosis()
        incidents = tuple(incident for _, incident in _roots_first(read))
        return replace(failed, incidents=incidents[:MOST_INCIDENTS])

    def _analyze(self, sources: Sequence[str]) -> DiagnosisView:
        names = [name for source in sources for name in self._logs.names(source)]
        return _together([(name, self._diagnose(name)) for name in names])

    def _diagnose(self, name: str) -> Diagnosis:
        with self._logs.open(name) as blocks:
            return diagnose(blocks)


def _together(read: Sequence[tuple[str, Diagnosis]]) -> DiagnosisView:
    """Roots of all logs before the consequences of any; the same failure in two logs once."""
    several = len(read) > 1
    views: dict[str, IncidentView] = {}
    for name, incident in _roots_first(read):
        views.setdefault(
            incident.fingerprint + (f":{incident.line}" if incident.line else ""),
            IncidentView.of(incident, name if several else None),
        )
    failed = next((each for _, each in read if each.incidents), None) or Diagnosis()
    codes = (each.exit_code for _, each in read if each.exit_code)
    return DiagnosisView(
        incidents=list(views.values())[:MOST_INCIDENTS],
        failed_step=mask(failed.failed_step) if failed.failed_step else None,
        failed_command=mask(failed.failed_command) if failed.failed_command else None,
        failed_job=failed.failed_job,
        exit_code=next(codes, None),
        truncated=len(views) > MOST_INCIDENTS or any(each.truncated for _, each in read),
    )


def _roots_first(read: Iterable[tuple[str, Diagnosis]]) -> list[tuple[str, Incident]]:
    every = [(name, incident) for name, each in read for incident in each.incidents]
    return sorted(every, key=lambda pair: pair[1].caused_by is not None)
