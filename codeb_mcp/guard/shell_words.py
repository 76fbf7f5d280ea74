"""The words and operators of a shell script, quotes and escapes resolved."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

DEEPEST = 12
"""How deep substitutions within substitutions are followed."""

_PLAIN = re.compile(r"[^\s|&;()<>\"'`$\\#]+")
_SPACE = re.compile(r"(?:[ \t\r]|\\\r?\n)+")
_OPERATOR = re.compile(r"&&|\|\||;;&?|;&|\|&|[;|&()]")
_REDIRECT = re.compile(r"(?:\d{0,3}|&)(?:<<<|<<-?|>>|>&|<&|>\||<>|>|<)")
_ANSI = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))", re.S)
_ANSI_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "", "e": ""}
_DOUBLE_PART = re.compile(r"[^\"\\`$]+")
_HEREDOC = re.compile(r"[ \t]*(['\"\\]?)([\w.-]{1,80})['\"]?")


@dataclass(slots=True)
class Token:
    """A word, an operator or a newline. `line` counts from 0.

    `inner` holds the scripts of the word's substitutions; `quoted` is true when any part of it
    was in quotes.
    """

    kind: str
    value: str
    line: int
    quoted: bool = False
    inner: list[tuple[str, int]] = field(default_factory=list)


def tokens(text: str) -> Iterator[Token]:
    """The tokens of `text`. Never fails: what cannot be closed ends with the text."""
    return _Lexer(text).run()


class _Lexer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 0
        self._heredocs: list[tuple[str, Token | None]] = []

    def run(self) -> Iterator[Token]:
        """Token after token."""
        text, size = self._text, len(self._text)
        while self._at < size:
            if match := _SPACE.match(text, self._at):
                self._go(match.end())
                continue
            char = text[self._at]
            if char == "\n":
                yield Token("newline", "\n", self._line)
                self._go(self._at + 1)
                self._skip_heredocs()
            elif char == "#":
                end = text.find("\n", self._at)
                self._at = size if end < 0 else end
            elif match := _REDIRECT.match(text, self._at):
                yield from self._redirect(match)
            elif match := _OPERATOR.match(text, self._at):
                yield Token("operator", match.group(), self._line)
                self._at = match.end()
            else:
                yield self._word()

    def _go(self, end: int) -> None:
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _redirect(self, match: re.Match[str]) -> Iterator[Token]:
        operator = match.group().lstrip("0123456789&")
        if operator == "<" and self._text.startswith("(", match.end()):
            yield self._process_substitution(match.end())
            return
        if operator == ">" and self._text.startswith("(", match.end()):
            yield self._process_substitution(match.end())
            return
        line = self._line
        self._at = match.end()
        if operator in ("<<", "<<-"):
            if found := _HEREDOC.match(self._text, self._at):
                self._at = found.end()
                token = Token("heredoc", found[2], line)
                self._heredocs.append((found[2], token))
                yield token
            return
        if space := _SPACE.match(self._text, self._at):
            self._go(space.end())
        target = self._word() if self._starts_word() else None
        kind = "string" if operator == "<<<" else "redirect"
        yield Token(kind, f"{operator}{target.value if target else ''}", line)

    def _starts_word(self) -> bool:
        return self._at < len(self._text) and self._text[self._at] not in "\n;|()"

    def _process_substitution(self, at: int) -> Token:
        line = self._line
        body, end = self._balanced(at + 1)
        token = Token("word", "<(" + body[:200] + ")", line, inner=[(body, line)])
        self._go(end)
        return token

    def _skip_heredocs(self) -> None:
        for word, token in self._heredocs:
            body: list[str] = []
            first = self._line
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = len(self._text) if end < 0 else end
                line = self._text[self._at : end]
                self._go(min(end + 1, len(self._text)))
                if line.strip() == word:
                    break
                body.append(line)
            if token is not None:
                token.inner.append(("\n".join(body), first))
        self._heredocs = []

    def _word(self) -> Token:
        text, size = self._text, len(self._text)
        token = Token("word", "", self._line)
        parts: list[str] = []
        while self._at < size:
            if match := _PLAIN.match(text, self._at):
                parts.append(match.group())
                self._at = match.end()
                continue
            char = text[self._at]
            if char == "#" and parts:
                parts.append(char)
                self._at += 1
            elif char in "\"'`$\\":
                if not self._special(char, token, parts):
                    break
            elif char == "(" and parts and parts[-1][-1:] in "=@?*+!":
                # an array or an extended pattern
                body, end = self._balanced(self._at + 1)
                parts.append(f"({body})")
                self._go(end)
            else:
                break
        if not parts and not token.quoted and self._at < size:
            parts.append(text[self._at])
            self._at += 1
        token.value = "".join(parts)
        return token

    def _special(self, char: str, token: Token, parts: list[str]) -> bool:
        text = self._text
        if char == "\\":
            if text.startswith("\n", self._at + 1):
                self._go(self._at + 2)
                return True
            parts.append(text[self._at + 1 : self._at + 2])
            self._at += 2
        elif char == "'":
            token.quoted = True
            end = text.find("'", self._at + 1)
            end = len(text) if end < 0 else end
            parts.append(text[self._at + 1 : end])
            self._go(min(end + 1, len(text)))
        elif char == '"':
            token.quoted = True
            self._double(token, parts)
        elif char == "`":
            end = text.find("`", self._at + 1)
            end = len(text) if end < 0 else end
            token.inner.append((text[self._at + 1 : end], self._line))
            parts.append("$(…)")
            self._go(min(end + 1, len(text)))
        else:
            self._dollar(token, parts)
        return True

    def _dollar(self, token: Token, parts: list[str]) -> None:
        text = self._text
        if text.startswith("$'", self._at):
            token.quoted = True
            end = self._at + 2
            while end < len(text) and text[end] != "'":
                end += 2 if text[end] == "\\" else 1
            parts.append(_ANSI.sub(_ansi, text[self._at + 2 : end]))
            self._go(min(end + 1, len(text)))
        elif text.startswith("$(", self._at):
            body, end = self._balanced(self._at + 2)
            token.inner.append((body, self._line))
            parts.append("$(…)")
            self._go(end)
        elif text.startswith("${", self._at):
            close = text.find("}", self._at)
            close = len(text) if close < 0 else close + 1
            parts.append(text[self._at : close])
            self._go(close)
        else:
            parts.append("$")
            self._at += 1

    def _double(self, token: Token, parts: list[str]) -> None:
        text, size = self._text, len(self._text)
        self._at += 1
        while self._at < size and text[self._at] != '"':
            if match := _DOUBLE_PART.match(text, self._at):
                parts.append(match.group())
                self._go(match.end())
            elif text[self._at] == "\\":
                following = text[self._at + 1 : self._at + 2]
                parts.append(following if following in '"\\$`' else f"\\{following}")
                if following == "\n":
                    parts[-1] = ""
                self._go(min(self._at + 2, size))
            elif text[self._at] == "`":
                end = text.find("`", self._at + 1)
                end = size if end < 0 else end
                token.inner.append((text[self._at + 1 : end], self._line))
                parts.append("$(…)")
                self._go(min(end + 1, size))
            else:
                self._dollar(token, parts)
        self._at = min(self._at + 1, size)

    def _balanced(self, at: int) -> tuple[str, int]:
        """The text up to the closing parenthesis, and where it ends."""
        text, size = self._text, len(self._text)
        depth = 1
        start = at
        while at < size:
            char = text[at]
            if char == "\\":
                at += 1
            elif char == "'":
                end = text.find("'", at + 1)
                at = size if end < 0 else end
            elif char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
                if depth == 0:
                    return text[start:at], at + 1
            at += 1
        return text[start:], size


def _ansi(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    if match[2]:
        return chr(int(match[2], 8) & 255)
    return _ANSI_LETTERS.get(match[3], match[3])
