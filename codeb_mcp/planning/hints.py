"""What a release that failed says of itself that only codeb can explain."""

import re
from collections.abc import Iterable

from codeb_mcp.domain.names import ProjectName

# Programs that begin as root to become somebody else need all three, and name them one by one.
_BECOMES_SOMEBODY = re.compile(
    r"(?:chown|chgrp|set(?:e|re|res)?[ug]id|setgroups|initgroups|\bsu\b|gosu|su-exec)"
    r".*not permitted",
    re.IGNORECASE,
)
_LOW_PORT = re.compile(r"(?:bind|listen).*permission denied|EACCES.*:\d{1,3}\b", re.IGNORECASE)
_NOT_PERMITTED = re.compile(r"operation not permitted|\bEPERM\b|\bCAP_[A-Z_]+", re.IGNORECASE)


def missing_capability(project: ProjectName, log: Iterable[str]) -> str:
    """The hint for a release whose log shows that it missed a capability; else empty.

    codeb drops all of them, which an image that starts as root may not expect.
    """
    lines = tuple(log)
    for pattern, names in (
        (_BECOMES_SOMEBODY, "CHOWN,SETUID,SETGID"),
        (_LOW_PORT, "NET_BIND_SERVICE"),
        (_NOT_PERMITTED, "CHOWN,SETUID,SETGID"),
    ):
        if any(pattern.search(line) for line in lines):
            return (
                "its log shows that it was not permitted something: codeb drops all capabilities. "
                f"If the image is to start as root, codeb config set {project} caps={names}; "
                "better, use an image that runs as a user of its own on a port above 1023"
            )
    return ""
