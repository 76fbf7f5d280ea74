"""Tests that are lost, and assertions that say less than they did."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codeb_mcp.guard.places import Language, Role
from codeb_mcp.guard.reading import Hit, Pair, Reading, squeezed
from codeb_mcp.guard.rules import Severity

_NAMED: dict[Language, re.Pattern[str]] = {
    Language.JS: re.compile(
        r"(?<![\w.$])(?:it|test|specify|bench"
        r"|testCase)\b(?:\.\w+)*(?:\([^()]*\))?\s?\(\s?([\"'`])(.{1,200}?)\1|(?<![\w.$])(?:it|test"
        r"|specify)(?:\.\w+)*\($|\bDeno\.test\(|(?<![\w.$])(?:it|test)\.each\b"
    ),
    Language.PYTHON: re.compile(r"^(?:async )?def (test\w*)|^class (Test\w*)"),
    Language.GO: re.compile(r"^func ((?:Test|Fuzz|Example)\w*)\("),
    Language.JVM: re.compile(
        r"^@(?:Test|ParameterizedTest|RepeatedTest|TestFactory)\b|\b(?:test|should"
        r"|it)\(?\s?\"(.{1,200}?)\""
    ),
    Language.RUST: re.compile(r"^#\[(?:\w+::)*test\b"),
    Language.RUBY: re.compile(
        r"^(?:it|test|specify|scenario|example)\s?\(?\s?[\"'](.{1,200}?)[\"']|^def (test_\w+)"
    ),
    Language.CSHARP: re.compile(r"^\[(?:Fact|Test|TestMethod|Theory|TestCase)\b"),
    Language.PHP: re.compile(r"function (test\w*)|^#\[Test\b|^(?:it|test)\([\"'](.{1,200}?)[\"']"),
    Language.SWIFT: re.compile(r"func (test\w*)|^@Test\b"),
    Language.ELIXIR: re.compile(r"^test\s?\(?\"(.{1,200}?)\""),
    Language.C: re.compile(
        r"^(?:TEST|TEST_F|TEST_P|TYPED_TEST|BOOST_AUTO_TEST_CASE|TEST_CASE)\((.{1,200}?)\)"
    ),
    Language.DART: re.compile(r"^(?:test|testWidgets)\(\s?['\"](.{1,200}?)['\"]"),
    Language.SHELL: re.compile(r"^@test [\"'](.{1,200}?)[\"']|^(test_?\w+)\s?\(\)"),
}
_TABLE = re.compile(
    r"parametrize|\.each\b|range (?:tests|cases|tt)|subTest|ParameterizedTest|InlineData|rstest"
    r"|test_case|it\.each|describe\.each|TestCase\("
)
_ASSERTION = re.compile(
    r"(?<![\w])(?:expect\w*\(|expect\(|assert\w*[\s(!.]|self\.assert\w+\(|(?<=\.)should\b|verify\w*\("
    r"|require\.\w+\(|XCTAssert\w*\(|(?:EXPECT|ASSERT)_\w+\("
    r"|t\.(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow)\(|pytest\.(?:raises|warns)\(|refute\w*\b"
    r"|must_\w+|is_expected|check\w*\(|untilUpdated\(|Assert\.\w+\("
    r"|\.(?:toBe|toEqual|toHave\w*|toMatch\w*|toThrow\w*|toContain\w*|resolves|rejects)\b|chai\."
    r"|assertThat|\[\[? .*(?:==|-eq)|run_test|assertk)"
)
_STRONG = re.compile(
    r"\.(?:toBe|toEqual|toStrictEqual|toMatchObject|toHaveLength|toHaveBeenCalledWith"
    r"|toHaveBeenCalledTimes|toHaveBeenNthCalledWith|toHaveBeenLastCalledWith"
    r"|toMatchInlineSnapshot|toHaveProperty"
    r"|to\.(?:deep\.)?(?:equal|eql|eq)|resolves\.toBe|toHaveText|toHaveTextContent|toHaveAttribute"
    r"|toHaveValue|toHaveURL)\(|\btoThrow\w*\( ?\S{2,}"
    r"|\bassert [^\n]*(?:==|!=| is not (?!None)| is (?!not|None))|assert(?:Equal|Equals|Is"
    r"|ListEqual|DictEqual|SetEqual|CountEqual|AlmostEqual|Same|ArrayEquals|RaisesRegex"
    r"|RaisesRegexp)\w*\(|assert_eq!|assert_equal\b|(?:require|assert)\.(?:Equal|EqualValues"
    r"|JSONEq|ErrorIs|ErrorContains|Len|EqualError)\(|\beq\(|must_equal|XCTAssertEqual|(?:EXPECT"
    r"|ASSERT)_(?:EQ|STREQ)|->assertSame\(|->assertEquals\(|\.isEqualTo\(|Assert\.(?:Equal"
    r"|AreEqual)\(|\.assert_(?:called_with|called_once_with|has_calls|any_call)\(|pytest\.raises\([^)\n]*match"
)
_MEDIUM = re.compile(
    r"\.(?:toContain\w*|toMatch|toMatchSnapshot|toBeGreaterThan\w*|toBeLessThan\w*|toBeCloseTo|toBeInstanceOf"
    r"|toHaveBeenCalled(?:Once)?|toThrow\w*)\b|\bassert [^\n]* (?:in|>|<|>=|<=) |isinstance\("
    r"|assert(?:In|Greater|Less|Regex|IsInstance|Raises|StartsWith|Contains)\w*\(|(?:require"
    r"|assert)\.(?:Contains|Greater|Less|Regexp|ErrorAs|Error|Panics)\(|\.contains\("
    r"|expect\.(?:arrayContaining|objectContaining|stringContaining)|pytest\.raises\("
)
_SUBJECT = re.compile(
    r"(?:expect|assertThat|assert\w*[!.]?\w*|require\.\w+)\s?\(?\s?(?:t, ?|not )?(.{1,60}?)"
    r"(?: ?(?:[=!<>]=|[<>,;)]\.?)| (?:is|in|not|to)\b|\)?$)"
)
_EXACT = 3
_CALLS = re.compile(
    r"(?<![\w!])(?!(?:expect|assert|require|should|verify|check|to[A-Z]|is[A-Z]|has[A-Z]|len\b|str\b|int\b|list\b"
    r"|set\b|sorted\b|String\b|Assert|XCT|self\.assert|EXPECT|ASSERT|pytest|any\b|all\b|type\b|isinstance))"
    r"([A-Za-z_][\w.]*)(?=\()"
)
"""What is called within an assertion, but for the words of the assertion itself."""
_LITERAL = re.compile(
    r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`[^`\n]*`|(?<![\w.])-?\d[\w.]*|\b(?:true|false"
    r"|True|False|null|None|nil|undefined)\b"
)
_RETURN = re.compile(
    r"return;?|return (?:None|nil|undefined);?|if \(?(?:true|True"
    r"|1)\)?:? return;?"
)
_ITSELF = re.compile(r"\bexpect\((.{1,80})\)\.(?:toBe|toEqual|toStrictEqual)\((.{1,80})\);?$")
_MOCK = re.compile(
    r"\b(?:vi|jest)\.(?:mock|doMock|unstable_mockModule)\(\s?[\"'`]([^\"'`\n]{1,200})[\"'`]\s?,"
)
_PATCH = re.compile(
    r"\b(?:patch(?:\.object)?|monkeypatch\.setattr|mocker\.patch)\(\s?[\"']?([\w.]{1,120})"
)
_PARTIAL = re.compile(r"importActual|requireActual|importOriginal|\bspy\b|wraps=")
_TIME = re.compile(
    r"(?i)time_?out|deadline|retries|max_?attempts|setTimeout|waitFor|wait_for|sleep"
)
_NUMBER = re.compile(r"(?<![\w.])\d[\d_]*(?:\.\d+)?")


@dataclass(slots=True)
class _Tests:
    """The tests and assertions of one file: what it loses and what it gains."""

    pair: Pair
    lost: list[tuple[Reading, int, str]]
    gained: list[tuple[Reading, int, str]]
    dropped: list[tuple[Reading, int, str]]
    made: list[tuple[Reading, int, str]]


def test_change_hits(pairs: Sequence[Pair]) -> Iterator[Hit]:
    """What the change takes from the tests."""
    files = [_tests_of(p) for p in pairs if _is_test(p)]
    if not files:
        return
    everywhere = Counter(name for each in files for _, _, name in each.gained)
    asserted = Counter(line for each in files for _, _, line in each.made)
    alone = not any(_is_source(p) for p in pairs)
    shrinking = _source_shrinks(pairs)
    for each in files:
        yield from _lost_tests(each, everywhere, shrinking)
        yield from _assertions(each, asserted, alone, shrinking)
        yield from _paired(each, alone)
        yield from _mocked(each)
        yield from _unreached(each)


def _is_test(pair: Pair) -> bool:
    return Role.TEST in (pair.change.place.role, pair.change.old_place.role) or (
        pair.change.place.language is Language.RUST and pair.change.place.role is Role.SOURCE
    )


def _is_source(pair: Pair) -> bool:
    place = pair.change.place
    if place.role in (Role.TEST, Role.FIXTURE, Role.SNAPSHOT, Role.DOCS, Role.LOCK):
        return False
    return (
        any(side.changed for side in pair.change.new + pair.change.old) or pair.change.file.renamed
    )


def _source_shrinks(pairs: Sequence[Pair]) -> bool:
    """Whether the change takes out code that the lost tests may have been about."""
    for pair in pairs:
        place = pair.change.place
        if place.is_test or place.role in (Role.DOCS, Role.LOCK, Role.CI):
            continue
        if pair.change.file.deleted:
            return True
        removed = sum(len(side.changed) for side in pair.change.old)
        added = sum(len(side.changed) for side in pair.change.new)
        if removed > added + 2 or any(
            re.match(
                r"(?:export |public |async |static )*(?:def|class|function|func|fn|interface) ",
                line,
            )
            for _, _, line in pair.removed_lines()
        ):
            return True
    return False


def _tests_of(pair: Pair) -> _Tests:
    new_test = pair.change.place.role in (Role.TEST, Role.SOURCE)
    lost = list(_named(pair.removed_lines(), pair.change.old_place.language))
    gained = list(_named(pair.added_lines(), pair.change.place.language)) if new_test else []
    dropped = [(r, i, t) for r, i, t in pair.removed_lines() if _ASSERTION.search(t)]
    made = [(r, i, t) for r, i, t in pair.added_lines() if _ASSERTION.search(t)] if new_test else []
    if pair.change.place.role is Role.SOURCE:
        dropped, made = [], []
    return _Tests(pair, lost, gained, dropped, made)


def _named(
    lines: Iterator[tuple[Reading, int, str]], language: Language
) -> Iterator[tuple[Reading, int, str]]:
    pattern = _NAMED.get(language)
    if pattern is None:
        return
    for reading, index, line in lines:
        if match := pattern.search(line):
            names = [group for group in match.groups() if group and group not in "\"'`"]
            yield reading, index, names[0] if names else match.group()


def _lost_tests(each: _Tests, everywhere: Counter[str], shrinking: bool) -> Iterator[Hit]:
    change = each.pair.change
    if change.file.renamed and not change.place.is_test and change.old_place.role is Role.TEST:
        if each.pair.old:
            yield each.pair.old[0].hit("test-removed", Severity.BLOCK, 0, "renamed")
        return
    before = Counter(name for _, _, name in each.lost)
    gained = Counter(name for _, _, name in each.gained)
    lost: list[tuple[Reading, int, str]] = []
    seen: Counter[str] = Counter()
    for reading, index, name in each.lost:
        seen[name] += 1
        if seen[name] > everywhere[name]:
            lost.append((reading, index, name))
    new = sum((gained - before).values())
    excess = len(lost) - new
    if excess <= 0:
        return
    table = any(_TABLE.search(line) for _, _, line in each.pair.added_lines())
    gone = shrinking or table
    weight = Severity.REVIEW if gone else Severity.BLOCK
    for reading, index, name in lost[:excess]:
        yield reading.hit("test-removed", weight, index, name)


def _assertions(each: _Tests, made: Counter[str], alone: bool, shrinking: bool) -> Iterator[Hit]:
    """Fewer assertions than before, beyond those that went with a lost test."""
    change = each.pair.change
    if each.lost or change.file.deleted:
        return
    gone: list[tuple[Reading, int, str]] = []
    seen: Counter[str] = Counter()
    for reading, index, line in each.dropped:
        seen[line] += 1
        if seen[line] > made[line]:
            gone.append((reading, index, line))
    known = {text for _, _, text in each.dropped}
    added = [line for _, _, line in each.made if line not in known]
    fresh = len(added)
    whole = {_root(line) for line in added if _rank(line) == _EXACT}
    folded = [each_gone for each_gone in gone if _root(each_gone[2]) in whole]
    if len(folded) > 1:
        # several assertions about one thing became one about the whole of it
        gone = [each_gone for each_gone in gone if each_gone not in folded[1:]]
    excess = len(gone) - fresh
    if excess <= 0:
        return
    weight = Severity.BLOCK if alone and not shrinking else Severity.REVIEW
    for reading, index, line in gone[:excess]:
        yield reading.hit("assertion-weakened", weight, index, line[:120])


def _root(line: str) -> str:
    """What an assertion is about: `r` of `expect(r.b).toBe(1)`."""
    match = _SUBJECT.search(line)
    return re.split(r"[.\[(?!]", match[1])[0] if match else line


def _rank(line: str) -> int:
    if not _ASSERTION.search(line):
        return -1
    if re.search(
        r"\bexpect\( ?typeof\b"
        r"|\.not\.(?:toThrow|toBeNull|toBeUndefined)|toBeDefined|toBeTruthy|toBeFalsy"
        r"|expect\.any(?:thing)?\(|is not None\b|NotNull|NotNil|IsNotNone",
        line,
    ):
        return 1
    if _STRONG.search(line):
        return _EXACT
    return 2 if _MEDIUM.search(line) else 1


def _paired(each: _Tests, alone: bool) -> Iterator[Hit]:
    """An assertion that took the place of another: less exact, or fitted to the code."""
    if each.pair.change.place.role is Role.SOURCE and not _asserts_in_source(each.pair):
        return
    fitted = _only_expectations(each.pair)
    for old_text, (reading, index, new_text) in replaced(each.pair):
        before, after = _rank(old_text), _rank(new_text)
        if before < 0 and after < 0:
            if _slower(old_text, new_text):
                yield reading.hit("timeout-raised", Severity.REVIEW, index, new_text[:120])
            if ".todo(" in new_text and ".todo(" not in old_text:
                yield reading.hit("test-skipped", Severity.BLOCK, index, new_text[:120])
            continue
        if before < 0 or after < 0:
            continue
        if _slower(old_text, new_text):
            yield reading.hit("timeout-raised", Severity.REVIEW, index, new_text[:120])
        elif after < before and _same_subject(old_text, new_text):
            weight = Severity.BLOCK if after <= 1 or alone else Severity.REVIEW
            yield reading.hit("assertion-weakened", weight, index, new_text[:120])
        elif old_text != new_text and _LITERAL.sub("·", old_text) == _LITERAL.sub("·", new_text):
            weight = Severity.BLOCK if alone and fitted else Severity.REVIEW
            yield reading.hit("expectation-changed", weight, index, new_text[:120])


def _asserts_in_source(pair: Pair) -> bool:
    """Whether a source file holds its tests, as those of Rust do."""
    if pair.change.place.language is not Language.RUST:
        return False
    changed = [t for lines in (pair.added_lines(), pair.removed_lines()) for _, _, t in lines if t]
    return all(text.startswith(("assert", "}", "#")) for text in changed)


def _only_expectations(pair: Pair) -> bool:
    """Whether nothing but the values in assertions changed: no new input, no new setting."""
    changed = [t for lines in (pair.added_lines(), pair.removed_lines()) for _, _, t in lines if t]
    return all(_ASSERTION.search(text) or not re.search(r"\w", text) for text in changed)


def _slower(old: str, new: str) -> bool:
    if not _TIME.search(new) or _NUMBER.sub("·", old) != _NUMBER.sub("·", new):
        return False
    pairs = zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=False)
    return any(
        float(b.replace("_", "")) > float(a.replace("_", "")) for a, b in pairs if len(a + b) < 40
    )


def _same_subject(old: str, new: str) -> bool:
    one, other = _SUBJECT.search(old), _SUBJECT.search(new)
    if not one or not other:
        return False
    if one[1].strip("()") == other[1].strip("()"):
        return True
    if set(_CALLS.findall(old)) & set(_CALLS.findall(new)):
        return True
    head = min(len(one[1]), len(other[1]), 8)
    return head >= 3 and one[1][:head] == other[1][:head]


def replaced(pair: Pair) -> Iterator[tuple[str, tuple[Reading, int, str]]]:
    """Lines that took the place of others: (old text, (reading, index, new text)).

    Within a run of changed lines the first added one stands for the first removed one, and so on.
    """
    for new, old in zip(pair.new, pair.old, strict=False):
        runs_old = dict(_runs(old))
        for at, run in _runs(new):
            for old_index, new_index in zip(runs_old.get(at, ()), run, strict=False):
                yield old.live[old_index], (new, new_index, new.live[new_index])


def _runs(reading: Reading) -> Iterator[tuple[int, list[int]]]:
    """Runs of changed lines, each with the number of unchanged lines before it."""
    run: list[int] = []
    unchanged = 0
    for index in range(len(reading.side.lines)):
        if index in reading.side.changed:
            run.append(index)
            continue
        if run:
            yield unchanged, run
            run = []
        unchanged += 1
    if run:
        yield unchanged, run


def _unreached(each: _Tests) -> Iterator[Hit]:
    """Assertions that a `return` comes before, or that compare a thing with itself."""
    for reading in each.pair.new:
        lines = reading.live
        for index in sorted(reading.side.changed):
            line = lines[index]
            rest = [text for text in lines[index + 1 : index + 5] if text]
            if (_RETURN.fullmatch(line) and rest and _ASSERTION.search(rest[0])) or (
                line.startswith("#[should_panic") and _kept_test(reading, index)
            ):
                yield reading.hit("test-skipped", Severity.BLOCK, index, line)
            elif (same := _ITSELF.search(line)) and same[1] == same[2]:
                yield reading.hit("assertion-weakened", Severity.BLOCK, index, line[:120])


def _kept_test(reading: Reading, index: int) -> bool:
    """Whether the attribute on line `index` was put on a test that stood there before."""
    following = next((at for at in range(index + 1, len(reading.live)) if reading.live[at]), index)
    return following != index and following not in reading.side.changed


def _mocked(each: _Tests) -> Iterator[Hit]:
    """A test that replaces the module it is named after."""
    name = each.pair.change.place.name
    stem = re.sub(r"[._-](?:test|spec|e2e|cy)$", "", name.rsplit(".", 1)[0])
    stem = re.sub(r"^test_|_test$", "", stem)
    for reading in each.pair.new:
        whole = any(_PARTIAL.search(line) for line in reading.live)
        for index in sorted(reading.side.changed):
            line = reading.live[index]
            if (match := _MOCK.search(line)) and not whole:
                target = match[1].rsplit("/", 1)[-1].lower()
                target = re.sub(r"\.(?:[mc]?[jt]sx?|vue|svelte)$", "", target)
                if target == stem and match[1].startswith((".", "@/", "~/", "src/")):
                    yield reading.hit("subject-mocked", Severity.BLOCK, index, match.group()[:80])
            elif match := _PATCH.search(line):
                parts = match[1].lower().split(".")
                if stem in parts[:-1]:
                    called = any(
                        _ASSERTION.search(text) and f"{parts[-1]}(" in text.lower()
                        for text in reading.live
                    )
                    weight = Severity.BLOCK if called else Severity.REVIEW
                    yield reading.hit("subject-mocked", weight, index, squeezed(match.group())[:80])
