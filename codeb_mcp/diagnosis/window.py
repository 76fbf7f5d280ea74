"""The part of a log that is looked at: random access to its lines, each read when it is needed."""

from collections.abc import Iterator

from codeb_mcp.diagnosis.lines import Line, read_line

# what ends the output of one command in GitHub Actions and Azure
_BORDERS = frozenset(("group", "section"))


def _ends(line: Line) -> bool:
    return line.mark == "error" and line.text.startswith("Process completed with")


class Window:
    """Consecutive raw lines; `first` is the number of the first one in the log, from 1.

    `passed` holds, by stream, the last line of the reports that have been read as a whole.
    """

    def __init__(
        self, raw: list[bytes], first: int = 1, passed: dict[str, int] | None = None
    ) -> None:
        self._raw = raw
        self.first = first
        self.passed = {} if passed is None else passed
        self._read: dict[int, Line] = {}

    def __len__(self) -> int:
        return len(self._raw)

    def line(self, number: int) -> Line:
        """The line with this number in the log, which must be in the window."""
        if (line := self._read.get(number)) is None:
            line = self._read[number] = read_line(self._raw[number - self.first], number)
        return line

    def whole(self, number: int) -> bytes:
        """The raw line, however long it is."""
        return self._raw[number - self.first]

    def after(self, number: int, count: int) -> Iterator[Line]:
        """The next lines of the same writer, `count` at most, to the end of its command."""
        stream = self.line(number).stream
        last = self.first + len(self._raw) - 1
        left = count
        # another writer's lines may lie between, but not without end
        for at in range(number + 1, min(last, number + count * 8) + 1):
            line = self.line(at)
            if line.mark in _BORDERS or _ends(line):
                return
            if line.stream != stream:
                continue
            yield line
            left -= 1
            if not left:
                return

    def before(self, number: int, count: int) -> Iterator[Line]:
        """The lines of the same writer before, nearest first, `count` at most."""
        stream = self.line(number).stream
        left = count
        for at in range(number - 1, max(self.first, number - count * 8) - 1, -1):
            line = self.line(at)
            if line.mark in _BORDERS:
                return
            if line.stream != stream:
                continue
            yield line
            left -= 1
            if not left:
                return
