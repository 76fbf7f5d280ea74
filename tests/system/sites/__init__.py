"""A place to deploy to, in both forms that users have: the same tests run against each."""

from .embedded import EmbeddedSite
from .lab import LabSite
from .site import Site, Snapshot
from .tls import TlsSite

__all__ = ["EmbeddedSite", "LabSite", "Site", "Snapshot", "TlsSite"]
