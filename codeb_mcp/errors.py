"""The whole taxonomy of what can go wrong.

Every error says what happened and where in its message, and what to do next in `hint`.
`code` is stable and machine-readable; `exit_code` is what `codeb` leaves with.
"""

from typing import ClassVar


class CodebError(Exception):
    """Base of every error that is meant for a reader; anything else is a bug (exit code 70)."""

    exit_code: ClassVar[int] = 70
    default_code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code

    def __str__(self) -> str:
        return f"{self.message}; next: {self.hint}" if self.hint else self.message


class InvalidRequest(CodebError):
    """The request itself is wrong: an unknown project, a bad name. Nothing was changed."""

    exit_code = 2
    default_code = "invalid_request"


class Refused(CodebError):
    """The request is well formed but may not be carried out now: locked, stale, not confirmed."""

    exit_code = 3
    default_code = "refused"


class StalePlan(Refused):
    """The plan was made from a state that has changed since."""

    default_code = "stale_plan"


class Locked(Refused):
    """Someone else is changing this environment."""

    default_code = "locked"
    retryable = True


class HostNotReady(CodebError):
    """Something that codeb needs on this host is missing or does not answer."""

    exit_code = 4
    default_code = "host_not_ready"
    retryable = True


class SystemFailed(CodebError):
    """A system under codeb (Podman, Caddy, PowerDNS, systemd) failed or timed out."""

    exit_code = 5
    default_code = "system_failed"
    retryable = True


class DeployFailed(CodebError):
    """A release never became healthy. The release before it, if any, still serves.

    `log_tail` holds the release's last lines with secrets masked; `rolled_back` is true when
    traffic had reached the release and was moved back.
    """

    exit_code = 6
    default_code = "deploy_failed"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str = "",
        log_tail: tuple[str, ...] = (),
        rolled_back: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.log_tail = log_tail
        self.rolled_back = rolled_back

    def __str__(self) -> str:
        head = super().__str__()
        if not self.log_tail:
            return head
        lines = "\n".join(f"  {line}" for line in self.log_tail)
        return f"{head}\nlast {len(self.log_tail)} log lines:\n{lines}"


class DataAtRisk(CodebError):
    """Carrying on could lose data: a backup that is not verified, a restore that is refused."""

    exit_code = 7
    default_code = "data_at_risk"
