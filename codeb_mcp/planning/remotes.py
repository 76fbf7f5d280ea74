"""Which repository of a forge a remote is."""

import re

from codeb_mcp.errors import InvalidRequest

_REMOTE = re.compile(r"(?:https?://[^/]+/|ssh://[^/]+/|[\w.-]+@[\w.-]+:)([^/]+/[^/]+?)(?:\.git)?/?")


def repository_of(remote: str) -> str:
    """`owner/name` of a remote's URL; InvalidRequest when it is none of a forge."""
    found = _REMOTE.fullmatch(remote)
    if found is None:
        raise InvalidRequest(
            f"{remote[:200]} is no repository of GitHub",
            hint="add its remote as origin, or work without pull requests",
            code="no_forge",
        )
    return found[1]
