"""Configuration that looks less closely than before: rules, ignores, scopes, thresholds."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from codeb_mcp.guard.checks.thresholds import gradle_hits, threshold_hits
from codeb_mcp.guard.entries import ITEM, Entry
from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Pair, Reading
from codeb_mcp.guard.rules import Severity
from codeb_mcp.guard.words import words

Found = tuple[Reading, Entry]

_LINTER = re.compile(
    r"^\.?(?:eslint|biome|oxlint|stylelint|tslint|htmlhint|jshint|solhint|commitlint|rslint|xo)"
    r"(?:rc)?(?:[.-][\w.-]*)?(?:\.config\.\w+|rc(?:\.\w+)?|\.(?:json|jsonc|ya?ml|toml)|ignore)$"
    r"|^\.?(?:eslint|stylelint|jshint|tslint|htmlhint|solhint)rc(?:\.\w+)?$|^(?:eslint|xo|biome|stylelint"
    r"|commitlint)\.config\.\w+$"
)
_RANKS = {"off": 0, "0": 0, "warn": 1, "warning": 1, "1": 1, "info": 1, "error": 2, "2": 2, "on": 2}
_CODE = re.compile(
    r"^[A-Z]{1,5}\d{1,5}$|^(?:ALL|[A-Z]{1,4})$|^[a-z]+(?:-[a-z]+)+$|^[a-z]+/[\w/-]+$"
    r"|^@[\w-]+/[\w/-]+$|^SC\d{4}$|^DL\d{4}$|^CKV\w+$|^reportw+$"
)
_FULL_CODE = re.compile(r"^[A-Z]{1,5}\d{3,5}$|^[A-Z]{1,3}\d{3}$|^[a-z]+(?:-[a-z]+)+$")
_IGNORING = re.compile(
    r"(?i)^(?:[\w-]*ignore[\w-]*|[\w-]*exclu[\w-]*|skip[\w-]*|omit|disable[\w-]*|disabled_\w+"
    r"|suppress\w*|allowlist|"
    r"norecursedirs|unfixable_not|baseline|exclude_lines|exclude_also|deselect"
    r"|modulePathIgnorePatterns|ignored?|ignorepatterns|per-file-ignores|nowarn|todo)$"
)
_IGNORE_SECTION = re.compile(
    r"(?i)(?:per[-_]file[-_]ignores|exclude[-_]rules|ignoreErrors|ignore_errors|ignoreConfig"
    r"|suppressions)"
)
_SELECTING = re.compile(
    r"(?i)^(?:select|extend-select|enable|extend_select|enabled|include|testpaths|files|roots"
    r"|testMatch|projects|packages|checks|plugins|extends|linters|lib_not|reporters_not|tests"
    r"|paths|source)$"
)
_FINDING = re.compile(
    r"^(?:python_(?:files|classes|functions)|testRegex|testMatch|specPattern|spec|testDir|test_pattern)$"
)
_TOOLS = re.compile(
    r"(?i)(?:^|\.)(?:ruff|mypy|pytest|coverage|flake8|pylint|pyright|basedpyright|bandit|vulture"
    r"|eslintConfig|eslint|jest|nyc|c8|vitest|ava|mocha|pycodestyle|pydocstyle|pep257|lint"
    r"|codespell|clippy|lints|golangci|ty|zuban|interrogate|deptry)(?:$|[.:])"
)
_STRICT = re.compile(
    r"^(?:strict\w*|noImplicit\w+|noUnused\w+|noUnchecked\w+|noEmitOnError|checkJs|forbidOnly"
    r"|disallow_\w+|warn_(?:return_any|unreachable|unused_ignores)|check_untyped_defs"
    r"|no_implicit\w+"
    r"|typeCheckingMode|xfail_strict|failOnWarnings|exactOptionalPropertyTypes|alwaysStrict)$"
)
_SHARED = re.compile(
    r"\bconfigs[.\[]|[\"'][\w@/:.-]*(?:recommended|airbnb|standard|strict)[\w/-]*[\"']"
    r"|\bextends[\"']? ?[:(]? ?\[? ?[\"'][\w@./]"
)
_PRESET = re.compile(
    r"(?i)\b(?:strict|recommended|stylistic|essential|base|all)\w{0,20}(?:-type-checked)?\b"
)
_PRESETS = ("base", "stylistic", "essential", "recommended", "strict", "all")
_GENERATED = re.compile(
    r"(?i)(?:^|/|\*|\!|\b)(?:dist|build|out|output|coverage|node_modules|vendor|vendored|generated"
    r"|__generated__|gen|\.next|\.nuxt|\.?venv|env"
    r"|__pycache__|target|\.git|\.tox|\.nox|\.cache|\.mypy_cache|\.ruff_cache|htmlcov|\.turbo"
    r"|\.yarn|storybook-static|third_party|\.svelte-kit"
    r"|playwright-report|test-results|\.vscode|\.idea|site-packages|migrations|\.eggs|\.output"
    r"|\.vercel|\.vite|tmp|temp|bin|obj|worktrees)(?:/|\b|$)|\.min\.|\.d\.ts$|_pb2|\.pb\.|\.lock$"
    r"|\.snap$|\.egg"
)
_TEST_PATTERN = re.compile(
    r"(?i)(?:test|spec|__tests__|e2e|stories|fixtures|bench|example|docs?|config)"
)
_IGNORE_FILES = words(
    ".eslintignore .stylelintignore .trivyignore .gitleaksignore .semgrepignore .secretlintignore "
    ".tslintignore .flake8ignore .pylintignore .banditignore .jshintignore .snykignore "
    ".grypeignore "
    ".solhintignore .oxlintignore .biomeignore .checkovignore .tfsecignore .phpcsignore "
    ".ansible-lint-ignore "
    ".lintignore .rubocopignore .testignore .coverageignore"
)
_SOFT_IGNORE_FILES = frozenset(
    (".prettierignore", ".markdownlintignore", ".cspellignore", ".editorconfig-checker-exclude")
)


def config_hits(pairs: Sequence[Pair]) -> Iterator[Hit]:
    """What the change makes the tools overlook."""
    enabled = frozenset(
        _base(entry)
        for pair in pairs
        for _, entry in _entries(pair.new)
        if _RANKS.get(entry.value.lower()) == 2
    )
    for pair in pairs:
        place = pair.change.place
        yield from gradle_hits(pair)
        if place.language is Language.IGNORE or place.name in _IGNORE_FILES:
            yield from _ignore_file(pair)
        elif place.role in (Role.CONFIG, Role.MANIFEST, Role.CI, Role.HOOK) or _LINTER.search(
            place.name
        ):
            yield from _config_file(pair, enabled)


def _entries(readings: tuple[Reading, ...], only_changed: bool = True) -> Iterator[Found]:
    for reading in readings:
        if reading.side.changed:
            for entry in reading.entries:
                if not only_changed or entry.index in reading.side.changed:
                    yield reading, entry


def _ignore_file(pair: Pair) -> Iterator[Hit]:
    name = pair.change.place.name
    if (
        name not in _IGNORE_FILES
        and name not in _SOFT_IGNORE_FILES
        and not name.startswith(".trivyignore")
    ):
        return
    gone = {text for _, _, text in pair.removed_lines()}
    for reading, index, text in pair.added_lines():
        if not text or text.startswith(("#", "!")) or text in gone:
            continue
        soft = name in _SOFT_IGNORE_FILES or bool(_GENERATED.search(text))
        if re.match(r"(?:CVE|GHSA|AVD|RUSTSEC|PYSEC|CKV)-", text):
            yield reading.hit("audit-weakened", Severity.BLOCK, index, text)
        else:
            yield reading.hit(
                "scope-narrowed", Severity.REVIEW if soft else Severity.BLOCK, index, text
            )


def _config_file(pair: Pair, enabled: frozenset[str]) -> Iterator[Hit]:
    new = list(_entries(pair.new))
    old = list(_entries(pair.old))
    if pair.change.place.role in (Role.CONFIG, Role.MANIFEST, Role.HOOK) or _LINTER.search(
        pair.change.place.name
    ):
        if _LINTER.search(pair.change.place.name) or pair.change.place.name == "package.json":
            yield from _lint_rules(pair, new, old, enabled)
        yield from _lists(pair, new, old)
        yield from _no_longer_strict(pair, new, old)
        yield from _patterns_of_tests(new, old)
    yield from threshold_hits(pair, new, old)


def _base(entry: Entry) -> str:
    return entry.last.rsplit("/", 1)[-1]


def _rule_rank(entry: Entry) -> int | None:
    value = entry.value.lower()
    rank = _RANKS.get(value)
    if rank is None or (value.isdigit() and "rules" not in entry.path and "/" not in entry.last):
        return None
    if value == "on" or entry.last in (
        "reportUnusedDisableDirectives",
        "severity",
        "level",
        "-",
        "",
    ):
        return rank if entry.last == "reportUnusedDisableDirectives" else None
    return rank


def _lint_rules(
    pair: Pair, new: list[Found], old: list[Found], enabled: frozenset[str]
) -> Iterator[Hit]:
    before = {entry.last: rank for _, entry in old if (rank := _rule_rank(entry)) is not None}
    after = {entry.last for _, entry in new}
    for reading, entry in new:
        rank = _rule_rank(entry)
        if rank is None or rank == 2 or _base(entry) in enabled:
            continue
        was = before.get(entry.last)
        fresh = was is None and rank == 0
        if (was is not None and rank < was) or fresh:
            key = f"{entry.last}={entry.value}"
            yield reading.hit("rule-disabled", Severity.BLOCK, entry.index, key)
    if not pair.change.file.deleted:
        for reading, entry in old:
            rank = _rule_rank(entry)
            kept = entry.last in after or _base(entry) in enabled
            if rank and rank > 0 and not kept:
                weight = Severity.BLOCK if rank == 2 else Severity.REVIEW
                yield reading.hit("rule-disabled", weight, entry.index, f"-{entry.last}")
    for reading, entry in new:
        declared = "globals" in entry.path[:-1] and entry.value in _DECLARATIONS
        if (
            declared
            and entry.last not in _GLOBALS
            and not any(e.last == entry.last for _, e in old)
        ):
            yield reading.hit("rule-disabled", Severity.BLOCK, entry.index, f"global {entry.last}")


_DECLARATIONS = words("readonly writable readable writeable true false")
_GLOBALS = words(
    "window document console process module require exports global globalThis Buffer __dirname "
    "__filename "
    "describe it test expect jest vi beforeEach afterEach beforeAll afterAll before after cy "
    "Cypress React "
    "JSX NodeJS navigator fetch setTimeout clearTimeout setInterval clearInterval URL "
    "URLSearchParams Deno "
    "Bun page browser context self caches importScripts chrome localStorage sessionStorage "
    "structuredClone "
    "AbortController TextEncoder TextDecoder crypto performance queueMicrotask defineProps "
    "defineEmits "
    "defineExpose withDefaults $ jQuery _ angular google ga gtag Atomics SharedArrayBuffer"
)


def _no_longer_strict(pair: Pair, new: list[Found], old: list[Found]) -> Iterator[Hit]:
    """A strict setting, or a shared set of rules, that is simply gone."""
    if pair.change.file.deleted:
        return
    after = {entry.last for _, entry in new}
    for reading, entry in old:
        if _STRICT.match(entry.last) and entry.value.lower() in ("true", "strict", "all", "yes"):
            tool = pair.change.place.role is Role.CONFIG or _TOOLS.search(entry.key)
            if tool and entry.last not in after:
                yield reading.hit("strictness-lowered", Severity.BLOCK, entry.index, entry.key)
    if not _LINTER.search(pair.change.place.name):
        return
    added = " ".join(text for _, _, text in pair.added_lines())
    if _SHARED.search(added):
        yield from _weaker_preset(pair, added)
        return
    for reading, index, text in pair.removed_lines():
        if _SHARED.search(text):
            yield reading.hit("rule-disabled", Severity.BLOCK, index, text[:120])


def _weaker_preset(pair: Pair, added: str) -> Iterator[Hit]:
    """A shared set of rules that another, smaller one took the place of."""
    after = max((_preset(text) for text in _PRESET.findall(added)), default=-1)
    for reading, index, text in pair.removed_lines():
        if max((_preset(found) for found in _PRESET.findall(text)), default=-1) > after >= 0:
            yield reading.hit("rule-disabled", Severity.BLOCK, index, text[:120])


def _preset(name: str) -> int:
    lowered = name.lower()
    rank = next((at for at, each in enumerate(_PRESETS) if each in lowered), 0)
    return 2 * rank + ("type" in lowered)


def _lists(pair: Pair, new: list[Found], old: list[Found]) -> Iterator[Hit]:
    """Items added to what is left out, or taken out of what is looked at."""
    had = {(entry.last, entry.value) for _, entry in old}
    has = {(entry.last, entry.value) for _, entry in new}
    for reading, entry in new:
        if (entry.last, entry.value) in had or not entry.value or entry.block:
            continue
        kind = _left_out(pair, reading, entry)
        if kind:
            weight = _weight_of_item(pair, entry)
            yield reading.hit(
                kind, weight, entry.index, f"{entry.last}+{entry.value}", host=entry.value
            )
    if pair.change.file.deleted:
        return
    # with the whole list gone on the new side, a fragment cannot tell; the key must still be there
    for reading, entry in old:
        if (
            entry.path[-1] != ITEM
            or not _SELECTING.match(entry.last)
            or (entry.last, entry.value) in has
            # what an exception was for is looked at again without it
            or any(_IGNORING.match(part) for part in entry.path)
        ):
            continue
        if pair.change.place.role is Role.MANIFEST and not _TOOLS.search(entry.key):
            continue
        if pair.change.place.name == "package.json" or (
            entry.last in ("files", "packages", "source")
            and "tsconfig" not in pair.change.place.name
            and not _TOOLS.search(entry.key)
        ):
            continue
        covered = any(
            value in ("ALL", "**", ".") or entry.value.startswith(value)
            for last, value in has
            if last == entry.last and value
        )
        if covered or entry.last in ("plugins", "extends"):
            continue
        rule = "rule-disabled" if _CODE.match(entry.value) else "scope-narrowed"
        yield reading.hit(
            rule, Severity.BLOCK, entry.index, f"{entry.last}-{entry.value}", host=entry.value
        )


def _left_out(pair: Pair, reading: Reading, entry: Entry) -> str:
    place = pair.change.place
    value = entry.value
    manifest = place.role is Role.MANIFEST
    section = ".".join(entry.path)
    comment = value.startswith(("#", "--")) and entry.last != "ignoreErrors"
    if value in ("true", "false", "True", "False", "{", "}", "]", "[", "[]", "{}", ",") or comment:
        return ""
    listed = (
        entry.path[-1] == ITEM
        or "," in value
        or place.language in (Language.INI, Language.YAML, Language.JS, Language.TOML)
    )
    names = [part for part in entry.path if part != ITEM]
    ignoring = bool(names) and (
        bool(_IGNORING.match(names[-1])) or bool(_IGNORE_SECTION.search(section))
    )
    if not ignoring and len(names) > 1 and _IGNORING.match(names[-2]) and place.role is Role.CONFIG:
        ignoring = names[-1] in (
            "paths",
            "path",
            "files",
            "rules",
            "code",
            "codes",
            "linters",
            "id",
            "message",
            "text",
            "dirs",
        )
    if ignoring and listed:
        if manifest and len(names) > 1 and not _TOOLS.search(section):
            return ""
        if re.search(r"(?i)(?:git|docker|npm|watch|hot)[-_]?ignore|watch|publish", section):
            return ""
        return (
            "rule-disabled"
            if _CODE.match(value) and "/" not in value.strip("@")
            else "scope-narrowed"
        )
    orphan = entry.path == (ITEM,) or (len(names) == 1 and _looks_like_path(names[0]))
    if (
        orphan
        and _FULL_CODE.match(value)
        and place.language in (Language.TOML, Language.INI)
        and not reading.side.whole
    ):
        return "rule-disabled"
    if _LINTER.search(place.name) and entry.last == "files" and entry.path[-1] == ITEM:
        near = range(entry.index + 1, min(entry.index + 4, len(reading.live)))
        old_rules = any(
            "rules" in reading.live[at] and at not in reading.side.changed for at in near
        )
        if old_rules and not value.startswith(("**/", "*.", "**")):
            return "scope-narrowed"
    if "tsconfig" in place.name and entry.last == "exclude":
        return "scope-narrowed"
    if (
        _LINTER.search(place.name)
        and entry.last == "files"
        and entry.path[-1] == ITEM
        and value.startswith("!")
    ):
        return "scope-narrowed"
    return ""


def _patterns_of_tests(new: list[Found], old: list[Found]) -> Iterator[Hit]:
    """By which names a runner finds its tests: another pattern finds fewer."""
    before = {entry.key: entry.value for _, entry in old if _FINDING.match(entry.last)}
    for reading, entry in new:
        was = before.get(entry.key, entry.value)
        wider = was in entry.value or fnmatchcase(was, entry.value)
        if _FINDING.match(entry.last) and was and not wider:
            key = f"{entry.last}: {was} to {entry.value}"
            yield reading.hit("scope-narrowed", Severity.BLOCK, entry.index, key[:120])


def _looks_like_path(text: str) -> bool:
    return "/" in text or "*" in text or text.endswith((".py", ".js", ".ts"))


def _weight_of_item(pair: Pair, entry: Entry) -> Severity:
    value = entry.value
    if _GENERATED.search(value) and not re.search(r"(?:^|/)(?:src|app|lib|source)/", value):
        return Severity.REVIEW
    if (
        entry.last == "exclude"
        and _TEST_PATTERN.search(value)
        and "tsconfig" in pair.change.place.name
    ):
        return Severity.REVIEW
    if pair.change.place.name.startswith(
        (
            "renovate",
            "dependabot",
            "turbo",
            "nx.",
            "project.json",
            "angular",
            "lychee",
            "commitlint",
        )
    ):
        return Severity.REVIEW
    if re.search(r"(?:^|\.)(?:codespell|black|isort|interrogate|hatch)\b", entry.key):
        return Severity.REVIEW
    return Severity.BLOCK
