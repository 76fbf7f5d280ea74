"""What a conversation with a model costs, estimated from its tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# US dollars for a million tokens in and out. A model that is not known counts as the dearest.
_PRICES: Mapping[str, tuple[float, float]] = {"haiku": (1.0, 5.0), "sonnet": (3.0, 15.0)}
_DEAREST = (15.0, 75.0)
_CACHE_WRITE = 1.25
_CACHE_READ = 0.1


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one answer took."""

    fresh: int = 0
    written: int = 0
    read: int = 0
    out: int = 0

    @classmethod
    def of(cls, usage: Mapping[str, Any]) -> "Tokens":
        """The `usage` of a Messages API answer; what is missing counts as nothing."""
        return cls(
            _number(usage, "input_tokens"),
            _number(usage, "cache_creation_input_tokens"),
            _number(usage, "cache_read_input_tokens"),
            _number(usage, "output_tokens"),
        )


def _number(usage: Mapping[str, Any], name: str) -> int:
    found = usage.get(name)
    return found if isinstance(found, int) else 0


def usd(model: str, tokens: Tokens) -> float:
    """The estimate in US dollars."""
    prices = next((price for name, price in _PRICES.items() if name in model), _DEAREST)
    taken_in = tokens.fresh + tokens.written * _CACHE_WRITE + tokens.read * _CACHE_READ
    return (taken_in * prices[0] + tokens.out * prices[1]) / 1_000_000
