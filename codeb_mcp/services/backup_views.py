"""What the use cases of backups give back."""

from datetime import datetime

from pydantic import Field

from codeb_mcp.domain.backups import Manifest
from codeb_mcp.services.views import View


class BackupView(View):
    """One backup."""

    name: str
    of: str = Field(description="what it is a backup of")
    kind: str
    taken: datetime
    size: int = Field(description="bytes, encrypted")
    good: bool = Field(description="whole here, and off this server where that is wanted")
    problem: str = ""
    rows: int | None = None
    verified_at: datetime | None = None
    verified: bool | None = None

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> "BackupView":
        """The view of a manifest."""
        subject, verified = manifest.name.subject, manifest.verified
        return cls(
            name=str(manifest.name),
            of=str(subject),
            kind=subject.kind,
            taken=manifest.name.taken,
            size=manifest.size,
            good=manifest.good,
            problem=manifest.problem,
            rows=sum(each.rows for each in manifest.facts) if manifest.facts else None,
            verified_at=verified.at if verified else None,
            verified=verified.ok if verified else None,
        )


class BackupsView(View):
    """The backups of this server, oldest first."""

    folder: str
    coming: str = ""
    backups: list[BackupView]


class TimetableView(View):
    """When backups are made by themselves."""

    coming: str = Field(description="when next; empty: not by themselves")


class BackupRunView(View):
    """What one run of backups did."""

    backups: list[BackupView]
    removed: list[str] = Field(description="backups that were kept long enough")


class VerificationView(View):
    """A backup that was opened to its end, and what was found."""

    name: str
    kind: str
    ok: bool
    message: str


class RestoreView(View):
    """A restore of a database: what it would do, or did; `source` is what the backup is of."""

    project: str
    environment: str
    type: str
    backup: str
    source: str
    taken: datetime | None = None
    warning: str = Field(default="", description="show this to a person before")
    steps: list[str]
    digest: str = Field(description="pass it as plan_digest to do exactly this")
    done: bool
    rows: int | None = None
    kept_until: datetime | None = None
    undone: bool = False
