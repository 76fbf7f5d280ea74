"""What the registry keeps so that a host stays tidy and a request happens once, as Protocols."""

from collections.abc import Collection, Mapping
from typing import Protocol

from codeb_mcp.domain.lifetime import IdempotencyKey, Receipt
from codeb_mcp.domain.names import ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.tidiness import PulledImage


class Upkeep(Protocol):
    """What the registry writes down so that a host can be kept tidy."""

    async def remove_project(self, name: ProjectName) -> None:
        """Remove a project without environments, with the ports kept for it; absent is fine.

        Raises Refused (`project_in_use`) while it has an environment.
        """

    async def forget_releases(self, key: EnvironmentKey, keep: Collection[int]) -> None:
        """Forget an environment's other releases, and the journal of them."""

    async def knew(self, key: EnvironmentKey) -> bool:
        """Whether this registry ever had the environment, though it may be gone."""

    async def note_pulled(self, reference: ImageReference, image_id: str) -> None:
        """Write down that codeb brought an image of that name to this host."""

    async def pulled(self) -> tuple[PulledImage, ...]:
        """The names that codeb brought here, by name."""

    async def forget_pulled(self, reference: ImageReference) -> None:
        """That name is gone, or somebody else's now."""


class Receipts(Protocol):
    """Idempotency keys, and how the request of each ended. Kept for `KEY_LIFE`."""

    async def find(self, key: IdempotencyKey) -> Receipt | None:
        """What is known of the key, or None."""

    async def begin(self, key: IdempotencyKey, fingerprint: str) -> Receipt:
        """The key's receipt, made when absent. Those that are too old are forgotten."""

    async def finish(self, key: IdempotencyKey, outcome: Mapping[str, object]) -> None:
        """Write down how the request ended."""

    async def drop(self, key: IdempotencyKey) -> None:
        """Forget the key: its request was not carried out."""
