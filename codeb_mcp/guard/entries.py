"""Configuration as flat entries: a path of keys, a value, a line. Tolerant of fragments.

YAML, JSON, the object literals of JavaScript, TOML and INI are read alike, so that one rule about
`compilerOptions.strict` or `coverage.fail_under` serves all of them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from codeb_mcp.guard.places import Language
from codeb_mcp.guard.sides import Side

ITEM = "-"
"""The key of an item of a list."""

_YAML_KEY = re.compile(
    r"""((?:"[^"\n]{1,200}"|'[^'\n]{1,200}'|[^\s:#"'\[\]{},&*!|>%@`-][^:#\n]{0,200}?|-?[\w.$/*@-]+))\s*:(?:\s+(.*)|$)"""
)
_BLOCK = re.compile(r"[|>][+-]?\d?[+-]?\s*(?:#.*)?$")
_TOKEN = re.compile(
    r""""(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`\n]*`|[{}\[\](),;:]|\.\.\.|-?\d[\w.]*|[A-Za-z_$@][\w$.-]*|=>|[^\s\w]"""
)
_SECTION = re.compile(r"\s*\[\[?\s*([^\]\n]+?)\s*\]\]?\s*$")
_INI_KEY = re.compile(
    r"""\s*((?:[\w.*/@$%{}+-]|"[^"\n]*"|'[^'\n]*')[\w.*/ @$%{}"':,+-]{0,120}?)\s*[=:]\s*(.*)$"""
)
_ITEM_TEXT = re.compile(r""""(?:\\.|[^"\\\n])*"|'[^'\n]*'|[^\s,\[\]{}]+""")


@dataclass(frozen=True, slots=True)
class Entry:
    """One value. `path` holds the keys to it, `index` its line in the side, `item` the line at
    which the list item that it belongs to begins. `block` is true for a YAML block of text, whose
    `value` is its text and whose `index` is the first line of that text."""

    path: tuple[str, ...]
    value: str
    index: int
    item: int = -1
    block: bool = False

    @property
    def key(self) -> str:
        """The path in one string, without the marks of list items."""
        return ".".join(part for part in self.path if part != ITEM)

    @property
    def last(self) -> str:
        """The last key that is not a list item's."""
        for part in reversed(self.path):
            if part != ITEM:
                return part
        return ""


def entries(side: Side) -> list[Entry]:
    """The entries of a side, in order; none for a language that is not configuration."""
    match side.place.language:
        case Language.YAML:
            return list(_yaml(side))
        case Language.JSON | Language.JS:
            return list(_objects(side))
        case Language.TOML | Language.INI | Language.UNIT | Language.HCL:
            return list(_sections(side))
        case _:
            return []


def unquoted(text: str) -> str:
    """`text` without the quotes around it."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'`":
        return text[1:-1]
    return text


def _yaml(side: Side) -> Iterator[Entry]:
    live = side.live_lines()
    stack: list[tuple[int, str]] = []
    heading = side.heading.strip()
    if heading.endswith(":") and side.heading[:1] not in " -":
        stack.append((-1, heading[:-1].strip("\"' ")))
    item = -1
    at = 0
    while at < len(live):
        line = live[at].rstrip()
        body = line.lstrip()
        if not body or body in ("---", "..."):
            at += 1
            continue
        indent = len(line) - len(body)
        while (
            stack
            and stack[-1][0] >= indent
            and not (body.startswith("- ") and stack[-1][0] == indent and stack[-1][1] != ITEM)
        ):
            stack.pop()
        while body.startswith("- ") or body == "-":
            stack.append((indent, ITEM))
            item = at
            rest = body[1:].lstrip()
            indent += len(body) - len(rest)
            body = rest
        match = _YAML_KEY.match(body)
        if match is None:
            if _BLOCK.match(body) and stack and stack[-1][1] == ITEM:
                end = _block_end(side.lines, at + 1, stack[-1][0])
                text = "\n".join(side.lines[at + 1 : end])
                yield Entry(tuple(k for _, k in stack), text, at + 1, item, block=True)
                at = end
                continue
            if body:
                yield from _values(tuple(k for _, k in stack), body, at, item)
            at += 1
            continue
        key, value = match[1].strip("\"'"), (match[2] or "").strip()
        stack.append((indent, key))
        path = tuple(k for _, k in stack)
        if _BLOCK.match(value):
            end = _block_end(side.lines, at + 1, indent)
            yield Entry(path, "\n".join(side.lines[at + 1 : end]), at + 1, item, block=True)
            at = end
            continue
        if (value and not value.startswith(("&", "*"))) or value:
            yield from _values(path, value, at, item)
        else:
            yield Entry(path, "", at, item)
        at += 1


def _block_end(lines: list[str], at: int, indent: int) -> int:
    while at < len(lines):
        text = lines[at]
        if text.strip() and len(text) - len(text.lstrip()) <= indent:
            break
        at += 1
    return at


def _values(path: tuple[str, ...], text: str, index: int, item: int) -> Iterator[Entry]:
    if text.startswith("[") or (text.startswith("{") and not text.startswith("{{")):
        for found in _ITEM_TEXT.finditer(text):
            yield Entry((*path, ITEM), unquoted(found.group()), index, item)
        if text.startswith("{"):
            yield from _inline(path, text, index, item)
        return
    yield Entry(path, unquoted(text), index, item)


def _inline(path: tuple[str, ...], text: str, index: int, item: int) -> Iterator[Entry]:
    for part in text.strip("{} ").split(","):
        key, colon, value = part.partition(":")
        if not colon:
            key, colon, value = part.partition("=")
        if colon and value.strip():
            yield Entry((*path, unquoted(key)), unquoted(value.strip(" {}")), index, item)


def _objects(side: Side) -> Iterator[Entry]:
    """JSON and object literals, by brackets."""
    stack: list[str] = []
    opened: list[str] = []
    key = ""
    last = ""
    for index, line in enumerate(side.live_lines()):
        for match in _TOKEN.finditer(line):
            piece = match.group()
            if piece in "{[(" and len(piece) == 1:
                stack.append(key or (ITEM if opened and opened[-1] == "[" else ""))
                opened.append(piece)
                key, last = "", ""
            elif piece in ("}", "]", ")"):
                if opened:
                    opened.pop()
                    stack.pop()
                key, last = "", ""
            elif piece == ":":
                if last:
                    key = unquoted(last)
                    last = ""
            elif piece in (",", ";"):
                key, last = "", ""
            elif key and not last:
                last = piece
                path = tuple(part for part in stack if part)
                yield Entry((*path, key), unquoted(piece), index, -1)
            else:
                in_list = bool(opened) and opened[-1] == "["
                if (in_list or not opened) and not key and not last and piece[0] in "\"'`":
                    path = tuple(part for part in stack if part)
                    rest = line[match.end() :].lstrip()
                    if not rest.startswith(":"):
                        yield Entry((*path, ITEM), unquoted(piece), index, -1)
                last = piece


def _sections(side: Side) -> Iterator[Entry]:
    """TOML, INI, systemd units and HCL: sections, keys, values over several lines."""
    section: tuple[str, ...] = ()
    key = ""
    key_indent = 0
    depth = 0
    heading = side.heading.strip()
    if match := _SECTION.match(heading):
        section = _dotted(match[1])
    elif match := _INI_KEY.match(heading):
        key = match[1]
        depth = max(0, match[2].count("[") - match[2].count("]"))
    for index, line in enumerate(side.live_lines()):
        text = line.strip()
        if not text:
            continue
        indent = len(line) - len(line.lstrip())
        if depth > 0:
            yield from _list_items((*section, key, ITEM), text, index)
            depth = max(0, depth + _brackets(text))
            continue
        if (match := _SECTION.match(line)) and "=" not in text:
            section, key = _dotted(match[1]), ""
            continue
        if side.place.language is Language.HCL and text.endswith("{"):
            section = (*section, text.split()[0].strip('"'))
            continue
        if side.place.language is Language.HCL and text == "}":
            section = section[:-1]
            continue
        if key and indent > key_indent and side.place.language is Language.INI:
            yield from _list_items((*section, key, ITEM), text, index)
            continue
        match = _INI_KEY.match(line)
        if match is None:
            yield from _list_items((*section, *([key] if key else []), ITEM), text, index)
            depth = max(0, _brackets(text))
            continue
        key, value = match[1].strip("\"' "), match[2].strip()
        key_indent = indent
        path = (*section, *_dotted(key))
        depth = max(0, _brackets(value)) if side.place.language is not Language.INI else 0
        if value.startswith("[") and side.place.language is not Language.INI:
            yield from _list_items((*path, ITEM), value, index)
        elif value.startswith("{"):
            yield from _inline(path, value, index, -1)
        else:
            yield Entry(path, unquoted(value), index)
            if side.place.language is Language.INI and "," in value:
                yield from _list_items((*path, ITEM), value, index)


def _brackets(text: str) -> int:
    return text.count("[") - text.count("]")


def _dotted(text: str) -> tuple[str, ...]:
    if text.startswith(('"', "'")):
        return (text.strip("\"'"),)
    return tuple(part.strip("\"' ") for part in text.split(".") if part.strip("\"' "))


def _list_items(path: tuple[str, ...], text: str, index: int) -> Iterator[Entry]:
    for found in _ITEM_TEXT.finditer(text):
        value = unquoted(found.group())
        if value and value != "=":
            yield Entry(path, value, index)
