"""How long previews live, and what a key may be."""

from datetime import UTC, datetime, timedelta

import pytest

from codeb_mcp.domain.lifetime import IdempotencyKey, Lifetime
from codeb_mcp.domain.names import EnvironmentName, ProjectName
from codeb_mcp.domain.project import EnvironmentKey
from codeb_mcp.errors import InvalidRequest

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_length_of_time_is_a_number_and_a_unit(text: str, length: timedelta) -> None:
    assert Lifetime.parse(text).after(NOW) == NOW + length


def test_never_has_no_end() -> None:
    assert Lifetime.parse("never").after(NOW) is None


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "7 d", "7d\n", "1y", "999999d", "七d"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a length of time"):
        Lifetime.parse(text)


@pytest.mark.parametrize("text", ["", " ", "a b", "-x", "a\n", "x" * 129, "ü"])
def test_bad_idempotency_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not valid"):
        IdempotencyKey(text)


@pytest.mark.parametrize("name", ["production", "staging", "pr-12"])
@pytest.mark.parametrize("project", ["shop", "my-shop", "pr-1", "staging", "a-production"])
def test_slug_names_its_environment(project: str, name: str) -> None:
    key = EnvironmentKey(ProjectName(project), EnvironmentName(name))
    assert EnvironmentKey.of_slug(key.slug) == key


@pytest.mark.parametrize("slug", ["", "shop", "shop-dev", "-staging", "Shop-staging", "shop-pr-0"])
def test_slug_of_nothing_names_no_environment(slug: str) -> None:
    assert EnvironmentKey.of_slug(slug) is None
