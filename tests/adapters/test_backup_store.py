"""What is listed was written to its end; what was changed since is never used."""

import random
import resource
import shutil
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from codeb_mcp.adapters.backup_store import BackupFolder
from codeb_mcp.adapters.piped import Command, CommandDump, CommandIntake
from codeb_mcp.domain.backups import STATE, BackupKind, BackupName, Manifest
from codeb_mcp.domain.masking import Secret
from codeb_mcp.errors import CodebError, DataAtRisk, HostNotReady, InvalidRequest, Locked
from tests.fakes.backups import BytesDump, BytesIntake, archive, key_pair

NAME = BackupName(STATE, datetime(2026, 3, 1, tzinfo=UTC))
RANDOM = random.Random(7)  # noqa: S311 - the same at each run
CONTENT = archive("registry.db", RANDOM.randbytes(300_000))
IDENTITY, RECIPIENT = key_pair()


@pytest.fixture
def store(tmp_path: Path) -> BackupFolder:
    return BackupFolder(tmp_path / "backups")


async def written(store: BackupFolder, name: BackupName = NAME) -> Manifest:
    manifest = await store.write(name, BytesDump(CONTENT), [RECIPIENT])
    await store.record(manifest)
    return manifest


def folder_of(store: BackupFolder) -> set[str]:
    return {path.name for path in store.path(NAME).parent.iterdir()}


async def test_a_backup_opens_again_and_gives_back_every_byte(store: BackupFolder) -> None:
    manifest = await written(store)
    assert await store.listed() == (manifest,)
    opened = await store.open(store.path(NAME), IDENTITY)
    assert opened.kind is BackupKind.VOLUME  # a tar
    intake = BytesIntake()
    await store.pour(opened, IDENTITY, intake)
    assert intake.taken.getvalue() == CONTENT


async def test_backups_can_be_read_by_their_owner_alone(store: BackupFolder) -> None:
    await written(store)
    folder = store.path(NAME).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.system
async def test_the_age_command_opens_it(store: BackupFolder, tmp_path: Path) -> None:
    await written(store)
    key = tmp_path / "key"
    key.write_text(IDENTITY.reveal())
    argv = ["age", "--decrypt", "--identity", str(key), str(store.path(NAME))]
    assert (await anyio.run_process(argv)).stdout == CONTENT


async def test_flipped_or_cut_anywhere_it_is_refused_and_nothing_is_poured(
    store: BackupFolder, tmp_path: Path
) -> None:
    await written(store)
    good, bad = store.path(NAME).read_bytes(), tmp_path / "bad.age"
    offsets = [*range(60), *RANDOM.sample(range(60, len(good)), 140)]
    for offset in offsets:
        flipped = good[:offset] + bytes([good[offset] ^ 0x10]) + good[offset + 1 :]
        for content in (flipped, good[:offset]):
            bad.write_bytes(content)
            with pytest.raises(DataAtRisk) as caught:
                await store.open(bad, IDENTITY)
            assert caught.value.code in ("backup_damaged", "wrong_key")
    assert [path.name for path in tmp_path.iterdir()] == ["backups", "bad.age"]


async def test_what_follows_a_backup_is_refused(store: BackupFolder) -> None:
    await written(store)
    with store.path(NAME).open("ab") as file:
        file.write(b"x")
    assert await store.listed() == ()
    with pytest.raises(DataAtRisk):
        await store.open(store.path(NAME), IDENTITY)


async def test_another_backup_under_the_same_name_is_refused(store: BackupFolder) -> None:
    await written(store)
    other = await written(store, BackupName(STATE, NAME.taken + timedelta(days=1)))
    shutil.copy(store.path(other.name), store.path(NAME))
    with pytest.raises(DataAtRisk) as caught:
        await store.open(store.path(NAME), IDENTITY)
    assert "manifest" in caught.value.message


async def test_another_key_is_refused(store: BackupFolder) -> None:
    await written(store)
    with pytest.raises(DataAtRisk) as caught:
        await store.open(store.path(NAME), key_pair()[0])
    assert caught.value.code == "wrong_key"


@pytest.mark.parametrize("text", ["", "# only a comment", "age1qqq", "-----BEGIN NOTHING"])
async def test_what_is_no_key_is_refused_without_showing_it(store: BackupFolder, text: str) -> None:
    await written(store)
    with pytest.raises(InvalidRequest) as caught:
        await store.open(store.path(NAME), Secret(text))
    assert caught.value.code == "invalid_identity"


async def test_one_that_changes_between_being_checked_and_used_is_refused(
    store: BackupFolder,
) -> None:
    await written(store)
    opened = await store.open(store.path(NAME), IDENTITY)
    await store.write(NAME, BytesDump(CONTENT + b"more"), [RECIPIENT])
    with pytest.raises(DataAtRisk):
        await store.pour(opened, IDENTITY, BytesIntake())


async def test_a_producer_that_fails_leaves_nothing(store: BackupFolder) -> None:
    with pytest.raises(CodebError) as caught:
        await store.write(NAME, BytesDump(CONTENT, fails=True), [RECIPIENT])
    assert caught.value.code == "command_failed"
    assert folder_of(store) == set()


@pytest.mark.parametrize(
    ("argv", "check"),
    [
        (("sh", "-c", "printf half; exit 3"), None),
        (("sh", "-c", "printf half; kill -9 $$"), None),
        (("cat", "/nonexistent"), None),
        (("printf", "whole"), ("false",)),
        (("printf", "whole"), ("sh", "-c", "cat; exit 1")),
        (("no-such-program",), None),
        (("head", "-c", "3000000", "/dev/zero"), ("head", "-c", "10")),
    ],
)
async def test_a_program_that_fails_or_whose_output_is_refused_leaves_nothing(
    store: BackupFolder, argv: tuple[str, ...], check: tuple[str, ...] | None
) -> None:
    dump = CommandDump(Command(argv, "dumping"), Command(check, "checking") if check else None)
    with pytest.raises(CodebError):
        await store.write(NAME, dump, [RECIPIENT])
    assert folder_of(store) == set()


async def test_a_program_that_does_not_take_all_is_an_error(store: BackupFolder) -> None:
    await written(store)
    opened = await store.open(store.path(NAME), IDENTITY)
    intake = CommandIntake(Command(("sh", "-c", "echo no >&2; exit 1"), "taking it"))
    with pytest.raises(CodebError) as caught:
        await store.pour(opened, IDENTITY, intake)
    assert caught.value.message == "taking it failed (exit 1): no"


async def test_a_full_disk_leaves_nothing_and_says_so(store: BackupFolder) -> None:
    await written(store, BackupName(STATE, NAME.taken - timedelta(days=1)))
    before = folder_of(store)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(HostNotReady) as caught:
            await store.write(NAME, BytesDump(CONTENT), [RECIPIENT])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "backup_folder_unusable"  # a limit stands in for a full disk
    assert folder_of(store) == before


async def test_two_do_not_write_at_once(store: BackupFolder) -> None:
    async with store.alone():
        with pytest.raises(Locked):
            async with store.alone():
                pytest.fail("both are in")


async def test_killed_at_any_moment_it_is_whole_or_not_there(tmp_path: Path) -> None:
    program, killed = Path(__file__).with_name("killed_backup.py"), 0
    for moment in range(1, 100):
        folder = tmp_path / str(moment)
        store = BackupFolder(folder)
        before = await written(store, BackupName(STATE, NAME.taken - timedelta(days=1)))
        argv = [sys.executable, str(program), str(folder), RECIPIENT, str(moment)]
        ended = await anyio.run_process(argv, check=False)
        listed = await store.listed()
        assert listed[0] == before
        for manifest in listed:
            await store.open(store.path(manifest.name), IDENTITY)
        async with store.alone():
            pass
        left = {
            path for manifest in listed for path in (f"{manifest.name}", f"{manifest.name}.json")
        }
        assert {path.name for path in folder.iterdir()} == left
        if ended.returncode == 0:
            assert len(listed) == 2
            break
        assert ended.returncode == -signal.SIGKILL
        killed += 1
    assert killed >= 20
