"""How long an environment that is used now is to live, and whether there is room for it."""

from datetime import datetime

from codeb_mcp.domain.lifetime import Lifetime
from codeb_mcp.domain.names import EnvironmentKind
from codeb_mcp.domain.previews import expiry, require_room
from codeb_mcp.domain.project import EnvironmentKey, Project
from codeb_mcp.services.observation import environment_of
from codeb_mcp.services.systems import Systems


def end_of(
    systems: Systems, project: Project, key: EnvironmentKey, asked: Lifetime | None = None
) -> datetime | None:
    """When the environment is to end. Refused when it is one preview too many."""
    found, limit = environment_of(project, key), preview_limit(systems, key)
    if found is None and limit is not None:
        require_room(project, limit)
    return expiry(key, found, asked, systems.host.preview_ttl, systems.clock.now())


def preview_limit(systems: Systems, key: EnvironmentKey) -> int | None:
    """How many previews the project may have, where `key` is one; else None."""
    is_preview = key.environment.kind is EnvironmentKind.PREVIEW
    return systems.host.preview_limit if is_preview else None
