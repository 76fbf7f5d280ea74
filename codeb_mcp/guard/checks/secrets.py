"""Secrets without a form of their own: a random value under a telling name."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Reading
from codeb_mcp.guard.rules import Severity

_NAMED = re.compile(
    r"(?i)\b([\w.-]{0,40}?(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key"
    r"|auth[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|client[_-]?secret"
    r"|credentials?|salt|\bkey)\w{0,20})[\"'\]]{0,2} ?(?::=|=>|=|:(?!:)) ?(?:[A-Za-z]{0,2}([\"'`])"
    r"([^\"'`\n]{8,200})\2|([^\s\"'`;,(){}<>$]{8,200})$)"
)
_IN_ADDRESS = re.compile(r"\b[a-z][a-z0-9+]{2,15}://[\w.%-]{1,40}:([^\s@/\"'`${}<>]{6,80})@[\w.-]+")
_NO_SECRET = re.compile(
    r"(?i)^(?:\$|%|<|\{|\[|\*+$|x{4,}|\.\.\.|env[:.(]|process\.env|os\.|ssm:|vault:|arn:|ref[:+]"
    r"|secret[s:/-]|https?://[^:@]*$|/|\./|~|file:|data:|[a-z]+(?:[ ._/-][a-z]+)*$"
    r"|[A-Z]+(?:_[A-Z]+)*$|[\d.:\-+tTzZ ]+$|true|false|null|none|#)|change[_-]?me|example"
    r"|placeholder|your[_-]|dummy|fake|redacted|sample|test|xxxx|1234|abcd|passw|secret|insert"
    r"|replace|todo|lorem|foobar|\$\{|\{\{|^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$|\$\(|<%"
    r"|\bkey\b|generated|[(){}]"
)
_PLAIN = frozenset((Language.YAML, Language.INI, Language.TOML, Language.UNIT, Language.OTHER))
_HASHES = re.compile(r"(?i)sha\d|md5|hash|digest|checksum|integrity|nonce|public|fingerprint|cache")
_TELLING = ("passw", "secret", "token", "key", "pwd", "credential", "passphrase", "salt", "://")
_LONGEST = 2_000
_SURE = 3.0
"""Bits of entropy a character from which a value with letters and digits is not a word."""


def secret_hits(reading: Reading) -> Iterator[Hit]:
    """Every random value that this side's changed lines give to a telling name."""
    place = reading.place
    if place.role in (Role.LOCK, Role.DOCS, Role.SNAPSHOT):
        return
    telling = [word for word in _TELLING if word in reading.lower]
    if not telling:
        return
    weight = Severity.REVIEW if place.is_test else Severity.BLOCK
    for index in sorted(reading.side.changed):
        line = reading.side.lines[index]
        if len(line) > _LONGEST or not ("=" in line or ":" in line):
            continue
        lowered = line.lower()
        if any(word in lowered for word in telling) and (what := _secret(line, place.language)):
            yield reading.hit("secret-added", weight, index, what)


def _secret(line: str, language: Language) -> str:
    for match in _IN_ADDRESS.finditer(line):
        if not _NO_SECRET.search(match[1]) and _random(match[1], 8):
            return "in an address"
    for match in _NAMED.finditer(line):
        value = match[3] or (match[4] if language in _PLAIN else "")
        name = match[1]
        if not value or _NO_SECRET.search(value) or _HASHES.search(name):
            continue
        telling = re.search(r"(?i)passw|secret|token|pwd|credential|passphrase|private", name)
        if _random(value, 10 if telling else 20):
            return name[:60]
    return ""


def _random(value: str, least: int) -> bool:
    """Whether `value` is made of letters and digits mixed, and no sentence or name."""
    if len(value) < least or " " in value:
        return False
    if not re.search(r"\d", value) or not re.search(r"[A-Za-z]", value):
        return False
    counts = Counter(value)
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return bits >= _SURE
