"""An audit row for every mutating call, whatever becomes of it, and of its process."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from codeb_mcp.domain.ledger import AuditEntry
from codeb_mcp.domain.masking import mask
from codeb_mcp.errors import CodebError
from codeb_mcp.services.systems import Systems

LONGEST_TEXT = 500


@asynccontextmanager
async def audited(
    systems: Systems, actor: str, action: str, **arguments: object
) -> AsyncIterator[None]:
    """Append who asked for `action`, with its arguments masked, and how it ended."""
    plain = {name: _plain(value) for name, value in arguments.items() if value is not None}
    began = AuditEntry(systems.clock.now(), actor, action, plain, outcome="")
    number = await systems.calls.begin(began)
    outcome, message, failed = "ok", "", False
    try:
        yield
    except CodebError as error:
        outcome, message, failed = error.code, error.message, True
        raise
    except anyio.get_cancelled_exc_class():
        outcome, failed = "cancelled", True
        raise
    except BaseException as error:
        outcome, message, failed = "aborted", type(error).__name__, True
        raise
    finally:
        entry = AuditEntry(
            at=systems.clock.now(),
            actor=actor,
            action=action,
            arguments=plain,
            outcome=outcome,
            message=mask(message)[:LONGEST_TEXT],
        )
        # the error of a call that failed is not hidden by that of a registry that is out of order
        silently = contextlib.suppress(CodebError) if failed else contextlib.nullcontext()
        with anyio.CancelScope(shield=True), silently:
            await systems.calls.end(number, entry)


async def audit_trail(systems: Systems, limit: int) -> tuple[AuditEntry, ...]:
    """Who changed what, newest first; calls that were killed too."""
    await systems.calls.settle()
    return await systems.registry.audit_trail(limit)


def _plain(value: object) -> Any:
    if isinstance(value, bool | int | float):
        return value
    # cut first: masking a megabyte takes longer than the call
    return mask(str(value)[:LONGEST_TEXT])
