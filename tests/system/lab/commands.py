"""Runs commands on this host, most of which enter the server, and keeps how they ended."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Nothing of the environment of the tests reaches the server.
CLEAN_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class CommandFailed(AssertionError):
    """A command ended non-zero although it was meant to succeed."""


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended; output is text."""

    argv: tuple[str, ...]
    stdout: str
    stderr: str
    returncode: int

    def or_fail(self) -> "Completed":
        """Itself when the command succeeded; raises CommandFailed with the output's end if not."""
        if self.returncode != 0:
            raise CommandFailed(
                f"exit {self.returncode} of {' '.join(self.argv)}\n"
                f"{self.stdout[-2000:]}\n{self.stderr[-4000:]}"
            )
        return self


def complete(
    argv: Sequence[str], *, stdin: str | bytes | None = None, timeout: float = 60.0
) -> Completed:
    """Run a command to its end, whatever that is. Raises TimeoutExpired."""
    ended = subprocess.run(
        argv,
        input=stdin.encode() if isinstance(stdin, str) else stdin or b"",
        capture_output=True,
        check=False,
        timeout=timeout,
        env={**CLEAN_ENV, "LANG": "C.UTF-8"},
    )
    return Completed(
        tuple(argv),
        ended.stdout.decode(errors="replace"),
        ended.stderr.decode(errors="replace"),
        ended.returncode,
    )


def contained(argv: Sequence[str]) -> list[str]:
    """The command in mount and PID namespaces of its own, dead as soon as who starts it is.

    So neither a mount nor a process of it outlives even a killed test run. (systemd-nspawn and
    debootstrap alone leave theirs.)
    """
    return [
        *("setpriv", "--pdeathsig", "KILL", "--"),
        *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *("--mount", "--propagation", "private", "--"),
        *argv,
    ]


def assignments(env: Mapping[str, str]) -> list[str]:
    """`env` as the words that `env(1)` takes."""
    return [f"{key}={value}" for key, value in env.items()]
