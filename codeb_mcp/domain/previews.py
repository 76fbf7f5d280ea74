"""The previews of a project: which there are, and whether there is room for one more."""

from datetime import datetime

from codeb_mcp.domain.lifetime import Lifetime
from codeb_mcp.domain.names import EnvironmentKind
from codeb_mcp.domain.project import Environment, EnvironmentKey, Project
from codeb_mcp.errors import InvalidRequest, Refused


def previews_of(project: Project) -> tuple[Environment, ...]:
    """The project's previews, in the order in which they were made."""
    return tuple(
        each
        for each in project.environments
        if each.key.environment.kind is EnvironmentKind.PREVIEW
    )


def require_room(project: Project, limit: int) -> None:
    """Refuse one more preview where there are `limit` already."""
    held = previews_of(project)
    if len(held) >= limit:
        names = ", ".join(each.key.environment for each in held[:10])
        raise Refused(
            f"{project.name} has {len(held)} previews, and may have {limit}: {names}",
            hint=f"close one: codeb preview remove {project.name} {held[0].key.environment}; those "
            "whose time is over: codeb preview prune; or raise the setting preview_limit",
            code="preview_limit",
        )


def expiry(
    key: EnvironmentKey,
    found: Environment | None,
    asked: Lifetime | None,
    usual: Lifetime,
    now: datetime,
) -> datetime | None:
    """When the environment ends that is deployed `now`; None for never.

    What was `asked` for holds. The `usual` lifetime never shortens what a preview was given
    before. Raises InvalidRequest when an end is asked for what is no preview.
    """
    if key.environment.kind is not EnvironmentKind.PREVIEW:
        if asked is not None:
            raise InvalidRequest(
                f"{key} is no preview, so it does not expire",
                hint="leave the ttl out, or deploy to pr-N",
                code="invalid_ttl",
            )
        return None
    if asked is not None:
        return asked.after(now)
    ends = usual.after(now)
    if found is None or ends is None:
        return ends
    return None if found.expires_at is None else max(found.expires_at, ends)
