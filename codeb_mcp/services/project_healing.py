"""Healing a project that is deployed here: by the log of a build, or of its failed release."""

from dataclasses import dataclass, replace
from pathlib import Path

from anyio import to_thread

from codeb_mcp.diagnosis import diagnose
from codeb_mcp.domain.masking import KEY_LINES, mask_lines
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import Environment, Project
from codeb_mcp.domain.release import Release, ReleaseStatus
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.auditing import audited
from codeb_mcp.services.deployments import OnProgress
from codeb_mcp.services.diagnosing import Diagnosing
from codeb_mcp.services.healing import Healing, HealRequest
from codeb_mcp.services.healing_views import HealView
from codeb_mcp.services.systems import Systems

LOG_LINES = 2_000


@dataclass(frozen=True, slots=True)
class HealWanted:
    """What to heal: `logs` of a build, else the newest failed release of `project`.

    `folder` is where the code is checked out; without it the project's own folder. `options`
    holds the rest; its folder and diagnosis are filled in.
    """

    options: HealRequest
    project: ProjectName | None = None
    environment: EnvironmentName | None = None
    logs: tuple[str, ...] = ()
    folder: Path | None = None


class ProjectHealing:
    """The way into `Healing`."""

    def __init__(self, systems: Systems, healing: Healing, diagnosing: Diagnosing) -> None:
        self._systems = systems
        self._healing = healing
        self._diagnosing = diagnosing

    async def heal(self, wanted: HealWanted, report: OnProgress) -> HealView:
        """Heal it. InvalidRequest when it is not clear what, or where the code is."""
        subject = wanted.project or str(wanted.folder or "")
        async with audited(
            self._systems,
            wanted.options.actor,
            "heal",
            project=subject,
            dry_run=wanted.options.dry_run,
            push=wanted.options.push,
        ):
            request = await self._request(wanted)
            return await self._healing.heal(request, report)

    async def _request(self, wanted: HealWanted) -> HealRequest:
        project = None
        if wanted.project is not None:
            project = await self._systems.registry.project(wanted.project)
        options = replace(
            wanted.options,
            folder=_folder(wanted.folder, project),
            project=str(project.name) if project else None,
        )
        if wanted.logs:
            return replace(options, diagnosis=await self._diagnosing.diagnosis(wanted.logs))
        if project is None:
            raise InvalidRequest(
                "there is nothing to heal by",
                hint="pass a project, or --log with the log of the job that failed",
                code="nothing_to_heal",
            )
        environment, release = _failed(project, wanted.environment)
        logs = self._systems.logs
        lines = await logs.tail(environment.key, release.number, LOG_LINES + KEY_LINES)
        secrets = self._systems.secrets.read(environment.key)
        masked = mask_lines(lines, secrets.values if secrets else ())
        text = "\n".join(masked).encode() + b"\n"
        found = await to_thread.run_sync(diagnose, [text])
        return replace(options, diagnosis=found, propose=True)


def _folder(given: Path | None, project: Project | None) -> Path:
    if given is not None:
        return given
    if project is not None and (folder := Path(project.repository)).is_absolute():
        return folder
    raise InvalidRequest(
        "it is not known where the code is checked out",
        hint="pass --repo DIR (repository) with the folder of its git working copy",
        code="unknown_folder",
    )


def _failed(project: Project, wanted: EnvironmentName | None) -> tuple[Environment, Release]:
    """The newest release that failed, of one environment or of all."""
    found = [
        (each, each.latest)
        for each in project.environments
        if wanted in (None, each.key.environment)
        and each.latest is not None
        and each.latest.status is ReleaseStatus.FAILED
    ]
    if not found:
        raise InvalidRequest(
            f"the newest release of {project.name} did not fail",
            hint="pass --log with the log of a build that failed",
            code="nothing_failed",
        )
    return max(found, key=lambda pair: pair[1].started_at)
