"""How long things last: previews until they expire, and keys that make a request happen once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from codeb_mcp.domain.names import shown
from codeb_mcp.errors import InvalidRequest

KEY_LIFE = timedelta(hours=24)
"""How long an idempotency key answers with the result it had."""

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a preview lives after a deploy; without `length`, for ever."""

    length: timedelta | None = None

    @classmethod
    def parse(cls, text: str) -> "Lifetime":
        """`90m`, `12h`, `7d`, `2w` or `never`; InvalidRequest for anything else."""
        if text == "never":
            return cls()
        found = _SPAN.fullmatch(text)
        if found is None:
            raise InvalidRequest(
                f"{shown(text)} is not a length of time",
                hint="use a number and m, h, d or w, such as 12h or 7d, or never",
                code="invalid_ttl",
            )
        return cls(timedelta(**{_UNITS[found[2]]: int(found[1])}))

    def after(self, moment: datetime) -> datetime | None:
        """When one that begins at `moment` ends."""
        return moment + self.length if self.length is not None else None


class IdempotencyKey(str):
    """A caller's own name for one request: however often it is sent, it is carried out once."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _KEY.fullmatch(text):
            raise InvalidRequest(
                f"idempotency key {shown(text)} is not valid",
                hint="use 1 to 128 letters, digits and . _ : / @ + -, such as a commit hash",
                code="invalid_idempotency_key",
            )
        return super().__new__(cls, text)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of a key: of which request it is, and how that ended.

    `fingerprint` stands for the request's arguments. `outcome` is None while it is carried out,
    and where the one who did so was killed.
    """

    key: IdempotencyKey
    fingerprint: str
    started_at: datetime
    outcome: Mapping[str, Any] | None = None
