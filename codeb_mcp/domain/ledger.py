"""What the registry writes down besides projects: ports handed out, and who did what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from codeb_mcp.domain.ports import PortKind
from codeb_mcp.domain.project import EnvironmentKey


@dataclass(frozen=True, slots=True)
class PortAllocation:
    """A port handed out: `port` belongs to `key` for `kind`. `skipped` were held by strangers."""

    key: EnvironmentKey
    kind: PortKind
    port: int
    skipped: tuple[int, ...] = ()
    created: bool = True


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One mutating call: arguments hold no secrets; outcome is `ok` or an error's code."""

    at: datetime
    actor: str
    action: str
    arguments: Mapping[str, Any]
    outcome: str
    message: str = ""
