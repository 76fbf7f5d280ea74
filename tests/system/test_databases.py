"""Real PostgreSQL and Redis, made by codeb on a real server."""

import json

import pytest

from tests.system.lab.databases import database_images
from tests.system.sites import Site


@pytest.fixture(scope="module")
def images() -> set[str]:
    """The sites that have the images already."""
    return set()


@pytest.fixture
def with_images(site: Site, images: set[str]) -> Site:
    """Either site, with the images of both engines."""
    if site.name not in images:
        database_images(site.podman)
        images.add(site.name)
    return site


@pytest.mark.parametrize("engine", ["postgres", "redis"])
def test_dedicated_database_answers_and_making_it_again_changes_nothing(
    with_images: Site, engine: str
) -> None:
    site, project = with_images, f"own-{engine}"
    site.codeb("init", project)
    made = json.loads(site.codeb("db", "create", project, "--type", engine, "--json"))
    again = json.loads(site.codeb("db", "create", project, "--type", engine, "--json"))
    assert (made["changed"], made["status"]) == (True, "running")
    assert (again["changed"], again["port"]) == (False, made["port"])
