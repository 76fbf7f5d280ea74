"""Database servers in memory keep the contract that the real ones keep."""

from pathlib import Path

import pytest

from tests.contracts.databases import DatabasesContract, Parts
from tests.fakes.containers import FakeImages, FakeRuntime
from tests.fakes.databases import FakeAdmin, FakeServers
from tests.fakes.surroundings import FakeNetworks


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """Nothing runs yet."""
    images = FakeImages()
    servers = FakeServers(images)
    networks = FakeNetworks(FakeRuntime(images))
    return Parts(servers, FakeAdmin(servers), networks, str, 5433, str(tmp_path / "log"))


class TestFakeDatabases(DatabasesContract):
    """In memory."""
