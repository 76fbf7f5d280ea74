"""What the use cases give back, to a tool as structured content and to `codeb --json` alike."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from codeb_mcp.domain.drift import Drift
from codeb_mcp.domain.host import ObservedContainer
from codeb_mcp.domain.job import Job, JobState
from codeb_mcp.domain.ledger import PortAllocation
from codeb_mcp.domain.plan import Plan, sentence
from codeb_mcp.domain.ports import PortKind, occupied_by
from codeb_mcp.domain.release import Release


class View(BaseModel):
    """Base of all results."""

    model_config = ConfigDict(frozen=True)


V = TypeVar("V", bound=View)


class StepView(View):
    """One step of a plan."""

    kind: str = Field(description="what the step does, such as StartContainer")
    sentence: str
    details: dict[str, Any]


class PlanView(View):
    """What a deploy would change, or changed. No steps: there is nothing to do."""

    digest: str = Field(description="pass it as plan_digest to carry out exactly this plan")
    steps: list[StepView]

    @classmethod
    def of(cls, plan: Plan) -> "PlanView":
        """The view of `plan`."""
        steps = [
            StepView(kind=type(step).__name__, sentence=sentence(step), details=asdict(step))
            for step in plan.steps
        ]
        return cls(digest=plan.digest, steps=steps)


class ReleaseView(View):
    """A release of an environment."""

    number: int
    status: str
    version: str
    image: str
    digest: str
    slot: str
    requested_by: str
    started_at: datetime
    finished_at: datetime | None = None
    message: str = ""

    @classmethod
    def of(cls, release: Release) -> "ReleaseView":
        """The view of `release`."""
        return cls(**asdict(release))


class HistoryView(View):
    """The releases of an environment, newest first."""

    project: str
    environment: str
    releases: list[ReleaseView]
    kept: list[int] = Field(description="releases whose image is kept: rollback can use them")


class DeployView(View):
    """How a deploy ended, or (`dry_run`) what it would do."""

    project: str
    environment: str
    changed: bool
    dry_run: bool
    url: str
    domain: str
    release: int | None = Field(description="the release that serves now")
    version: str
    image: str
    digest: str
    slot: str | None
    plan: PlanView
    seconds: float
    expires_at: datetime | None = Field(default=None, description="when a preview is removed")


class VariableView(View):
    """A variable, without its value."""

    name: str
    required: bool
    set: bool


class VariablesView(View):
    """The variables of an environment; values are never shown."""

    project: str
    environment: str
    file: str
    variables: list[VariableView]
    changed: list[str] = Field(description="what this call set or unset")
    next: str


class ConfigView(View):
    """A project's settings as text, as they are set; those that are empty are left out."""

    project: str
    settings: dict[str, str]
    changed: list[str] = Field(description="what this call changed")
    next: str


class JobView(View):
    """A scheduled job; when it ran and runs, in systemd's words."""

    name: str
    schedule: str
    command: list[str]
    installed: bool = Field(description="false until a release is live")
    next_run: str
    last_run: str
    result: str = Field(description="how the last run ended: success, exit-code, …")
    exit_code: int | None

    @classmethod
    def of(cls, job: Job, state: JobState | None) -> "JobView":
        """The view of `job`, which is not installed where it has no state."""
        stands = state or JobState()
        return cls(
            name=job.name,
            schedule=job.schedule,
            command=list(job.command.words),
            installed=state is not None,
            next_run=stands.next_run,
            last_run=stands.last_run,
            result=stands.result,
            exit_code=stands.exit_code,
        )


class JobsView(View):
    """The scheduled jobs of an environment."""

    project: str
    environment: str
    jobs: list[JobView]


class RemovalView(View):
    """What a removal removed, or (`removed` false) what it would remove."""

    project: str
    environment: str
    removed: bool
    plan: PlanView
    kept: list[str] = Field(description="files and volumes that are left")


class ProjectRemovalView(View):
    """What became of a whole project, or (`removed` false) what would."""

    project: str
    removed: bool
    environments: list[RemovalView]


class PreviewView(View):
    """A preview, and how long it lives."""

    project: str
    environment: str
    status: str
    url: str
    expires_at: datetime | None = Field(description="null: it does not expire")
    expired: bool


class PreviewsView(View):
    """The previews on this server."""

    previews: list[PreviewView]
    limit: int = Field(description="how many a project may have")


class PruneView(View):
    """The previews whose time was over, and what became of each."""

    dry_run: bool
    expired: list[PreviewView]
    removed: list[str] = Field(description="project/environment of those that are gone")
    failed: dict[str, str] = Field(description="those that are not, and why")


class DriftView(View):
    """One way in which an environment differs from the registry."""

    kind: str
    message: str

    @classmethod
    def of(cls, differs: Iterable[Drift]) -> "list[DriftView]":
        """The views of several."""
        return [cls(kind=each.kind, message=each.message) for each in differs]


class ReconciledView(View):
    """An environment that was mended, or (`dry_run`) would be. No steps: nothing is to be done."""

    environment: str
    differed: list[DriftView]
    changed: bool
    plan: PlanView
    error: str = Field(description="why it could not be mended; empty when it was")
    error_code: str
    exit_code: int = Field(description="what codeb leaves with for that error; 0 without one")


class ReconcileView(View):
    """The environments of a project, back to what the registry says."""

    project: str
    dry_run: bool
    environments: list[ReconciledView]


class EnvironmentView(View):
    """An environment as the registry and the running system have it."""

    environment: str
    status: str = Field(
        description="running, stopped (nothing serves), unrouted, failed, interrupted or empty"
    )
    domain: str
    url: str
    ports: dict[str, int]
    live: ReleaseView | None = None
    latest: ReleaseView | None = Field(
        default=None, description="the newest release, where it is not the live one"
    )
    slot: str | None = None
    container: str | None = None
    healthy: bool | None = Field(default=None, description="whether its health path answers now")
    health: str = Field(default="", description="what the health path answered")
    restarts: int = 0
    expires_at: datetime | None = Field(default=None, description="when a preview is removed")
    busy: str = Field(default="", description="who is changing it right now, and what for")
    drift: list[DriftView] = Field(
        default=[], description="how it differs from the registry; reconcile mends it"
    )

    @staticmethod
    def container_of(seen: ObservedContainer | None) -> str | None:
        """The name of a container that was seen."""
        return seen.name if seen else None


class ProjectView(View):
    """A project in short."""

    name: str
    type: str
    repository: str
    environments: dict[str, str] = Field(description="environment to status")
    urls: dict[str, str]


class ProjectsView(View):
    """All projects."""

    projects: list[ProjectView]


class StatusView(View):
    """A project and how each of its environments stands."""

    project: str
    type: str
    repository: str
    health_check: str
    required_variables: list[str]
    env_files: dict[str, str] = Field(description="where each environment's secrets are kept")
    environments: list[EnvironmentView]


class PortView(View):
    """A port handed out. For an application, `ports` holds its blue and its green slot."""

    project: str
    environment: str
    type: str
    port: int
    ports: list[int]
    created: bool = Field(description="false when the environment had this port already")
    skipped: list[int] = Field(description="ports passed over because other programs hold them")

    @classmethod
    def of(cls, allocation: PortAllocation) -> "PortView":
        """The view of `allocation`."""
        kind = PortKind(allocation.kind)
        return cls(
            project=allocation.key.project,
            environment=allocation.key.environment,
            type=kind,
            port=allocation.port,
            ports=list(occupied_by(kind, allocation.port)),
            created=allocation.created,
            skipped=list(allocation.skipped),
        )


class PortsView(View):
    """The port map and what is handed out of it."""

    ranges: dict[str, str]
    system: dict[str, str]
    allocations: list[PortView]


class RecordView(View):
    """A DNS record that now stands."""

    name: str
    type: str
    content: str
    ttl: int
    changed: bool


class LogsView(View):
    """The end of a release's log, secrets masked, oldest line first."""

    project: str
    environment: str
    release: int
    release_status: str
    lines: list[str]
    truncated: bool = Field(description="whether lines were left out to keep the answer short")


class InitView(View):
    """A project that was registered, and what was written for it."""

    project: str
    type: str
    reasons: list[str] = Field(description="why it is of this type, as its source folder says")
    files: list[str] = Field(description="what was written into its source folder")
    note: str = ""
    next: str


class LoginsView(View):
    """The image registries with a login."""

    registries: list[str]


class GarbageItemView(View):
    """Something of codeb's that nothing needs any more."""

    kind: str
    name: str
    why: str
    sentence: str


class GarbageView(View):
    """What is left over on the server, and what became of it."""

    digest: str = Field(description="pass it as plan_digest to remove exactly these")
    items: list[GarbageItemView]
    removed: list[str]
    failed: dict[str, str] = Field(description="environments left as they are, and why")
