"""Fixtures for the contract suites."""

import os
import socket
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def umask_077() -> Iterator[None]:
    """A process whose files nobody else may read."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives a port that nothing listens on, another one each time."""

    def give() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return give
