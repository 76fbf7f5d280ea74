"""Asserting how something failed: the kind of error, its code, and what its reader is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from codeb_mcp.errors import CodebError


@asynccontextmanager
async def fails_with(kind: type[CodebError], code: str, *words: str) -> AsyncIterator[None]:
    """The block must raise `kind` with that code; its text holds every one of `words`."""
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.code == code, caught.value
    text = str(caught.value)
    assert all(word in text for word in words), text
