"""Which lines of a log deserve a look: most of a log is noise, and is passed over at full speed.

Every hint of every rule holds one of `TRIGGERS`, so a line without any of them cannot match. RE2
looks for all of them in one pass, whatever their number; the standard library's search would need
a pass for each.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

import re2

from codeb_mcp.diagnosis.rules import Rule

LOCATION = "<:line:column>"
"""A hint that stands for `name:12:5` or `  12:5 `: all that some linters' lines share."""
_COLOUR = r"(?:\x1b\[[\d;]*m)*"
_LOCATION = rf"[A-Za-z_]{_COLOUR}:{_COLOUR}\d+{_COLOUR}:{_COLOUR}\d+|  \d+:\d+\s|Line \d+:\d+"
MARKS = ("##[", "::error", "exit")
"""Triggers for the sake of steps: what CI systems say about them."""

TRIGGERS = (
    *MARKS,
    *("rror", "ERR", "fail", "Fail", "FAIL", "atal", "FATAL", "anic", "xception", "Traceback"),
    *(
        "annot",
        "ould",
        "nable to",
        "not found",
        "not ok",
        "not met",
        "NotFound",
        "No such",
        "no such",
    ),
    *("●", "✖", "✘", "×", "✗", "\u2716", "___ ", "*** ", "<<< ", "Diff in", "CONFLICT ("),
    *("GHSA-", "CVE-", "SEC-20", " GO-2", "AVD-", "ulnerabilit", "found: ", "Finding:", "Issue: ["),
    *(
        "denied",
        "undefined",
        "Undefined",
        "nknown",
        "nexpected",
        "nresolved",
        "nrecognized",
        "nvalid",
    ),
    *(
        "missing",
        "roblem",
        " issues",
        "Would",
        "violat",
        "validating",
        "refused",
        "requires",
        "unmet",
    ),
    *(
        "illed",
        "oom-kill",
        "OutOf",
        "out of",
        "No space",
        "no space",
        "ENOSPC",
        "isk quota",
        "early EOF",
    ),
    *(
        "imeout",
        "timed out",
        "expired",
        "nauthorized",
        "time limit",
        "took longer",
        "exceeded",
        "xecution time",
        "limit",
    ),
    *(
        "ECONN",
        "ETIMEDOUT",
        "EAI_",
        "ENOTFOUND",
        "reset by peer",
        "navailable",
        "ateway",
        "oo Many",
    ),
    *("oomanyreq", "curl: (", "canceled", "lost comm", "shutdown", "hosted runner", "no output"),
    *(
        "ninja: ",
        "non-zero",
        "ssertion ",
        "went wrong",
        "updates to",
        "is not valid",
        "has no in",
        "snyk.io",
    ),
    *(
        "ommand '",
        "nput required",
        "not recognized",
        "unbound",
        " MD0",
        " SC1",
        " SC2",
        " SC3",
        " DL3",
        " DL4",
        "odule named",
        "does not",
        ",-[",
        "╭─[",
        "rrectly sorted",
        ": [",
        "severity",
    ),
    # what reports for other programs are told by
    *(
        '"message":',
        '"messages":',
        '"testResults":',
        '"assertionResults":',
        '"offenses":',
        '"diagnostics":',
        '"generalDiagnostics":',
        '"VulnerabilityID":',
        '"Vulnerabilities":',
        '"RuleID":',
        '"FromLinter":',
        '"runs":',
    ),
    *('"check_name":', '"advisories":', '"auditReportVersion":', '"vulns":', '"warnings":'),
    *('"failures":', '"suites":', '"collectors":', '"examples":', '"issues":', '"errors":'),
    *('"vulnerability":', '"vulnerabilities":', '"test_id":', '"advisory":', '"err":'),
    *("<testsuite", "<testcase", "<failure", "<checkstyle", "<error ", "<violation ", "<issue"),
)

_HARMLESS = re.compile(
    rb"npm (?:verb|http|sill|timing|notice|info|warn|WARN)|\[(?:INFO|DEBUG)\] |Get:\d"
    rb"|\xe2\x9c[\x93\x94] |^ok \d| PASS(?:ED)? "
)
"""What lines begin with that tell of no failure, whatever words come behind."""


class Prefilter:
    """Finds the lines, and the rules that may match them."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        blind = {hint for each in self._rules for hint in each.hints if not _triggered(hint)}
        if blind:
            raise ValueError(f"these hints hold no trigger: {sorted(blind)}")
        words = "|".join(re2.escape(trigger) for trigger in TRIGGERS)
        self._pattern = re2.compile(f"{words}|({_LOCATION})".encode())
        self._marks = re2.compile("|".join(re2.escape(mark) for mark in MARKS).encode())
        self._names = {trigger.encode(): trigger for trigger in TRIGGERS}
        numbered = list(enumerate(self._rules))
        hints = dict.fromkeys(hint for each in self._rules for hint in each.hints)
        self._by_hint = {
            hint: tuple(number for number, each in numbered if hint in each.hints)
            for hint in hints
            if hint != LOCATION
        }
        self._always = tuple(number for number, each in numbered if LOCATION in each.hints)
        self._hints_with = lru_cache(maxsize=4096)(self._hints)

    def hits(self, block: bytes, begin: int, end: int) -> Iterator[tuple[int, str]]:
        """Offset and trigger of each hit in `block`, in order."""
        names, harmless_until = self._names, -1
        for match in self._pattern.finditer(block, begin, end):
            at = match.start()
            if at < harmless_until:
                continue
            if _HARMLESS.search(block, block.rfind(b"\n", begin, at) + 1, at):
                harmless_until = block.find(b"\n", at)
                continue
            yield at, names.get(match.group(), LOCATION)

    def marks(self, block: bytes, begin: int, end: int) -> Iterator[tuple[int, str]]:
        """Only what CI systems say about their steps."""
        for match in self._marks.finditer(block, begin, end):
            yield match.start(), match.group().decode()

    def rules(self, text: str, triggers: frozenset[str]) -> list[Rule]:
        """The rules that may match a line with these triggers, in their order."""
        wanted = set(self._always) if LOCATION in triggers else set()
        for hint, numbers in self._hints_with(triggers):
            if hint in text:
                wanted.update(numbers)
        return [self._rules[number] for number in sorted(wanted)]

    def _hints(self, triggers: frozenset[str]) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The hints with one of the triggers, each with the numbers of its rules."""
        return tuple(
            (hint, numbers)
            for hint, numbers in self._by_hint.items()
            if any(trigger in hint for trigger in triggers)
        )


def _triggered(hint: str) -> bool:
    return hint == LOCATION or any(trigger in hint for trigger in TRIGGERS)
