"""A request that is sent many times and carried out once."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from codeb_mcp.domain.lifetime import IdempotencyKey, Receipt
from codeb_mcp.domain.masking import mask
from codeb_mcp.errors import DeployFailed, Refused
from codeb_mcp.services.systems import Systems
from codeb_mcp.services.views import V

# A build may take half an hour, and so may those before it on the same environment.
LONGEST_WAIT = 3600.0


async def once(
    systems: Systems,
    key: IdempotencyKey | None,
    fingerprint: str,
    view: type[V],
    work: Callable[[], Awaitable[V]],
) -> V:
    """Do `work` unless the request of that key was done before; its result either way.

    Callers that come meanwhile wait for it. A release that failed is a result as well; any other
    error changed nothing, so the key is free again and the next caller tries. Where the one at
    work was killed, the next takes over. Raises Refused (`key_reused`) for other arguments.
    """
    if key is None:
        return await work()
    _require_same(await systems.receipts.find(key), fingerprint)
    async with systems.locks.alone(f"key {key}", LONGEST_WAIT):
        receipt = await systems.receipts.begin(key, fingerprint)
        _require_same(receipt, fingerprint)
        if receipt.outcome is not None:
            return _replayed(view, receipt.outcome)
        try:
            done = await work()
        except DeployFailed as error:
            await systems.receipts.finish(key, {"error": _told(error)})
            raise
        except BaseException:
            with anyio.CancelScope(shield=True):
                await systems.receipts.drop(key)
            raise
        await systems.receipts.finish(key, {"result": done.model_dump(mode="json")})
        return done


def _require_same(receipt: Receipt | None, fingerprint: str) -> None:
    if receipt is not None and receipt.fingerprint != fingerprint:
        raise Refused(
            f"the idempotency key {receipt.key} was used for another request at "
            f"{receipt.started_at:%Y-%m-%d %H:%M:%S} UTC",
            hint="repeat that request with the arguments it had, or choose a new key for this one",
            code="key_reused",
        )


def _told(error: DeployFailed) -> dict[str, object]:
    """The error without its log lines, which stay in the log."""
    return {
        "message": mask(error.message),
        "hint": error.hint,
        "code": error.code,
        "rolled_back": error.rolled_back,
    }


def _replayed(view: type[V], outcome: Mapping[str, Any]) -> V:
    if "error" in outcome:
        raise DeployFailed(**outcome["error"])
    return view.model_validate(outcome["result"])
