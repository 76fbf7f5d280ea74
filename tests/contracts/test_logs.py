"""Logs, read from files as conmon writes them."""

import asyncio
import os
import resource
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from codeb_mcp.adapters.logs import LogFiles
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey

SHOP = EnvironmentKey(ProjectName("shop"), EnvironmentName("staging"))
AT = "2026-11-24T02:00:00Z"


def raw(text: str, mark: str = "F", stream: str = "stdout", offset: str = "+00:00") -> str:
    """A line as conmon writes it."""
    return f"2026-11-24T02:00:00.123456789{offset} {stream} {mark} {text}\n"


def write(file: Path, text: str) -> None:
    """Make the file hold the text, also bytes that are not UTF-8."""
    file.write_bytes(text.encode(errors="surrogateescape"))


@pytest.fixture
def logs(tmp_path: Path) -> LogFiles:
    """Logs below a folder that is made when it is needed."""
    return LogFiles(tmp_path / "home" / "logs")


@pytest.fixture
def file(logs: LogFiles) -> Path:
    """The log of release 3."""
    return Path(logs.folder(SHOP)) / "r3.log"


async def test_a_release_that_wrote_nothing_has_no_lines(logs: LogFiles) -> None:
    assert await logs.tail(SHOP, 3, 10) == ()


async def test_the_last_lines_come_oldest_first_with_their_time(logs: LogFiles, file: Path) -> None:
    write(file, "".join(raw(f"line {number}") for number in range(100)))
    assert await logs.tail(SHOP, 3, 2) == (f"{AT} line 98", f"{AT} line 99")
    assert await logs.tail(SHOP, 3, 0) == ()
    assert len(await logs.tail(SHOP, 3, 1000)) == 100


async def test_a_local_time_is_given_in_utc(logs: LogFiles, file: Path) -> None:
    write(file, raw("x", offset="+09:00"))
    assert await logs.tail(SHOP, 3, 1) == ("2026-11-23T17:00:00Z x",)


async def test_a_line_written_in_parts_is_one_line(logs: LogFiles, file: Path) -> None:
    parts = [raw("one ", "P"), raw("err", stream="stderr"), raw("two ", "P"), raw("three")]
    write(file, "".join(parts))
    assert await logs.tail(SHOP, 3, 9) == (f"{AT} err", f"{AT} one two three")


async def test_a_half_written_last_line_is_left_out(logs: LogFiles, file: Path) -> None:
    write(file, raw("whole") + raw("half").rstrip("\n")[:-2])
    assert await logs.tail(SHOP, 3, 9) == (f"{AT} whole",)


async def test_what_is_not_a_log_line_is_left_out(logs: LogFiles, file: Path) -> None:
    write(file, "\n\udcff\udcfe junk\n" + raw("good") + "x y Z w\n")
    assert await logs.tail(SHOP, 3, 9) == (f"{AT} good",)


async def test_a_long_line_is_cut_with_a_mark(logs: LogFiles, file: Path) -> None:
    write(file, raw("x" * 8000, "P") * 50 + raw("end"))
    (line,) = await logs.tail(SHOP, 3, 1)
    assert line == f"{AT} {'x' * 2000} … (cut)"


async def test_a_line_cannot_steer_the_reader_s_terminal(logs: LogFiles, file: Path) -> None:
    nasty = "\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link"
    nasty += " \x9b2J\x08\x00 a\rb \u202etxt"
    write(file, raw(nasty))
    assert await logs.tail(SHOP, 3, 1) == (f"{AT} red link 2J ab txt",)


async def test_tabs_and_other_languages_stay(logs: LogFiles, file: Path) -> None:
    write(file, raw("a\tb 배포 완료 ✓"))
    assert await logs.tail(SHOP, 3, 1) == (f"{AT} a\tb 배포 완료 ✓",)


async def test_a_huge_log_costs_no_more_than_a_small_one(logs: LogFiles, file: Path) -> None:
    with file.open("w") as log:
        log.truncate(3 * 2**30)  # a hole: it takes no disk, and reading it whole would take minutes
        log.seek(0, os.SEEK_END)
        log.write("\n" + "".join(raw(f"line {number}") for number in range(300)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = await asyncio.wait_for(logs.tail(SHOP, 3, 200), 5)
    assert (len(lines), lines[-1]) == (200, f"{AT} line 299")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


async def following(logs: LogFiles) -> AsyncGenerator[str, None]:
    """Follow, for no longer than a test may take."""
    async with asyncio.timeout(10):
        async for line in logs.follow(SHOP, 3):
            yield line


async def expect(lines: AsyncGenerator[str, None], *texts: str) -> None:
    """The next lines must be these."""
    for text in texts:
        assert await anext(lines) == f"{AT} {text}"


async def appended(lines: AsyncGenerator[str, None], file: Path, *texts: str) -> None:
    """Append once the follower waits; it must give these lines."""
    waiting = asyncio.ensure_future(anext(lines))
    await asyncio.sleep(0.3)  # it starts at the end of the file, which nothing announces
    with file.open("a") as log:
        log.write("".join(raw(text) for text in texts))
    assert await waiting == f"{AT} {texts[0]}"
    await expect(lines, *texts[1:])


async def test_following_gives_new_lines_only(logs: LogFiles, file: Path) -> None:
    write(file, raw("old"))
    lines = following(logs)
    await appended(lines, file, "new 1", "new 2")
    await lines.aclose()


async def test_following_waits_for_a_log_that_is_not_there_yet(logs: LogFiles, file: Path) -> None:
    await appended(following(logs), file, "first")


async def test_following_goes_on_after_the_log_was_cut_short(logs: LogFiles, file: Path) -> None:
    write(file, raw("old") * 100)
    lines = following(logs)
    await appended(lines, file, "before")
    write(file, raw("after"))
    await expect(lines, "after")


async def test_following_goes_on_in_the_log_that_replaced_it(logs: LogFiles, file: Path) -> None:
    write(file, raw("old"))
    lines = following(logs)
    await appended(lines, file, "before")
    with file.open("a") as log:
        log.write(raw("last of the old"))
    fresh = file.with_suffix(".tmp")
    fresh.write_text(raw("first of the new"))
    fresh.rename(file)
    await expect(lines, "last of the old", "first of the new")


async def test_a_line_that_comes_in_two_pieces_is_one(logs: LogFiles, file: Path) -> None:
    lines = following(logs)
    await appended(lines, file, "before")
    whole = raw("in two pieces")
    for piece in (whole[:40], whole[40:]):
        with file.open("a") as log:
            log.write(piece)
        await asyncio.sleep(0.3)  # so that the follower meets the first piece alone
    await expect(lines, "in two pieces")


def test_only_the_owner_may_read_an_environment_s_logs(logs: LogFiles) -> None:
    assert Path(logs.folder(SHOP)).stat().st_mode & 0o777 == 0o700


async def test_logs_are_told_by_environment_and_release(logs: LogFiles, file: Path) -> None:
    assert await logs.owned() == {SHOP: ()}
    for name in ("r3.log", "r12.log", "notes.txt"):
        (file.parent / name).touch()
    (file.parent.parent / "not-an-environment").mkdir()
    assert await logs.owned() == {SHOP: (3, 12)}


async def test_one_release_s_log_goes_alone(logs: LogFiles, file: Path) -> None:
    other = file.with_name("r4.log")
    for each in (file, other):
        each.touch()
    for _ in range(2):
        await logs.remove(SHOP, 3)
    assert (file.exists(), other.exists()) == (False, True)


async def test_where_nothing_was_ever_logged_there_are_no_logs(tmp_path: Path) -> None:
    assert await LogFiles(tmp_path / "none").owned() == {}
