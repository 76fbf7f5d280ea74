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
    sha256: str
    good: bool = Field(description="whole here, and off this server where that is wanted")
    problem: str = ""
    offsite: str = ""
    engine: str = ""
    rows: int | None = Field(default=None, description="rows of all tables, where known")
    verified_at: datetime | None = Field(default=None, description="when it was last restored")
    verified: bool | None = Field(default=None, description="whether all was found again then")

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
            sha256=manifest.sha256,
            good=manifest.good,
            problem=manifest.problem,
            offsite=manifest.offsite,
            engine=manifest.engine,
            rows=sum(each.rows for each in manifest.facts) if manifest.facts else None,
            verified_at=verified.at if verified else None,
            verified=verified.ok if verified else None,
        )


class BackupsView(View):
    """The backups of this server, oldest first."""

    folder: str
    backups: list[BackupView]


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
