"""Podman's API socket: one short session per piece of work, in a thread, its failures named."""

import os
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from codeb_mcp.adapters.threads import in_thread, in_thread_left_behind
from codeb_mcp.errors import CodebError, HostNotReady, SystemFailed

T = TypeVar("T")

_CONNECT_SECONDS = 2.0


class Podman:
    """Where Podman answers, and how long it is waited for.

    `embedded` says that codeb runs the service itself, which changes only the hint given when it
    is down. `answer_seconds` is the patience for a sign of life before each piece of work,
    `call_seconds` that for one call.
    """

    def __init__(
        self,
        socket_path: Path,
        *,
        embedded: bool = False,
        answer_seconds: float = 3.0,
        call_seconds: float = 60.0,
    ) -> None:
        self.socket_path = socket_path
        self._embedded = embedded
        self._answer_seconds = answer_seconds
        self._call_seconds = call_seconds

    @property
    def url(self) -> str:
        """The service's address, as `podman --url` takes it."""
        return f"unix://{self.socket_path}"

    async def run(self, work: Callable[[Any], T], doing: str) -> T:
        """Do `work` with a `podman.PodmanClient`; `doing` completes "Podman could not …".

        Raises HostNotReady when the service is down, SystemFailed when it refuses or hangs.
        """
        return await in_thread(self._run)(work, doing)

    async def run_cancellable(self, work: Callable[[Any], T], doing: str) -> T:
        """As `run`, but a cancelled caller leaves at once, and the work to end by itself."""
        return await in_thread_left_behind(lambda: self._run(work, doing))

    async def ping(self) -> None:
        """Return when the service answers, else raise HostNotReady, within seconds."""
        await self.run(lambda _client: None, "answer")

    def _run(self, work: Callable[[Any], T], doing: str) -> T:
        # podman costs a fifth of a second to import, which commands that need it not should not pay
        import podman  # noqa: PLC0415
        from podman.errors import APIError, PodmanError  # noqa: PLC0415

        with podman.PodmanClient(base_url=self.url, timeout=self._call_seconds) as client:
            self._require_sign_of_life(client)
            try:
                return work(client)
            except CodebError:
                raise
            except APIError as error:
                raise self._failure(error, doing) from None
            except (PodmanError, OSError, ValueError) as error:
                raise SystemFailed(
                    f"Podman could not {doing}: {error}",
                    hint="try again; `podman info` tells whether Podman itself is well",
                    code="podman_failed",
                ) from error

    def _require_sign_of_life(self, client: Any) -> None:
        # a service that hangs would otherwise hold its caller for the whole of `call_seconds`
        try:
            answer = client.api.get("/_ping", timeout=(_CONNECT_SECONDS, self._answer_seconds))
        except OSError:
            raise self.down(self._why_unreachable()) from None
        if answer.status_code != 200:
            raise self.down(f"it answers HTTP {answer.status_code}")

    def _why_unreachable(self) -> str:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
            probe.settimeout(_CONNECT_SECONDS)
            try:
                probe.connect(str(self.socket_path))
            except FileNotFoundError:
                return "there is no such socket"
            except ConnectionRefusedError:
                return "nobody listens there"
            except BlockingIOError:
                return "it takes no more connections"
            except PermissionError:
                return "this user may not use it"
            except OSError as error:
                return error.strerror or str(error)
        return f"no answer within {self._answer_seconds:g} s"

    def down(self, reason: str) -> HostNotReady:
        """The error for a service that cannot be used because of `reason`."""
        user = "" if os.geteuid() == 0 else "--user "
        start = "codeb local start" if self._embedded else f"systemctl {user}start podman.socket"
        return HostNotReady(
            f"Podman does not answer on {self.socket_path}: {reason}",
            hint=f"start it: {start}",
            code="podman_down",
        )

    def _failure(self, error: Any, doing: str) -> CodebError:
        if error.response is not None:
            return SystemFailed(
                f"Podman could not {doing}: {error.explanation or error}",
                hint="correct what the message names, then try again",
                code="podman_failed",
            )
        if "timed out" in str(error.__cause__).lower():
            return SystemFailed(
                f"Podman could not {doing}: no answer within {self._call_seconds:g} s",
                hint="try again; if it happens again, restart Podman's service",
                code="podman_timeout",
            )
        return self.down(self._why_unreachable() if error.__cause__ else str(error))


def failure_of(answer: Any) -> str:
    """What Podman says in a failed answer."""
    try:
        body = answer.json()
    except ValueError:
        return str(answer.text).strip()
    return str(body.get("message") or body.get("cause") or body)
