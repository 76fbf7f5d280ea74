"""The only door to a subprocess: argv in, bounded output back, never a shell."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

import anyio
from anyio.abc import ByteReceiveStream, Process

from codeb_mcp.errors import HostNotReady, SystemFailed

PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL
Child: TypeAlias = "subprocess.Popen[bytes]"
MAX_OUTPUT = 1_000_000
PIPE_BLOCK = 1 << 18
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended. Output is text, cut to its last million characters."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def last_error(self) -> str:
        """The last line that says something, for an error message."""
        lines = [line for line in (self.stderr or self.stdout).splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"exit code {self.returncode}"


async def run(
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    seconds: float = 60.0,
    check: bool = True,
    on_line: Callable[[str], Awaitable[None]] | None = None,
) -> Completed:
    """Run a command to its end; a cancelled or timed-out caller kills it.

    `on_line` hears each line as it is written, on either output. `env` is
    added to this process's environment. Raises HostNotReady when the program is not installed,
    SystemFailed when it takes longer than `seconds` or, with `check`, ends non-zero.
    """
    try:
        with anyio.fail_after(seconds):
            ended = await _to_the_end(argv, stdin, {**os.environ, **(env or {})}, cwd, on_line)
    except FileNotFoundError:
        raise program_missing(argv[0]) from None
    except TimeoutError:
        raise SystemFailed(
            f"{argv[0]} {_subject(argv)} did not end within {seconds:g} s",
            hint="try again; if it happens again, run the command by hand to see what it waits for",
            code="command_timeout",
        ) from None
    completed = Completed(tuple(argv), ended.returncode, _text(ended.stdout), _text(ended.stderr))
    if check and completed.returncode != 0:
        raise SystemFailed(
            f"{argv[0]} {_subject(argv)} failed (exit {completed.returncode}): "
            f"{completed.last_error}",
            hint="see the message above; the command is: " + " ".join(argv[:8]),
            code="command_failed",
        )
    return completed


async def run_here(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    on_signal: Callable[[], Awaitable[None]],
) -> int:
    """Run a command with this process's own input and output; gives its exit code.

    When this process is told to end, `on_signal` is to make the command end; the result is then
    128 + the signal's number.
    """
    told = 0
    with anyio.open_signal_receiver(*_ENDING) as signals:
        process = await anyio.open_process(
            list(argv), stdin=None, stdout=None, stderr=None, env={**os.environ, **env}
        )

        async def heed() -> None:
            nonlocal told
            async for number in signals:
                told = told or number
                await on_signal()

        async with anyio.create_task_group() as group:
            group.start_soon(heed)
            ended = await process.wait()
            group.cancel_scope.cancel()
    return 128 + told if told else ended


async def _to_the_end(
    argv: Sequence[str],
    stdin: bytes | None,
    env: Mapping[str, str],
    cwd: Path | None,
    on_line: Callable[[str], Awaitable[None]] | None,
) -> "subprocess.CompletedProcess[bytes]":
    if on_line is None:
        return await anyio.run_process(list(argv), input=stdin, env=env, cwd=cwd, check=False)
    outputs = {"stdout": b"", "stderr": b""}

    async def read(name: str, stream: ByteReceiveStream) -> None:
        line = b""
        async for chunk in stream:
            outputs[name] = (outputs[name] + chunk)[-MAX_OUTPUT:]
            *whole, line = (line + chunk)[-MAX_OUTPUT:].split(b"\n")
            for each in whole:
                await on_line(_text(each).rstrip())

    process = await anyio.open_process(list(argv), stdin=subprocess.DEVNULL, env=env, cwd=cwd)
    try:
        async with anyio.create_task_group() as group:
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
                if stream is not None:
                    group.start_soon(read, name, stream)
        await process.wait()
    except BaseException:
        process.kill()
        with anyio.CancelScope(shield=True):
            await process.wait()
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await process.aclose()
    return subprocess.CompletedProcess(
        list(argv), process.returncode or 0, outputs["stdout"], outputs["stderr"]
    )


@dataclass(frozen=True, slots=True)
class EndedAlone:
    """How a command ended that ran alone; `returncode` is None when its time was over."""

    returncode: int | None
    stdout: str
    stderr: str


async def run_alone(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    seconds: float,
    together: bool = False,
    on_line: Callable[[str], Awaitable[None]] | None = None,
) -> EndedAlone:
    """Run a command that is not trusted: with no more environment than `env`, in a session of
    its own, of which nothing is left when it ends, is cancelled, or `seconds` are over.

    With `together` the errors are part of the output, in their order. HostNotReady when the
    program is not installed.
    """
    outputs = {"stdout": b"", "stderr": b""}

    async def read(name: str, stream: ByteReceiveStream) -> None:
        line = b""
        async for chunk in stream:
            outputs[name] = (outputs[name] + chunk)[-MAX_OUTPUT:]
            *whole, line = (line + chunk)[-MAX_OUTPUT:].split(b"\n")
            if whole and on_line is not None:
                await on_line(_text(whole[-1]).rstrip())

    try:
        process = await anyio.open_process(
            list(argv),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT if together else subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise program_missing(argv[0]) from None
    code: int | None = None
    try:
        async with anyio.create_task_group() as group:
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
                if stream is not None:
                    group.start_soon(read, name, stream)
            with anyio.move_on_after(seconds):
                code = await process.wait()
            _kill_group(process.pid)
    finally:
        _kill_group(process.pid)
        with anyio.CancelScope(shield=True):
            await process.wait()
            await process.aclose()
    return EndedAlone(code, _text(outputs["stdout"]), _text(outputs["stderr"]))


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def spawn_detached(argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> int:
    """Start a program that outlives this one, in a session of its own. Returns its process id."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **env},
            start_new_session=True,
            close_fds=True,
        )
    return process.pid


async def spawn_child(argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> Process:
    """Start a program that ends with this one, its output appended to `log`.

    Linux ends it (SIGTERM, through setpriv) when this process dies, however it dies. It has a
    session of its own, so that Ctrl-C in a terminal reaches it only through this process.
    """
    setpriv = shutil.which("setpriv")
    tied = [setpriv, "--pdeathsig", "TERM", "--", *argv] if setpriv else list(argv)
    with log.open("ab") as output:
        return await anyio.open_process(
            tied,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **env},
            start_new_session=True,
        )


def spawn_piped(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    errors: IO[bytes],
    stdin: int = DEVNULL,
    stdout: int = DEVNULL,
) -> Child:
    """Start a program whose bytes a thread reads or writes as they come; it is to be waited for.

    `stdin` and `stdout` are PIPE or DEVNULL; what it says goes to `errors`. Ctrl-C in a terminal
    reaches it only through this process.
    """
    try:
        return subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=errors,
            env={**os.environ, **env},
            bufsize=PIPE_BLOCK,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise program_missing(argv[0]) from None


def program_missing(program: str) -> HostNotReady:
    """A program that codeb needs is not installed."""
    return HostNotReady(
        f"the program {program} is not installed",
        hint=f"install it, for example: apt-get install {Path(program).name}",
        code="program_missing",
    )


def _subject(argv: Sequence[str]) -> str:
    words = [word for word in argv[1:] if not word.startswith("-") and "/" not in word]
    return words[0] if words else ""


def _text(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace")[-MAX_OUTPUT:]
