"""The door to subprocesses, where somebody listens to what a command writes."""

import sys
import time

import pytest

from codeb_mcp.adapters.process import run
from codeb_mcp.errors import HostNotReady, SystemFailed
from tests.outcomes import fails_with

BOTH = "import sys; print('one'); print('two'); print('three', file=sys.stderr); sys.exit(3)"
LONG = "import sys; sys.stdout.write('x' * 3_000_000); print(); print('end')"
SLOW = "import time; print('begun', flush=True); time.sleep(60)"


class Listener:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def __call__(self, line: str) -> None:
        self.lines.append(line)


async def test_lines_of_both_outputs_are_heard_and_kept() -> None:
    heard = Listener()
    ended = await run([sys.executable, "-c", BOTH], check=False, on_line=heard)
    assert sorted(heard.lines) == ["one", "three", "two"]
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "one\ntwo\n", "three\n")


async def test_line_without_end_takes_no_memory_without_end() -> None:
    heard = Listener()
    ended = await run([sys.executable, "-c", LONG], on_line=heard)
    assert heard.lines[-1] == "end"
    assert max(len(line) for line in heard.lines) <= 1_000_000
    assert len(ended.stdout) <= 1_000_000


async def test_command_that_takes_too_long_is_ended() -> None:
    heard, began = Listener(), time.monotonic()
    async with fails_with(SystemFailed, "command_timeout"):
        await run([sys.executable, "-c", SLOW], seconds=3, on_line=heard)
    assert heard.lines == ["begun"]
    assert time.monotonic() - began < 30


async def test_program_that_is_not_there_is_told() -> None:
    with pytest.raises(HostNotReady, match="not installed"):
        await run(["no-such-program"], on_line=Listener())
