"""Lines that have been read often and said nothing: their like is passed over.

What varies from line to line in a log is mostly digits and hexadecimal; without them the lines of
a chatty program are a few shapes, and those are compared at the speed of a set.
"""

import re
from collections import Counter
from collections.abc import Sequence

ENOUGH = 16
"""So often a shape must have said nothing. Fewer, and what stood around it might have mattered."""
MOST_COUNTED = 20_000
MOST_KNOWN = 20_000
LONGEST = 2_000

_VARYING = b"0123456789abcdef"
# "0 errors" says nothing, "1 errors" does, and both have one shape
_COUNTS = re.compile(rb"(?<![\d.:-])0(?![\d.:x-])|\d+ (?:error|fail|problem|issue|vuln)")


class Shapes:
    """Learns from one part of a log which lines of the next need no look."""

    def __init__(self) -> None:
        self._counted: Counter[bytes] = Counter()
        self._known: set[bytes] = set()
        self._here: list[bytes] = []

    def telling(self, text: bytes) -> tuple[Sequence[int], bytes]:
        """The numbers (from 0) of the lines that need a look, and those lines together."""
        self._here = text.translate(None, _VARYING).split(b"\n")
        known = self._known
        every = range(len(self._here))
        if not known:
            return every, text
        chosen = [number for number, shape in enumerate(self._here) if shape not in known]
        if len(chosen) > 0.9 * len(every):
            return every, text
        lines = text.split(b"\n")
        return chosen, b"\n".join([lines[number] for number in chosen])

    def known(self, number: int) -> bool:
        """Whether a line of the part has a shape that says nothing."""
        return self._here[number] in self._known

    def said_nothing(self, number: int, raw: bytes) -> None:
        """Take note that this line of the part was read in vain."""
        if len(raw) > LONGEST or _COUNTS.search(raw):
            return
        shape = self._here[number]
        self._counted[shape] += 1
        if self._counted[shape] >= ENOUGH:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known.add(shape)
            del self._counted[shape]
        elif len(self._counted) > MOST_COUNTED:
            self._counted.clear()
