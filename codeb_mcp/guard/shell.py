"""A shell script as lists of commands: tolerant of fragments, never of the shell's disguises."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from codeb_mcp.guard.shell_words import DEEPEST, Token, tokens

DEEPEST_GROUP = 100
"""Groups within groups that are told apart; the commands of deeper ones belong to the last."""

_OPENERS = {
    "if": "fi",
    "while": "done",
    "until": "done",
    "for": "done",
    "select": "done",
    "case": "esac",
    "{": "}",
}
_CLOSERS = frozenset(("fi", "done", "esac", "}"))
_SEPARATING = frozenset(("then", "do", "else", "elif"))
_CONDITIONS = frozenset(("if", "while", "until", "elif"))
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w{0,80})\+?=(.*)", re.S)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w{0,80})(?::?-([^}]{0,200}))?\}|([A-Za-z_]\w{0,80}))")
_SAYS = re.compile(r"\s*(?:echo|printf)(?: -\w+)? ([\"']?)([\w./-]{1,80})\1\s*")
"""A substitution that only says a word."""
_PREFIXES = frozenset(
    (
        "sudo",
        "env",
        "exec",
        "command",
        "builtin",
        "time",
        "nice",
        "nohup",
        "doas",
        "then",
        "do",
        "stdbuf",
        "ionice",
        "setsid",
        "xvfb-run",
        "dotenv",
        "cross-env",
        "chronic",
        "else",
        "!",
    )
)
_SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh", "ash"))
_DURATION = re.compile(r"-\S*|\d+(?:\.\d+)?[smhd]?")


@dataclass(slots=True)
class Command:
    """A simple command: its assignments, its words (prefixes such as sudo gone), its line."""

    words: tuple[str, ...]
    line: int
    assignments: tuple[tuple[str, str], ...] = ()
    redirects: tuple[str, ...] = ()
    heredoc: str = ""
    prefixes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The program, without its folder."""
        return self.words[0].rsplit("/", 1)[-1] if self.words else ""


@dataclass(slots=True)
class Group:
    """A compound command: `(`, `{`, `if`, `while`, `until`, `for` or `case`."""

    kind: str
    line: int
    items: list["Item"] = field(default_factory=list)


@dataclass(slots=True)
class Item:
    """A command in its list. `before` is the operator that joins it to the one before.

    `after` is what ends it. `negated` is true after `!`, `tested` when it is a condition, and
    `branch` names the part of an `if` that it stands in.
    """

    node: Command | Group
    before: str
    after: str = ""
    negated: bool = False
    tested: bool = False
    branch: int = 0


@dataclass(slots=True)
class Script:
    """A parsed script. `inner` are those of its substitutions and of `sh -c`, as (kind, script)."""

    items: list[Item]
    inner: list[tuple[str, "Script"]]

    def lists(self) -> Iterator[tuple[str, list[Item]]]:
        """Every list of items with its kind: `script`, `substitution`, `sh -c`, or a group's."""
        yield "script", self.items
        yield from _group_lists(self.items)
        for kind, script in self.inner:
            for nested, items in script.lists():
                yield (kind if nested == "script" else nested), items

    def commands(self) -> Iterator[Command]:
        """Every simple command, nested ones too."""
        for _, items in self.lists():
            for item in items:
                if isinstance(item.node, Command):
                    yield item.node


def _group_lists(items: list[Item]) -> Iterator[tuple[str, list[Item]]]:
    for item in items:
        if isinstance(item.node, Group):
            yield item.node.kind, item.node.items
            yield from _group_lists(item.node.items)


def commands_of(items: Sequence[Item]) -> list[Command]:
    """The simple commands of some items, those of their groups too."""
    out: list[Command] = []
    for item in items:
        if isinstance(item.node, Command):
            out.append(item.node)
        else:
            out += commands_of(item.node.items)
    return out


def parse_script(
    text: str, line: int = 0, depth: int = 0, known: dict[str, str] | None = None
) -> Script:
    """`text` as a script whose first line is number `line`. Never fails."""
    return _Parser(line, depth, {} if known is None else dict(known)).parse(text)


class _Parser:
    def __init__(self, line: int, depth: int, variables: dict[str, str]) -> None:
        self._base = line
        self._depth = depth
        self._variables = variables
        self._inner: list[tuple[str, Script]] = []
        self._stack: list[Group] = [Group("script", line)]
        self._words: list[Token] = []
        self._other: list[Token] = []
        self._before = ""
        self._negated = False
        self._tested: list[bool] = [False]
        self._branch: list[int] = [0]
        self._raw_until = ""

    def parse(self, text: str) -> Script:
        """The script."""
        for token in tokens(text):
            if self._raw_until:
                self._words.append(token)
                if token.value == self._raw_until:
                    self._raw_until = ""
            elif token.kind in ("newline", "operator"):
                self._operator(token)
            elif token.kind == "word":
                self._word(token)
            else:
                self._other.append(token)
            if self._raw_until == "]]" and token.kind == "newline":
                self._raw_until = ""
        self._finish("")
        while len(self._stack) > 1:
            self._close()
        return Script(self._stack[0].items, self._inner)

    def _word(self, token: Token) -> None:
        value = token.value
        if self._words or token.quoted:
            self._words.append(token)
            return
        if value == "!":
            self._negated = True
        elif value in _OPENERS:
            self._open(value, token.line)
        elif value in _CLOSERS:
            self._finish(";")
            if len(self._stack) > 1:
                self._close()
            else:
                # the fragment begins inside of it
                self._push(Group("unknown", self._base + token.line))
        elif value in _SEPARATING:
            self._tested[-1] = value == "elif"
            self._branch[-1] += 1
            self._before = ""
        else:
            if value == "[[":
                self._raw_until = "]]"
            self._words.append(token)

    def _open(self, kind: str, line: int) -> None:
        if len(self._stack) > DEEPEST_GROUP:
            return
        self._stack.append(Group(kind, self._base + line))
        self._stack[-1].items = []
        self._pending().append((self._before, self._negated))
        self._tested.append(kind in _CONDITIONS)
        self._branch.append(0)
        self._before, self._negated = "", False

    def _pending(self) -> list[tuple[str, bool]]:
        if not hasattr(self, "_opened"):
            self._opened: list[tuple[str, bool]] = []
        return self._opened

    def _close(self) -> None:
        group = self._stack.pop()
        self._tested.pop()
        self._branch.pop()
        opened = self._pending()
        self._before, self._negated = opened.pop() if opened else ("", False)
        self._push(group)

    def _push(self, node: Command | Group) -> None:
        self._stack[-1].items.append(
            Item(node, self._before, "", self._negated, self._tested[-1], self._branch[-1])
        )
        self._before, self._negated = "", False

    def _operator(self, token: Token) -> None:
        value = token.value
        if value == "(":
            if self._words and len(self._words) == 1 and not self._words[0].quoted:
                # the head of a function: `name()`
                self._words = []
            elif self._words:
                self._words.append(token)
                return
            else:
                self._open("(", token.line)
            return
        self._finish(value)
        if value == ")":
            if any(group.kind == "(" for group in self._stack):
                while self._stack[-1].kind != "(":
                    self._close()
                self._close()
            elif self._stack[-1].items and self._stack[-1].kind == "case":
                # the pattern of a case is no command
                self._stack[-1].items.pop()
            return
        self._before = (
            value
            if value in ("||", "&&", "|", "|&")
            else (self._before if value == "\n" and self._before and not self._ended else "")
        )

    @property
    def _ended(self) -> bool:
        return bool(self._just_finished)

    def _finish(self, operator: str) -> None:
        self._just_finished = bool(self._words or self._other)
        if self._words or self._other:
            self._push(self._command())
            self._words, self._other = [], []
        items = self._stack[-1].items
        if items and not items[-1].after and operator:
            items[-1].after = operator

    def _command(self) -> Command:
        line = self._base + (self._words[0].line if self._words else self._other[0].line)
        values = [self._expanded(token) for token in self._words]
        redirects = tuple(t.value for t in self._other if t.kind == "redirect")
        heredoc = "\n".join(b for t in self._other if t.kind == "heredoc" for b, _ in t.inner)
        assignments, prefixes, words = split_prefixes(values)
        if assignments and not words:
            self._variables.update(dict(assignments))
        if words and words[0] in ("export", "local", "readonly", "declare", "typeset"):
            found = [(m[1], m[2]) for w in words[1:] if (m := _ASSIGNMENT.fullmatch(w))]
            self._variables.update(found)
            assignments = (*assignments, *found)
        command = Command(words, line, assignments, redirects, heredoc, prefixes)
        self._descend(command)
        return command

    def _expanded(self, token: Token) -> str:
        if self._depth < DEEPEST:
            for body, line in token.inner:
                self._nest("substitution", body, line)
        value = token.value
        if "$" not in value:
            return value
        for body, _ in token.inner:
            if said := _SAYS.fullmatch(body):
                value = value.replace("$(…)", said[2], 1)
        return _VARIABLE.sub(self._value, value)

    def _value(self, match: re.Match[str]) -> str:
        name = match[1] or match[3]
        value = self._variables.get(name, match[2])
        return match[0] if value is None or len(value) > 200 else value

    def _descend(self, command: Command) -> None:
        """Into what the command itself runs as a script."""
        if self._depth >= DEEPEST:
            return
        words = command.words
        line = command.line - self._base
        if command.name == "eval":
            self._nest("sh -c", " ".join(words[1:]), line)
        elif command.name == "trap" and len(words) > 2:
            self._nest("trap", words[1], line)
        elif command.name in ("ssh", "su", "runuser", "watch") and len(words) > 2:
            self._nest("sh -c", words[-1], line)
        for at, word in enumerate(words[:-2]):
            if word.rsplit("/", 1)[-1] in _SHELLS and re.fullmatch(r"-[a-z]*c", words[at + 1]):
                self._nest("sh -c", words[at + 2], line)
            elif word.rsplit("/", 1)[-1] in _SHELLS and len(words) > at + 3:
                for flag in range(at + 1, min(at + 5, len(words) - 1)):
                    if re.fullmatch(r"-[a-z]*c", words[flag]):
                        self._nest("sh -c", words[flag + 1], line)
                        break
        if command.heredoc and (command.name in _SHELLS or command.name == "ssh"):
            self._nest("sh -c", command.heredoc, line)
        if command.heredoc and any(r.endswith((".sh", ".bash")) for r in command.redirects):
            self._nest("sh -c", command.heredoc, line)

    def _nest(self, kind: str, body: str, line: int) -> None:
        self._inner.append(
            (kind, parse_script(body, self._base + line, self._depth + 1, self._variables))
        )


def split_prefixes(
    values: list[str],
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]]:
    """Assignments, prefixes such as `sudo` and `timeout 5`, and the command's own words."""
    assignments: list[tuple[str, str]] = []
    prefixes: list[str] = []
    at = 0
    while at < len(values):
        word = values[at]
        base = word.rsplit("/", 1)[-1]
        if match := _ASSIGNMENT.fullmatch(word):
            assignments.append((match[1], match[2]))
        elif base in _PREFIXES and at + 1 < len(values):
            prefixes.append(base)
            while at + 1 < len(values) and values[at + 1].startswith("-") and base != "then":
                # options of the prefix; those with a value are rare enough
                if values[at + 1] in ("-u", "-g", "-n", "-C") and at + 2 < len(values):
                    at += 1
                at += 1
        elif base in ("timeout", "gtimeout") and at + 2 < len(values):
            prefixes.append(base)
            while at + 1 < len(values) and _DURATION.fullmatch(values[at + 1]):
                at += 1
        else:
            break
        at += 1
    return tuple(assignments), tuple(prefixes), tuple(values[at:])
