"""The registry's rows that keep a host tidy: projects and releases that go, names it pulled."""

from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, exc, insert, select

from codeb_mcp.adapters.registry.database import Database
from codeb_mcp.adapters.registry.rows import from_text, to_text
from codeb_mcp.adapters.registry.schema import (
    environments,
    journal,
    ports,
    projects,
    pulled_images,
    releases,
)
from codeb_mcp.adapters.threads import in_thread
from codeb_mcp.domain.names import ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.domain.tidiness import PulledImage
from codeb_mcp.errors import Refused


class SqlUpkeep:
    """Implements `Upkeep` in the registry's file."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._database = Database(path)
        self._now = now

    @in_thread
    def remove_project(self, name: ProjectName) -> None:
        """Remove a project without environments, with the ports kept for it; absent is fine."""
        try:
            with self._database.write() as connection:
                connection.execute(delete(ports).where(ports.c.project == str(name)))
                connection.execute(delete(projects).where(projects.c.name == str(name)))
        except exc.IntegrityError:
            raise Refused(
                f"{name} has an environment again",
                hint=f"see codeb status {name}, then remove it again",
                code="project_in_use",
            ) from None

    @in_thread
    def forget_releases(self, key: EnvironmentKey, keep: Collection[int]) -> None:
        """Forget an environment's other releases, and the journal of them."""
        with self._database.write() as connection:
            mine = select(environments.c.id).where(
                environments.c.project == str(key.project),
                environments.c.name == str(key.environment),
            )
            connection.execute(
                delete(releases).where(
                    releases.c.environment_id == mine.scalar_subquery(),
                    releases.c.number.not_in(keep),
                )
            )
            connection.execute(
                delete(journal).where(
                    journal.c.project == str(key.project),
                    journal.c.environment == str(key.environment),
                    journal.c.release.not_in([0, *keep]),
                )
            )

    @in_thread
    def knew(self, key: EnvironmentKey) -> bool:
        """Whether this registry ever had the environment, though it may be gone."""
        with self._database.read() as connection:
            lines = select(journal.c.id).where(
                journal.c.project == str(key.project),
                journal.c.environment == str(key.environment),
            )
            return connection.execute(lines.limit(1)).first() is not None

    @in_thread
    def note_pulled(self, reference: ImageReference, image_id: str) -> None:
        """Write down that codeb brought an image of that name to this host."""
        row = {
            "reference": str(reference),
            "image_id": image_id,
            "pulled_at": to_text(self._now()),
        }
        with self._database.write() as connection:
            here = pulled_images.c.reference == str(reference)
            connection.execute(delete(pulled_images).where(here))
            connection.execute(insert(pulled_images).values(row))

    @in_thread
    def pulled(self) -> tuple[PulledImage, ...]:
        """The names that codeb brought here, by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(pulled_images).order_by(pulled_images.c.reference))
            return tuple(
                PulledImage(ImageReference(row.reference), row.image_id, from_text(row.pulled_at))
                for row in rows
            )

    @in_thread
    def forget_pulled(self, reference: ImageReference) -> None:
        """That name is gone, or somebody else's now."""
        with self._database.write() as connection:
            here = pulled_images.c.reference == str(reference)
            connection.execute(delete(pulled_images).where(here))
