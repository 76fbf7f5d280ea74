"""Which backups are kept, what a manifest says as JSON, and how much room one needs."""

import json
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from codeb_mcp.domain.backups import (
    BackupName,
    Manifest,
    Retention,
    Subject,
    TableFacts,
    Verification,
)
from codeb_mcp.errors import InvalidRequest

FORMAT = 1
GROWTH = 1.25
"""A backup may be so many times as large as the one before."""
ABANDONED = timedelta(days=7)
"""A backup that is not good, and older than a good one of the same subject, goes after this."""


def expired(manifests: Iterable[Manifest], retention: Retention, now: datetime) -> list[BackupName]:
    """The backups that retention lets go of, oldest first.

    Only good ones are counted, and the newest good one of a subject is kept whatever the numbers
    say. One that is not good goes when a newer good one has been there for a week.
    """
    by_subject: dict[Subject, list[Manifest]] = {}
    for each in manifests:
        by_subject.setdefault(each.name.subject, []).append(each)
    gone = [name for listed in by_subject.values() for name in _of_subject(listed, retention, now)]
    return sorted(gone, key=lambda name: name.taken)


def _of_subject(
    manifests: Sequence[Manifest], retention: Retention, now: datetime
) -> list[BackupName]:
    newest_first = sorted(manifests, key=lambda each: each.name.taken, reverse=True)
    good = [each.name for each in newest_first if each.good]
    if not good:
        return []
    kept = {good[0]}
    for count, period in (
        (retention.daily, _day),
        (retention.weekly, _week),
        (retention.monthly, _month),
    ):
        kept |= _newest_of_each(good, count, period)
    failed = [
        each.name
        for each in newest_first
        if not each.good and each.name.taken < good[0].taken and now - good[0].taken > ABANDONED
    ]
    return [name for name in good if name not in kept] + failed


def _newest_of_each(
    newest_first: Sequence[BackupName], count: int, period: Callable[[datetime], Hashable]
) -> set[BackupName]:
    newest: dict[Hashable, BackupName] = {}
    for name in newest_first:
        newest.setdefault(period(name.taken.astimezone(UTC)), name)
    return set(list(newest.values())[:count])


def _day(moment: datetime) -> Hashable:
    return moment.date()


def _week(moment: datetime) -> Hashable:
    return moment.isocalendar()[:2]


def _month(moment: datetime) -> Hashable:
    return moment.year, moment.month


def room_needed(before: Sequence[Manifest], spare: int) -> int:
    """The bytes that must be free before a backup of the same subject begins."""
    newest = max(before, key=lambda each: each.name.taken, default=None)
    return spare + (int(newest.size * GROWTH) if newest else 0)


def rendered(manifest: Manifest) -> str:
    """The manifest as the JSON that lies beside the backup."""
    verified = manifest.verified
    document: dict[str, Any] = {
        "format": FORMAT,
        "backup": str(manifest.name),
        "kind": manifest.name.subject.kind,
        "taken": manifest.name.taken.astimezone(UTC).isoformat(),
        "size": manifest.size,
        "sha256": manifest.sha256,
        "engine": manifest.engine,
        "tables": [
            {"table": each.table, "rows": each.rows, "digest": each.digest}
            for each in manifest.facts
        ],
        "offsite": manifest.offsite,
        "copied": manifest.copied,
        "problem": manifest.problem,
        "verified": verified
        and {"at": verified.at.isoformat(), "ok": verified.ok, "message": verified.message},
    }
    return json.dumps(document, indent=2) + "\n"


def parse_manifest(text: str, where: str) -> Manifest:
    """What `rendered` wrote. Raises InvalidRequest, naming `where`, for anything else."""
    try:
        read = json.loads(text)
        verified = read["verified"]
        return Manifest(
            name=BackupName.parse(read["backup"]),
            size=int(read["size"]),
            sha256=str(read["sha256"]),
            engine=str(read["engine"]),
            facts=tuple(
                TableFacts(str(each["table"]), int(each["rows"]), str(each["digest"]))
                for each in read["tables"]
            ),
            offsite=str(read["offsite"]),
            copied=bool(read["copied"]),
            problem=str(read["problem"]),
            verified=verified
            and Verification(
                datetime.fromisoformat(verified["at"]), bool(verified["ok"]), verified["message"]
            ),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRequest(
            f"{where} is not the manifest of a backup: {type(error).__name__}",
            hint="restore the backup itself by its path; the manifest is not needed for that",
            code="invalid_manifest",
        ) from None
