"""No input, however odd, makes the diagnosis crash, hang or grow; blocks may end anywhere."""

import time
import tracemalloc
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from codeb_mcp.diagnosis import diagnose
from codeb_mcp.diagnosis.families import RULES
from codeb_mcp.diagnosis.lines import LONGEST
from codeb_mcp.diagnosis.prefilter import TRIGGERS
from tests.diagnosis.test_cases import EXPECTED, github, log

FRAGMENTS = sorted(
    {*TRIGGERS, *(hint for rule in RULES for hint in rule.hints)}
    | {" ", "\n", "\t", ":", "12", ":3:5", "src/a.ts", "(3,5)", "\x1b[31m", "\r", "    at f (", ")"}
    | {
        "> ",
        " | ",
        "E   ",
        'File "a.py", line 3',
        "-----",
        "=====",
        "npm ERR! ",
        "[ERROR] ",
        "\x00",
    }
)
LOGS = st.one_of(
    st.binary(max_size=2_000),
    st.lists(st.sampled_from(FRAGMENTS), max_size=300).map(lambda parts: "".join(parts).encode()),
    st.builds(
        lambda name, cut, more: log(name).encode()[cut:] + more,
        st.sampled_from(sorted(EXPECTED)),
        st.integers(0, 2_000),
        st.binary(max_size=200),
    ),
)


@settings(max_examples=300, deadline=2_000)
@given(LOGS)
def test_any_log_is_read_in_bounds(text: bytes) -> None:
    read = diagnose([text])
    assert len(read.incidents) <= 100
    for each in read.incidents:
        assert len(each.excerpt) <= 3_000
        assert len(each.message) <= 1_000
        assert 1 <= each.log_line <= text.count(b"\n") + 1


@settings(max_examples=60, deadline=4_000)
@given(st.sampled_from(sorted(EXPECTED)), st.integers(1, 5_000))
def test_blocks_may_end_anywhere(name: str, size: int) -> None:
    whole = github(log(name))
    blocks = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert diagnose(blocks) == diagnose([whole])


def test_no_pattern_backtracks_without_end() -> None:
    """Each rule alone, on the longest lines there are of what it repeats."""
    for rule in RULES:
        hints = [hint for hint in rule.hints if not hint.startswith("<:")] or ["a.py:1:1"]
        for hint in hints[:2]:
            for filler in ("a", " ", "a ", "a/", ".", ":1", "(", "a:", "- ", "│ "):
                line = (filler * LONGEST)[: LONGEST - len(hint)] + hint
                begin = time.thread_time()
                rule.find(line)
                took = time.thread_time() - begin
                assert took < 1.0, (
                    f"{rule.tool}: {rule.pattern.pattern} took {took:.2f} s on {filler!r}"
                )


def test_no_trigger_hides_another() -> None:
    """The search goes on behind a trigger: one that begins inside another would not be seen."""
    for one in TRIGGERS:
        for other in TRIGGERS:
            overlaps = any(one.endswith(other[:length]) for length in range(1, len(other)))
            if one != other and overlaps and other not in one:
                joined = next(
                    one + other[length:]
                    for length in range(len(other) - 1, 0, -1)
                    if one.endswith(other[:length])
                )
                assert joined not in KNOWN_WORDS, f"{one!r} hides {other!r} in {joined!r}"


KNOWN_WORDS = frozenset(hint for rule in RULES for hint in rule.hints)


def test_memory_stays_bounded_however_long_the_log() -> None:
    block = github(log("tsc")) * 20
    tracemalloc.start()
    diagnose(block for _ in range(10))
    few = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    diagnose(block for _ in range(60))
    many = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert many < few * 1.5


def test_line_numbers_are_those_of_the_log_however_long_it_is() -> None:
    noise = b"nothing to see here\n" * 400_000
    read = diagnose([noise, b"src/a.ts(3,5): error TS2322: no\n", noise])
    assert [each.log_line for each in read.incidents] == [400_001]


def test_numbers_of_excerpts_follow_each_other() -> None:
    (first, *_) = diagnose([log("jest").encode()]).incidents
    numbers = [int(line.split("|")[0]) for line in first.excerpt.splitlines()]
    assert all(after - before == 1 for before, after in pairwise(numbers))
