"""A disposable Debian 13 server in systemd-nspawn: real systemd, rootless Podman, Quadlet.

`rootfs` builds its root file system once, `server` boots a throw-away layer on top of it,
`services` sets up what a host of ours runs.
"""

from .commands import CommandFailed, Completed
from .requirements import missing_requirements
from .server import NoUserSession, Server

__all__ = ["CommandFailed", "Completed", "NoUserSession", "Server", "missing_requirements"]
