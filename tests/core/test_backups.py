"""Names of backups, their manifests, and which are kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeb_mcp.domain.backups import (
    STATE,
    BackupKind,
    BackupName,
    Manifest,
    Recipient,
    Retention,
    Subject,
    TableFacts,
    Verification,
    volume_of,
)
from codeb_mcp.domain.confinement import VolumeName
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.backups import ABANDONED, expired, parse_manifest, rendered, room_needed

KEY = EnvironmentKey(ProjectName("my-shop"), EnvironmentName("production"))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
subjects = st.sampled_from(
    [
        STATE,
        volume_of(KEY, VolumeName("data")),
        Subject(BackupKind.POSTGRES, KEY),
        Subject(BackupKind.REDIS, EnvironmentKey(ProjectName("server"), EnvironmentName("pr-4"))),
    ]
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)
names = st.builds(BackupName, subjects, moments)


def backup(taken: datetime, subject: Subject = STATE, **more: object) -> Manifest:
    return replace(Manifest(BackupName(subject, taken), 1000, "00"), **more)  # type: ignore[arg-type]  # a test's shorthand


@given(names)
def test_a_name_says_of_what_and_when(name: BackupName) -> None:
    assert BackupName.parse(str(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "../server.state.20260301T120000000000Z.age",
        "server.state.20260301T120000000000Z.age\n",
        "server.state.20261301T120000000000Z.age",
        "server.nothing.20260301T120000000000Z.age",
        "shop.state.20260301T120000000000Z.age",
        "my-shop-production.postgres.age",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        BackupName.parse(text)
    assert caught.value.code == "invalid_backup_name"


@given(names, st.booleans(), st.text(max_size=50))
def test_a_manifest_is_read_as_it_was_written(name: BackupName, flag: bool, text: str) -> None:
    manifest = Manifest(
        name,
        size=5,
        sha256="ab",
        engine=text,
        facts=(TableFacts("public.t", 3, "7"),),
        offsite=text,
        copied=flag,
        problem=text,
        verified=Verification(NOON, flag, text) if flag else None,
    )
    assert parse_manifest(rendered(manifest), "here") == manifest


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"verified": null}', "\x00"])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_manifest(text, "here")
    assert caught.value.code == "invalid_manifest"


def test_a_backup_a_day_is_kept_for_a_week_then_by_week_and_month() -> None:
    taken = [NOON - timedelta(days=day) for day in range(400)]
    gone = expired([backup(each) for each in taken], Retention(7, 5, 12), NOON)
    kept = [each for each in taken if BackupName(STATE, each) not in gone]
    assert kept[:7] == taken[:7]
    assert len({each.isocalendar()[:2] for each in kept}) >= 5
    assert len({(each.year, each.month) for each in kept}) == 12
    assert len(kept) <= 7 + 5 + 12


@given(st.lists(st.builds(backup, moments, subjects), max_size=30), st.integers(0, 3))
def test_the_newest_good_backup_of_everything_is_always_kept(
    manifests: list[Manifest], count: int
) -> None:
    gone = expired(manifests, Retention(count, 0, 0), NOON)
    for subject in {each.name.subject for each in manifests}:
        newest = max(each.name.taken for each in manifests if each.name.subject == subject)
        assert BackupName(subject, newest) not in gone


def test_backups_that_are_not_good_take_no_place_of_good_ones() -> None:
    good = backup(NOON - timedelta(days=2))
    bad = [backup(NOON - timedelta(hours=hour), problem="no copy") for hour in range(5)]
    assert expired([good, *bad], Retention(1, 0, 0), NOON) == []


def test_one_that_is_not_good_goes_when_a_newer_good_one_is_a_week_old() -> None:
    good = backup(NOON)
    bad = backup(NOON - timedelta(days=1), problem="no copy")
    assert expired([good, bad], Retention(), NOON + ABANDONED) == []
    later = NOON + ABANDONED + timedelta(seconds=1)
    assert expired([good, bad], Retention(), later) == [bad.name]


def test_a_backup_whose_copy_is_missing_is_not_good() -> None:
    assert backup(NOON).good
    assert not backup(NOON, offsite="b2:codeb").good
    assert backup(NOON, offsite="b2:codeb", copied=True).good


def test_room_is_asked_for_by_the_backup_before() -> None:
    old, new = backup(NOON, size=10), backup(NOON + timedelta(days=1), size=1000)
    assert room_needed([], 7) == 7
    assert room_needed([old, new], 7) == 1257


@pytest.mark.parametrize("text", ["", "age1", "AGE-SECRET-KEY-1QQ", "age1" + "Q" * 58, "-x"])
def test_only_the_public_half_of_a_key_is_a_recipient(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Recipient(text)
    assert caught.value.code == "invalid_recipient"
