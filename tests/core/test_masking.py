"""Secrets do not survive masking; ordinary text does."""

import pytest

from codeb_mcp.domain.masking import MASK, Secret, mask


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password=hunter2", "hunter2"),
        ("DB_PASSWORD: hunter2!", "hunter2!"),
        ('{"apiKey": "abc def"}', "abc def"),
        ("connecting to postgres://shop:s3cret@db:5432/shop", "s3cret"),
        ("Authorization: Bearer abcdef123456", "abcdef123456"),
        ("token ghp_0123456789abcdefghij0123456789abcdefgh", "ghp_0123456789"),
        ("AWS AKIAABCDEFGHIJKLMNOP here", "AKIAABCDEFGHIJKLMNOP"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh", "eyJhbGciOiJIUzI1NiJ9"),
        ("SECRET_KEY='top secret value'", "top secret value"),
        ("client_secret = xyz987", "xyz987"),
    ],
)
def test_secret_in_a_log_line_is_masked(text: str, secret: str) -> None:
    assert secret not in mask(text)
    assert MASK in mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "GET /health 200 in 3 ms",
        "listening on http://127.0.0.1:8080/path?x=1",
        "the password was wrong",
        "2026-11-24T02:00:00Z ready",
        "error at src/token.ts:12:7",
    ],
)
def test_ordinary_line_is_left_alone(text: str) -> None:
    assert mask(text) == text


def test_known_values_are_masked_wherever_they_stand() -> None:
    assert mask("dial tcp s3cr3t-value failed", {"s3cr3t-value"}) == f"dial tcp {MASK} failed"
    assert mask("on", {"on"}) == "on"


def test_masking_a_long_line_takes_no_time_to_speak_of() -> None:
    """A pattern that backtracks would hang here until the test's time limit."""
    assert len(mask("a" * 200_000)) == 200_000
    assert len(mask("password" * 20_000)) > 0


def test_secret_does_not_print_itself() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"
