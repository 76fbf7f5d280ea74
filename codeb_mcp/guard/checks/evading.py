"""Code that behaves differently where it is checked, and results that are turned around."""

import re
from collections.abc import Iterator, Sequence

from codeb_mcp.guard.checks.testing import replaced
from codeb_mcp.guard.folding import BIDI
from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Pair
from codeb_mcp.guard.rules import Severity

_CHECKED = re.compile(
    r"\b(?:if|elif|unless|when)\b.{0,100}(?:process\.env(?:\.|\[ ?[\"'`])(?:CI|VITEST\w*"
    r"|JEST_WORKER_ID|GITHUB_ACTIONS|GITLAB_CI|TEST|TESTING)\b"
    r"|NODE_ENV[\"'\]]* ?===? ?[\"']test[\"']"
    r"|import\.meta\.(?:env\.(?:TEST|VITEST)|vitest)\b|(?:os\.environ|getenv|environ\.get|ENV"
    r"|Getenv|System\.getenv|GetEnvironmentVariable|env::var)\S{0,8}[\[(.] ?[\"'](?:CI"
    r"|PYTEST_CURRENT_TEST|GITHUB_ACTIONS|GITLAB_CI|TESTING|TEST)[\"']"
    r"|[\"']pytest[\"'] in sys\.modules|[\"']unittest[\"'] in sys\.modules|testing\.Testing\("
    r"|sys\.argv.{0,20}pytest|\bRails\.env\.test\?|typeof (?:jest|vi|describe|it)\b)"
)
_LITERAL_RETURN = re.compile(
    r"\breturn(?: (?:[\"'`][^\"'`\n]{0,120}[\"'`]|-?\d[\w.]*|true|false|True|False|null|None|nil"
    r"|undefined|\[ ?\]|\{ ?\}|\( ?\)|\[[^\]\n]{0,60}\]|\{[^}\n]{0,60}\}))?;? ?\}?$"
)
_SPECIAL_CASE = re.compile(
    r"^(?:if|elif|case|else if)\b[^\n]{0,100}(?:==|===|\.equals\(|\.Equals\()"
)
_EXITS = re.compile(
    r"\b(?:sys\.exit|process\.exit|os\._exit|os\.Exit|exit|System\.exit|Environment\.Exit"
    r"|Deno\.exit|std::process::exit)\(? ?[1-9]\d?\b|\breturn 1\b|\bSystemExit\( ?[1-9]"
    r"|\bexit\( ?EXIT_FAILURE|process\.exitCode ?= ?[1-9]"
)
_PASSES = re.compile(
    r"\b(?:sys\.exit|process\.exit|os\._exit|os\.Exit|exit|System\.exit|Environment\.Exit"
    r"|Deno\.exit|std::process::exit)\(? ?0?\b|\breturn 0\b|\bSystemExit\( ?0"
    r"|\bexit\( ?EXIT_SUCCESS|process\.exitCode ?= ?0"
)
_CODE = re.compile(r"\b\d{1,3}\b|EXIT_(?:FAILURE|SUCCESS)")
_WIDE = re.compile(r"(?::|->|<|,|\||\[) ?(?:typing\.|t\.)?[aA]ny\b")
_TYPE = re.compile(r"(?::|->) [^=;(){}:]{1,120}?(?= ?(?:[=;,){:]|$))")
# Rust, Swift, PHP: an error that was passed on and is now dropped
_DROPPED = (
    (
        re.compile(r"\?\)*;?$"),
        re.compile(r"\.ok\(\);?$|^let _ = |\.unwrap_or(?:_default|_else)?\([^;]{0,60}\)\)*;?$"),
    ),
    (
        re.compile(r"\.(?:unwrap\(\)|expect\([^()]{0,80}\));?$"),
        re.compile(r"^let _ = |\.ok\(\);?$"),
    ),
    (re.compile(r"\btry [^?!]"), re.compile(r"\btry\? ")),
    (re.compile(r"^\$?\w.*\("), re.compile(r"^@\w+\(|= @\w+\(")),
)
_VERIFIES = re.compile(
    r"\.raise_for_status\(|\.check_returncode\(|\.EnsureSuccessStatusCode\(|\.error_for_status\("
    r"|\.raiseForStatus\(|\bcheck=True\b|\.throwIfNotOk\(|\bmust_succeed\b|\.orElseThrow\("
    r"|\bensure_ok\b|\.verify\(\)|^if ?\(!\w+\.ok\) ?\{? ?throw\b"
)
_SOURCES = frozenset((Role.SOURCE, Role.CONFIG, Role.INFRA, Role.MANIFEST))


def evading_hits(pairs: Sequence[Pair]) -> Iterator[Hit]:
    """What the change does to look right to a check."""
    for pair in pairs:
        place = pair.change.place
        if place.language is Language.PROSE:
            continue
        if place.role in _SOURCES:
            yield from _special_cases(pair)
        if place.role is not Role.FIXTURE:
            yield from _exit_codes(pair)
            yield from _checks_of_answers(pair)
        yield from _hidden_text(pair)


def _special_cases(pair: Pair) -> Iterator[Hit]:
    gone = {text for _, _, text in pair.removed_lines()}
    for reading, index, text in pair.added_lines():
        if text in gone or not text.startswith(
            ("if", "elif", "else", "}", "case", "when", "return", "unless")
        ):
            continue
        following = reading.live[index + 1] if index + 1 < len(reading.live) else ""
        returns = _LITERAL_RETURN.search(text) or (
            (index + 1) in reading.side.changed and _LITERAL_RETURN.search(following)
        )
        if returns and _CHECKED.search(text):
            yield reading.hit("check-evaded", Severity.BLOCK, index, text[:120])
        elif returns and _SPECIAL_CASE.match(text) and re.search(r"(?:==|===) ?[\"'\d]", text):
            yield reading.hit("check-evaded", Severity.REVIEW, index, text[:120])


def _exit_codes(pair: Pair) -> Iterator[Hit]:
    for old, (reading, index, new) in replaced(pair):
        failed = _EXITS.search(old) and _PASSES.search(new) and not _EXITS.search(new)
        if failed and _CODE.sub("·", old) == _CODE.sub("·", new):
            yield reading.hit("failure-hidden", Severity.BLOCK, index, new[:120])
        elif _EXITS.search(old) and re.fullmatch(r"pass|continue|;|return;?|true|:", new):
            yield reading.hit("failure-hidden", Severity.BLOCK, index, new)
        elif _any_for_a_type(old, new) and not pair.change.place.is_test:
            yield reading.hit("type-escaped", Severity.BLOCK, index, new[:120])
        elif any(a.search(old) and b.search(new) and not b.search(old) for a, b in _DROPPED):
            yield reading.hit("exception-swallowed", Severity.BLOCK, index, new[:120])
    yield from _errors_of_go(pair)


def _any_for_a_type(old: str, new: str) -> bool:
    if not _WIDE.search(new) or _WIDE.search(old) or not re.search(r"(?::|->) [\w<{\[]", old):
        return False
    if "@overload" in new or new.endswith("..."):
        return False
    # a parameter for a type that had none is more exact than before
    generic = re.search(r"[<\[] ?(?:typing\.|t\.)?[aA]ny\b", new)
    if generic and not re.search(r"(?::|->) [\w.]+ ?[<\[]", old):
        return False
    return _TYPE.sub(": ·", old) == _TYPE.sub(": ·", new)


def _errors_of_go(pair: Pair) -> Iterator[Hit]:
    """An error that was looked at and is now assigned to nothing."""
    if pair.change.place.language is not Language.GO:
        return
    if not any("err != nil" in text for _, _, text in pair.removed_lines()):
        return
    if any("err != nil" in text for _, _, text in pair.added_lines()):
        return
    for reading, index, text in pair.added_lines():
        if re.match(r"_ = \w|_(?:, _)* :?= \w|\w+(?:, \w+)*, _ :?= \w", text):
            yield reading.hit("exception-swallowed", Severity.BLOCK, index, text[:120])


def _checks_of_answers(pair: Pair) -> Iterator[Hit]:
    if pair.change.file.deleted:
        return
    removed = [each for each in pair.removed_lines() if _VERIFIES.search(each[2])]
    if not removed:
        return
    added = " ".join(text for _, _, text in pair.added_lines())
    handled = re.search(
        r"\braise\b|\bthrow\b|status_code|\.ok\b|returncode|is_success|return err|Err\(", added
    )
    if re.search(r"\.ok (?:else|\?)[^\n]{0,60}(?:\{ ?\}|\[ ?\]|None|null|undefined)", added):
        handled = None
    for reading, index, text in pair.removed_lines():
        match = _VERIFIES.search(text)
        if (
            match
            and match.group() not in added
            and not handled
            and not _call_gone(pair, text, match.group())
        ):
            yield reading.hit("failure-hidden", Severity.BLOCK, index, text[:120])


def _call_gone(pair: Pair, text: str, check: str) -> bool:
    """Whether what was checked is itself taken out with its check."""
    subject = re.match(r"([\w.]+?)" + re.escape(check.rstrip("(")), text)
    if subject is None:
        # an argument such as check=True: gone with its call, or only the argument is
        call = re.match(r"[^(]{0,60}\(", text)
        return not call or not any(call.group() in t for _, _, t in pair.added_lines())
    name = subject[1].split(".")[0]
    return not any(re.search(rf"\b{re.escape(name)}\b", line) for r in pair.new for line in r.live)


def _hidden_text(pair: Pair) -> Iterator[Hit]:
    for reading in pair.new:
        if all(map(str.isascii, reading.side.raw)):
            continue
        for index in reading.side.changed:
            if BIDI.search(reading.side.raw[index]):
                yield reading.hit("hidden-text", Severity.BLOCK, index, "a bidirectional control")
