"""Base images, actions, and the account that a container runs as."""

import re
from collections.abc import Iterator, Sequence

from codeb_mcp.guard.checks.testing import replaced
from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Pair, Reading
from codeb_mcp.guard.rules import Severity

_FROM = re.compile(r"(?i)^FROM (?:--platform=\S+ )?(\S+)(?: AS (\S+))?$")
_IMAGE = re.compile(r"(?i)^(?:- )?(?:image|Image) ?[:=] ?[\"']?([\w./:@-]+)")
_USES = re.compile(r"^(?:- )?uses: ?[\"']?([\w./-]+)@([\w./-]+)")
_USER = re.compile(r"(?i)^USER[ \t]+(\S+)")
_VERSION = re.compile(r"\d+(?:\.\d+)*")
_FLOATING = frozenset(
    ("main", "master", "develop", "dev", "trunk", "head", "latest", "next", "edge", "nightly")
)


def image_hits(pairs: Sequence[Pair]) -> Iterator[Hit]:
    """What the change does to images, actions and users."""
    for pair in pairs:
        language = pair.change.place.language
        if language not in (Language.DOCKER, Language.YAML, Language.UNIT):
            continue
        yield from _replaced_images(pair)
        if language is Language.DOCKER:
            yield from _users(pair)
            yield from _health_checks(pair)
        elif language is Language.YAML and pair.change.place.role is Role.CI:
            yield from _fresh_actions(pair)


def _replaced_images(pair: Pair) -> Iterator[Hit]:
    for old, (reading, index, new) in replaced(pair):
        for pattern in (_FROM, _IMAGE):
            one, other = pattern.match(old), pattern.match(new)
            if one and other and (weight := _image_change(one[1], other[1])):
                yield reading.hit("image-unpinned", weight, index, other[1])
        one, other = _USES.match(old), _USES.match(new)
        if one and other and (weight := _action_change(one.groups(), other.groups())):
            yield reading.hit("image-unpinned", weight, index, "@".join(other.groups()))


def _image_change(old: str, new: str) -> Severity | None:
    (old_name, old_tag, old_digest), (new_name, new_tag, new_digest) = _image(old), _image(new)
    if old_name != new_name:
        return Severity.REVIEW
    if new_tag in ("latest", "") and not new_digest and old_tag not in ("latest", ""):
        return Severity.BLOCK
    if old_digest and not new_digest:
        return Severity.BLOCK if old_tag == new_tag or not new_tag else Severity.REVIEW
    return Severity.BLOCK if _older(old_tag, new_tag) else None


def _image(text: str) -> tuple[str, str, str]:
    name, _, digest = text.partition("@")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name, "", digest
    return head, tag, digest


def _older(old: str, new: str) -> bool:
    one, other = _VERSION.search(old), _VERSION.search(new)
    if not one or not other:
        return False
    a = [int(part[:9]) for part in one.group().split(".")]
    b = [int(part[:9]) for part in other.group().split(".")]
    shared = min(len(a), len(b))
    return b[:shared] < a[:shared]


def _action_change(old: tuple[str, ...], new: tuple[str, ...]) -> Severity | None:
    (old_name, old_ref), (new_name, new_ref) = old, new
    if new_ref.lower() in _FLOATING and old_ref.lower() not in _FLOATING:
        return Severity.BLOCK
    if old_name.split("/")[0] != new_name.split("/")[0]:
        return Severity.REVIEW
    if re.fullmatch(r"[0-9a-f]{40}", old_ref) and not re.fullmatch(r"[0-9a-f]{40}", new_ref):
        return Severity.BLOCK
    if (
        old_name == new_name
        and not re.fullmatch(r"[0-9a-f]{40}", new_ref)
        and _older(old_ref, new_ref)
    ):
        return Severity.REVIEW
    return None


def _fresh_actions(pair: Pair) -> Iterator[Hit]:
    """An action that is new here and follows a branch."""
    known = {match[1] for _, _, text in pair.removed_lines() if (match := _USES.match(text))}
    for reading, index, text in pair.added_lines():
        match = _USES.match(text)
        if match and match[2].lower() in _FLOATING and match[1] not in known:
            yield reading.hit("image-unpinned", Severity.REVIEW, index, text)


def _health_checks(pair: Pair) -> Iterator[Hit]:
    if pair.change.file.deleted or any(
        t.startswith("HEALTHCHECK") for _, _, t in pair.added_lines()
    ):
        return
    for reading, index, text in pair.removed_lines():
        if text.startswith("HEALTHCHECK") and "NONE" not in text:
            yield reading.hit("health-check-faked", Severity.BLOCK, index, text[:120])


def _users(pair: Pair) -> Iterator[Hit]:
    """The account at the end of an image."""
    for new in pair.new:
        users = [(i, m[1]) for i, text in enumerate(new.live) if (m := _USER.match(text))]
        if not users:
            continue
        index, last = users[-1]
        if last.split(":")[0] in ("root", "0") and index in new.side.changed:
            yield new.hit("root-user", Severity.BLOCK, index, last)
    removed = [(r, i, t) for r, i, t in pair.removed_lines() if _USER.match(t)]
    added = any(_USER.match(t) for _, _, t in pair.added_lines())
    for reading, index, text in removed:
        match = _USER.match(text)
        if (
            match
            and match[1].split(":")[0] not in ("root", "0")
            and not added
            and not _other_user(pair, reading)
        ):
            yield reading.hit("root-user", Severity.BLOCK, index, "-" + match[1])


def _other_user(pair: Pair, reading: Reading) -> bool:
    del reading
    return (
        any(_USER.match(text) for new in pair.new for text in new.live) or pair.change.file.deleted
    )
