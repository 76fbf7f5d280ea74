"""Programs whose output is a backup, or that take one: bytes as they come, and how they ended."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from codeb_mcp.adapters.process import DEVNULL, PIPE, Child, spawn_piped
from codeb_mcp.domain.masking import mask
from codeb_mcp.domain.streams import Readable, Writable
from codeb_mcp.errors import SystemFailed

LAST_WORDS = 4000


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments; `doing` completes "… failed"."""

    argv: tuple[str, ...]
    doing: str
    env: Mapping[str, str] = field(default_factory=dict)


class _Child:
    """One started program, ended at the latest when its part is over."""

    def __init__(self) -> None:
        self._process: Child | None = None
        self._stopped = False

    def stop(self) -> None:
        """End it; one that begins later ends at once."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()

    @contextmanager
    def _started(self, command: Command, stdin: int, stdout: int) -> Iterator[Child]:
        with tempfile.TemporaryFile() as errors:
            process = spawn_piped(
                command.argv, env=command.env, errors=errors, stdin=stdin, stdout=stdout
            )
            self._process = process
            try:
                if self._stopped:
                    process.kill()
                try:
                    yield process
                except BrokenPipeError:
                    if process.stdin is None:
                        raise  # another program's, whose judgement counts
                    # why it stopped to listen is what it said
                    self._require_success(command, process, errors)
                    raise SystemFailed(
                        f"{command.doing} ended before it had taken everything",
                        hint="try again; when it stays, read the log of the database",
                        code="command_failed",
                    ) from None
                self._require_success(command, process, errors)
            finally:
                process.kill()
                process.wait()
                for stream in (process.stdin, process.stdout):
                    if stream is not None:
                        with contextlib.suppress(BrokenPipeError):
                            stream.close()

    def _require_success(self, command: Command, process: Child, errors: IO[bytes]) -> None:
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        process.wait()
        if process.returncode != 0:
            raise _failed(command, process.returncode, errors)


class CommandDump(_Child):
    """A program that writes a dump; with `check`, another one is given the same bytes to judge."""

    def __init__(self, command: Command, check: Command | None = None) -> None:
        super().__init__()
        self._command = command
        self._check = CommandIntake(check) if check else None

    @contextmanager
    def open(self) -> Iterator[Readable]:
        """Its output. Leaving raises SystemFailed when it, or the check, did not end well."""
        with contextlib.ExitStack() as stack:
            judge = stack.enter_context(self._check.open()) if self._check else None
            process = stack.enter_context(self._started(self._command, DEVNULL, PIPE))
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            yield _Overheard(process.stdout, judge) if judge else process.stdout

    def stop(self) -> None:
        """End both."""
        super().stop()
        if self._check:
            self._check.stop()


class CommandIntake(_Child):
    """A program that takes a dump on its standard input."""

    def __init__(self, command: Command) -> None:
        super().__init__()
        self._command = command

    @contextmanager
    def open(self) -> Iterator[Writable]:
        """Its input."""
        with self._started(self._command, PIPE, DEVNULL) as process:
            assert process.stdin is not None  # noqa: S101 - a pipe was asked for
            yield process.stdin


class _Overheard:
    """Bytes that someone else hears too."""

    def __init__(self, source: Readable, listener: Writable) -> None:
        self._source = source
        self._listener = listener

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, after the listener had them."""
        data = self._source.read(size)
        self._listener.write(data)
        return data


def _failed(command: Command, code: int, errors: IO[bytes]) -> SystemFailed:
    end = errors.seek(0, 2)
    errors.seek(max(0, end - LAST_WORDS))
    lines = [line for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower()] or lines[-1:]
    said = mask(telling[0].strip()) if telling else "it said nothing"
    return SystemFailed(
        f"{command.doing} failed (exit {code}): {said}",
        hint="see the message above, mend what it names, then try again",
        code="command_failed",
    )
