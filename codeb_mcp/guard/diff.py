"""A unified diff, parsed strictly: what it cannot account for, line by line, is refused.

Understands what `git diff`, `git show`, `git format-patch` and `diff -u` write: renames, copies,
binary files, mode changes, quoted paths, CRLF, no newline at the end. A diff whose counts do not
add up could show one thing to the guard and do another when it is applied.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from codeb_mcp.errors import InvalidRequest

LONGEST = 64 * 1024 * 1024
"""Characters of a diff that are read at most."""

_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@ ?(.*)")
_ESCAPE = re.compile(r'\\([abtnvfr"\\]|[0-7]{3})')
_ESCAPED = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_BETWEEN = ("index ", "similarity index ", "dissimilarity index ", "old mode ", "new mode ")
_STAMP = re.compile(r"\t.*$")
_SEPARATORS = ("-- ", "--", "")


@dataclass(frozen=True, slots=True)
class Hunk:
    """One hunk. `tags[i]` is ` `, `+` or `-`, and `texts[i]` that line without tag and line end."""

    old_start: int
    new_start: int
    heading: str
    tags: str
    texts: tuple[str, ...]


@dataclass(slots=True)
class FileChange:
    """What a diff does to one file. A path is empty on the side where the file does not exist."""

    old_path: str
    new_path: str
    binary: bool = False
    old_mode: str = ""
    new_mode: str = ""
    renamed: bool = False
    hunks: list[Hunk] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The path to show: the new one, or the one that is gone."""
        return self.new_path or self.old_path

    @property
    def added(self) -> bool:
        """Whether the file is new."""
        return not self.old_path

    @property
    def deleted(self) -> bool:
        """Whether the file is gone."""
        return not self.new_path


def parse_diff(text: str) -> tuple[FileChange, ...]:
    """The files of a unified diff; none for an empty text.

    Raises InvalidRequest for anything that is not a whole, well-formed unified diff.
    """
    if len(text) > LONGEST:
        raise _unreadable(f"it is longer than {LONGEST} characters", 1)
    if not text.strip():
        return ()
    if "\0" in text:
        raise _unreadable("it holds a NUL character", text.count("\n", 0, text.index("\0")) + 1)
    files = tuple(_Parser(text.split("\n")).files())
    if not files:
        raise _unreadable("no file header was found in it", 1)
    return files


def _unreadable(what: str, line: int) -> InvalidRequest:
    return InvalidRequest(
        f"the diff cannot be read: {what} (line {line})",
        hint="pass what `git diff` prints, whole and unchanged",
        code="unreadable_diff",
    )


class _Parser:
    """One pass over the lines."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0

    def files(self) -> Iterator[FileChange]:
        """Every file, in order."""
        started = False
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.startswith("diff --git "):
                started = True
                yield self._git_file()
            elif line.startswith("--- ") and self._next().startswith("+++ "):
                started = True
                change = FileChange("", "")
                self._names(change)
                self._hunks(change)
                yield change
            elif line.startswith(("diff --cc ", "diff --combined ", "@@@ ")):
                raise self._refuse("it is a combined diff of a merge")
            elif line.startswith(("@@ ", "+++ ")) or (started and not self._is_separator(line)):
                raise self._refuse(f"{line[:60]!r} belongs to no file")
            else:
                started = started and not line.startswith("-- ")
                self._at += 1

    def _is_separator(self, line: str) -> bool:
        # an e-mailed patch ends with its version; another may follow, with a header of its own
        return line.rstrip("\r") in _SEPARATORS or line.startswith(("Index: ", "====", "diff "))

    def _next(self) -> str:
        return self._lines[self._at + 1] if self._at + 1 < len(self._lines) else ""

    def _refuse(self, what: str) -> InvalidRequest:
        return _unreadable(what, self._at + 1)

    def _git_file(self) -> FileChange:
        header = self._lines[self._at].rstrip("\r")
        old, new = _paths_of_header(header[len("diff --git ") :])
        change = FileChange(old, new)
        self._at += 1
        while self._at < len(self._lines) and self._extended(change):
            self._at += 1
        if not change.path:
            raise self._refuse("a file header names no file")
        line = self._lines[self._at] if self._at < len(self._lines) else ""
        if line.startswith("--- "):
            self._names(change)
            self._hunks(change)
        elif line.startswith("GIT binary patch"):
            change.binary = True
            self._skip_binary()
        elif line.startswith("@@ "):
            raise self._refuse("a hunk comes before the file names")
        return change

    def _extended(self, change: FileChange) -> bool:
        """Read one header line of git's; False when it is none."""
        line = self._lines[self._at].rstrip("\r")
        if line.startswith("new file mode "):
            change.old_path, change.new_mode = "", line[14:]
        elif line.startswith("deleted file mode "):
            change.new_path, change.old_mode = "", line[18:]
        elif line.startswith(("rename from ", "copy from ")):
            change.old_path = _unquote(line.split(" ", 2)[2])
            change.renamed = line.startswith("rename")
        elif line.startswith(("rename to ", "copy to ")):
            change.new_path = _unquote(line.split(" ", 2)[2])
        elif line.startswith("old mode "):
            change.old_mode = line[9:]
        elif line.startswith("new mode "):
            change.new_mode = line[9:]
        elif line.startswith("Binary files ") and line.endswith(" differ"):
            change.binary = True
        else:
            return line.startswith(_BETWEEN)
        return True

    def _skip_binary(self) -> None:
        self._at += 1
        while self._at < len(self._lines) and not self._lines[self._at].startswith("diff "):
            line = self._lines[self._at]
            if line.startswith(("@@ ", "--- ", "+++ ")):
                raise self._refuse("a hunk follows a binary patch")
            self._at += 1

    def _names(self, change: FileChange) -> None:
        old = _side(self._lines[self._at][4:], "a/")
        if not self._next().startswith("+++ "):
            raise self._refuse("`---` is not followed by `+++`")
        new = _side(self._next()[4:], "b/")
        if not old and not new:
            raise self._refuse("both sides of a file are /dev/null")
        change.old_path, change.new_path = old, new
        self._at += 2

    def _hunks(self, change: FileChange) -> None:
        while self._at < len(self._lines) and self._lines[self._at].startswith("@@ "):
            change.hunks.append(self._hunk())
        if not change.hunks:
            raise self._refuse(f"{change.path} has no hunk")

    def _hunk(self) -> Hunk:
        match = _HUNK.match(self._lines[self._at])
        if match is None:
            raise self._refuse("a hunk header is malformed")
        old_start, old_count, new_start, new_count, heading = match.groups()
        old, new = int(old_count or "1"), int(new_count or "1")
        first = self._at
        self._at += 1
        tags: list[str] = []
        texts: list[str] = []
        lines, count = self._lines, len(self._lines)
        while old > 0 or new > 0:
            if self._at >= count:
                raise _unreadable("it ends inside of a hunk", first + 1)
            line = lines[self._at]
            # an editor that trims line ends leaves nothing of an empty line of context
            tag = line[:1] or " "
            if tag == "\r":
                tag, line = " ", " " + line
            if tag == "+":
                new -= 1
            elif tag == "-":
                old -= 1
            elif tag == " ":
                old -= 1
                new -= 1
            elif tag != "\\":
                raise self._refuse(f"{line[:60]!r} is not a line of a hunk")
            if old < 0 or new < 0:
                raise self._refuse("a hunk is longer than its header says")
            if tag != "\\":
                tags.append(tag)
                texts.append(line[1:-1] if line.endswith("\r") else line[1:])
            self._at += 1
        self._after_hunk()
        return Hunk(int(old_start), int(new_start), heading, "".join(tags), tuple(texts))

    def _after_hunk(self) -> None:
        if self._at < len(self._lines) and self._lines[self._at].startswith("\\"):
            self._at += 1
        if self._at >= len(self._lines):
            return
        line = self._lines[self._at].rstrip("\r")
        wanted = line.startswith(("@@ ", "diff ", "--- ", "Index: ", "From ", "===="))
        if not wanted and line not in _SEPARATORS:
            raise self._refuse("a hunk is longer than its header says")


def _paths_of_header(text: str) -> tuple[str, str]:
    """The two paths of `diff --git a/x b/x`; only the last resort, as spaces make it ambiguous."""
    if text.startswith('"'):
        end = text.find('" ', 1)
        return _side(text[: end + 1], "a/"), _side(text[end + 2 :], "b/")
    half = len(text) // 2
    if text[half : half + 1] == " " and text[2:half] == text[half + 3 :]:
        return _side(text[:half], "a/"), _side(text[half + 1 :], "b/")
    old, _, new = text.partition(" b/")
    return _side(old, "a/"), new


def _side(text: str, prefix: str) -> str:
    path = _unquote(_STAMP.sub("", text.rstrip("\r")) if not text.startswith('"') else text)
    if path == "/dev/null":
        return ""
    return path.removeprefix(prefix)


def _unquote(text: str) -> str:
    """A path as git quotes it, in double quotes with octal bytes."""
    text = text.rstrip("\r")
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    out = bytearray()
    at = 0
    body = text[1:-1]
    for match in _ESCAPE.finditer(body):
        out += body[at : match.start()].encode()
        code = match[1]
        out.append(_ESCAPED[code] if code in _ESCAPED else int(code, 8) & 255)
        at = match.end()
    out += body[at:].encode()
    return out.decode("utf-8", "replace")
