"""Exceptions that a person has agreed to: `.codeb/guard-allow.toml`.

An entry names one rule, one file and the text it is about, says why and who agreed, and ends on a
day. A fix may not touch the file, and no entry allows that.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from codeb_mcp.errors import InvalidRequest

PATH = ".codeb/guard-allow.toml"
LONGEST_DAYS = 366
_NEVER = frozenset(("guard-changed", "hidden-text", "obfuscated-command"))


@dataclass(frozen=True, slots=True)
class Allowance:
    """One exception. `path` may hold `*`; `text` must stand in the line, if it is given."""

    rule: str
    path: str
    text: str
    reason: str
    approved_by: str
    expires: date

    def covers(self, rule: str, path: str, text: str, today: date) -> bool:
        """Whether it allows this finding today."""
        return (
            self.rule == rule
            and rule not in _NEVER
            and today <= self.expires
            and fnmatchcase(path, self.path)
            and self.text in text
        )


def parse_allowances(text: str, today: date) -> Sequence[Allowance]:
    """The exceptions in a file's text. InvalidRequest for one that is not complete."""
    try:
        return tuple(_allowance(data, today) for data in tomllib.loads(text).get("allow", ()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidRequest(
            f"{PATH} cannot be used: {error}",
            hint="each [[allow]] needs rule, path, reason, approved_by and expires (a date, "
            "within a year)",
            code="invalid_allowances",
        ) from error


def _allowance(data: dict[str, object], today: date) -> Allowance:
    expires = data["expires"]
    if not isinstance(expires, date):
        raise ValueError("expires is not a date such as 2030-01-31")
    if (expires - today).days > LONGEST_DAYS:
        raise ValueError(f"expires is more than {LONGEST_DAYS} days away")
    fields = [str(data[name]).strip() for name in ("rule", "path", "reason", "approved_by")]
    if not all(fields) or fields[1] in ("*", "**", "**/*"):
        raise ValueError("rule, path, reason and approved_by must say something, and not `*`")
    rule, path, reason, approved_by = fields
    return Allowance(rule, path, str(data.get("text", "")), reason, approved_by, expires)
