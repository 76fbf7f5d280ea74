"""What kept code strict and is there no more: pragmas, flags, checked calls, exact handlers."""

import re
from collections.abc import Iterator, Sequence

from codeb_mcp.guard.checks.testing import replaced
from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Pair, squeezed
from codeb_mcp.guard.rules import Severity

_PRAGMAS = re.compile(
    r"#!?\[(?:deny|forbid|warn)\(|\bdeclare\(strict_types ?= ?1|#nullable enable"
    r"|^use (?:strict|warnings)\b|^Option Strict On|^Set-StrictMode|\bLASTEXITCODE\b"
)
_COMMENTED = re.compile(
    r"(?://|#|\*) ?(?:@ts-check\b|@flow\b|mypy: ?(?:strict|disallow)|pyright: ?strict"
    r"|typed: ?(?:true|strict|strong)|eslint-enable\b)"
)
_FLAGS = re.compile(
    r"(?<![\w-])(?:-Werror(?:=[\w-]+)?|/WX|-Wall|-Wextra|-Weverything|-pedantic(?:-errors)?"
    r"|warnings_as_errors|-Xlint(?!:none)(?::\S+)?|-strict|-std-strict|-fsanitize=\S+)(?![\w-])"
)
_EXIT = re.compile(
    r"\b(?:process\.exit|sys\.exit|os\._exit|os\.Exit|System\.exit|Environment\.Exit|Deno\.exit"
    r"|std::process::exit|(?<![.\w])exit)\( ?([^()\n]{0,60}(?:\([^()\n]{0,30}\))?) ?\)"
)
_RAISES = re.compile(r"^(?:raise|throw)\b")
_NOTHING = re.compile(
    r"^(?:pass|return;?|return (?:None|null|undefined|nil);?|continue;?|;|\.\.\.)$"
)
_CHECKED_CALL = re.compile(r"\b(?:check_call|check_output)\( ?")
_CAUGHT = re.compile(
    r"\brunCatching ?\{ ?(.{3,120}?) ?\} ?(?:$|\. ?(?:getOr|onFailure|fold|isSuccess|isFailure))"
)
_NOT_NULL = re.compile(r"(?<=[\w)\]])!!?(?=[.;,)\[ ]|$)")
_SOFTENING = re.compile(
    r",? ?(?:\{ ?)?\b(?:return_exceptions ?= ?True|check ?= ?False|raise_exception ?= ?False"
    r"|errors ?= ?[\"']ignore[\"']|ignore_errors ?= ?True|throwOnError: ?false|throw: ?false"
    r"|reject: ?false|nothrow: ?true|fail_silently ?= ?True|silent: ?true)(?: ?\})?"
)
_OWN_CHECK = re.compile(
    r"^(?:assert\b|raise\b|throw\b|if\b.{0,120}\b(?:throw|raise|return err|panic)\b"
    r"|(?:self\.)?verify|validate|ensure|check_?|require\()"
)
_LEVELS = {"allow": 0, "warn": 1, "deny": 2, "forbid": 3}


def unguarded_hits(pairs: Sequence[Pair]) -> Iterator[Hit]:
    """What the change no longer insists on."""
    for pair in pairs:
        place = pair.change.place
        if place.language in (Language.PROSE, Language.MARKUP) or pair.change.file.deleted:
            continue
        if place.role in (Role.FIXTURE, Role.DOCS, Role.SNAPSHOT, Role.LOCK):
            continue
        yield from _pragmas(pair)
        yield from _replacements(pair)
        yield from _commented_out(pair)
        if place.name == "cargo.toml":
            yield from _lints(pair)


def _pragmas(pair: Pair) -> Iterator[Hit]:
    raw_added = [r.side.lines[i] for r, i, _ in pair.added_lines()]
    for reading, index, text in pair.removed_lines():
        raw = reading.side.lines[index]
        for pattern, where in ((_PRAGMAS, text), (_COMMENTED, raw)):
            match = pattern.search(where)
            if match and not any(pattern.search(line) for line in raw_added):
                rule = "failure-hidden" if "LASTEXIT" in match.group() else "strictness-lowered"
                yield reading.hit(rule, Severity.BLOCK, index, f"-{match.group()}"[:120])


def _replacements(pair: Pair) -> Iterator[Hit]:
    added = " ".join(text for _, _, text in pair.added_lines())
    for old, (reading, index, new) in replaced(pair):
        for flag in _FLAGS.findall(old):
            if flag not in added and pair.change.place.role is not Role.TEST:
                yield reading.hit("strictness-lowered", Severity.BLOCK, index, f"-{flag}")
                break
        if what := _no_longer(pair, old, new):
            rule, weight = what
            yield reading.hit(rule, weight, index, new[:120])


def _no_longer(pair: Pair, old: str, new: str) -> tuple[str, Severity] | None:
    if (one := _EXIT.search(old)) and one[1].strip() not in ("", "0"):
        other = _EXIT.search(new)
        same = old[: one.start()].strip() and new.startswith(old[: one.start()].strip())
        if other and other[1].strip() in ("", "0") and old[: one.start()] == new[: other.start()]:
            return "failure-hidden", Severity.BLOCK
        if not other and same and not re.search(r"\b(?:throw|raise|panic|reject|return)\b", new):
            return "failure-hidden", Severity.BLOCK
    if _RAISES.match(old) and _NOTHING.match(new) and not pair.change.place.is_test:
        return "failure-hidden", Severity.BLOCK
    if _CHECKED_CALL.search(old) and not _CHECKED_CALL.search(new):
        rest = _CHECKED_CALL.split(old, maxsplit=1)[1][:20]
        if rest in new and "check=True" not in new and re.search(r"\b(?:call|run|Popen)\(", new):
            return "failure-hidden", Severity.BLOCK
    if (caught := _CAUGHT.search(new)) and caught[1] in old:
        return "exception-swallowed", Severity.BLOCK
    if old != new and (added := _SOFTENING.search(new)) and not _SOFTENING.search(old):
        bare = new[: added.start()] + new[added.end() :]
        if _bare(bare) == _bare(old):
            return "failure-hidden", Severity.BLOCK
    if old == f"return {new}" and pair.change.place.language is Language.GO:
        return "exception-swallowed", Severity.BLOCK
    return _not_null(pair, old, new)


def _bare(text: str) -> str:
    return re.sub(r"[\s,]", "", text)


def _commented_out(pair: Pair) -> Iterator[Hit]:
    """A check of the code's own that is now a comment."""
    gone = {t: (r, i) for r, i, t in pair.removed_lines() if _OWN_CHECK.match(t) and len(t) > 8}
    if not gone:
        return
    for reading, index, live in pair.added_lines():
        raw = squeezed(reading.side.lines[index]).lstrip("/#*-; ")
        if not live and raw in gone:
            yield reading.hit("failure-hidden", Severity.BLOCK, index, raw[:120])


def _not_null(pair: Pair, old: str, new: str) -> tuple[str, Severity] | None:
    if pair.change.place.language not in (Language.JS, Language.JVM, Language.CSHARP):
        return None
    if old != new and "!" in new and _NOT_NULL.sub("", new) == old:
        return "type-escaped", Severity.REVIEW
    return None


def _lints(pair: Pair) -> Iterator[Hit]:
    """A lint of `[lints]` that was denied and is now allowed."""
    before = {e.key: e.value for r in pair.old for e in r.entries if "lints" in e.path}
    for reading in pair.new:
        for entry in reading.entries:
            level = _LEVELS.get(entry.value)
            if (
                level is None
                or "lints" not in entry.path
                or entry.index not in reading.side.changed
            ):
                continue
            was = _LEVELS.get(before.get(entry.key, ""), 1 if level == 0 else -1)
            if level < was:
                key = f"{entry.key}={entry.value}"
                yield reading.hit("rule-disabled", Severity.BLOCK, entry.index, key)
