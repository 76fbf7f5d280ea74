"""Images and containers through Podman's API socket."""

from codeb_mcp.adapters.podman_client import Podman
from codeb_mcp.adapters.podman_images import PodmanImages
from codeb_mcp.adapters.podman_runtime import PodmanRuntime

__all__ = ["Podman", "PodmanImages", "PodmanRuntime"]
