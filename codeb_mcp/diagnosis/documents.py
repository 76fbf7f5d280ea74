"""Reports inside a log: the JSON or XML document that a line belongs to, whole or torn."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from codeb_mcp.diagnosis.lines import read_line
from codeb_mcp.diagnosis.rules import Sighting

LONGEST_DOCUMENT = 4 * 1024 * 1024
MOST_LINES = 20_000
DEEPEST = 100

_TOKEN = re.compile(r"\"(?:[^\"\\]|\\.)*\"|[{}\[\],]")
_BEGINS = re.compile(r"[\[{](?:\s*$|\s*[\"{\[])")
_ONE_LINE = re.compile(r"[\[{]\s*[\[{\"]")
_XML_ROOT = re.compile(
    r"<(?P<root>testsuites?|checkstyle|pmd|pmd-cpd|issues|lint|results|test-run|TestRun|assemblies)\b(?![^>]*/>)"
)
_CLOSING = {"{": "}", "[": "]"}


@dataclass(frozen=True, slots=True)
class Document:
    """A value, and the lines of the log that it was written on."""

    value: Any
    first: int
    last: int


def json_document(sighting: Sighting) -> Document | None:
    """The JSON document around the line. Of a torn one what can be read."""
    number = sighting.line.number
    here = _text(sighting, number)
    if found := _ONE_LINE.search(here[:2_000]):
        value = _decoded(here[found.start() :], torn=False)
        if value is not None:
            return Document(value, number, number)
    first = _first_line(sighting)
    if first is None:
        return None
    lines, last = _lines(sighting, first, lambda text: text.startswith(("}", "]")))
    text = "\n".join(lines)
    value = _decoded(text[_begin(text) :], torn=True)
    return None if value is None else Document(value, first, last)


def xml_document(sighting: Sighting) -> Document | None:
    """The XML document around the line, as the elements that came whole."""
    window, number = sighting.window, sighting.line.number
    lowest = max(window.first, window.passed.get(sighting.line.stream, 0) + 1, number - MOST_LINES)
    root, first = None, number
    for at in range(number, lowest - 1, -1):
        found = _XML_ROOT.search(window.line(at).text)
        if found:
            root, first = found, at
        elif root and "<" in window.line(at).text:
            break
    if root is None:
        window.passed[sighting.line.stream] = number
        return None
    end = f"</{root['root']}>"
    lines, last = _lines(sighting, first, lambda text: end in text)
    source = "\n".join(lines)
    begin = source.find(f"<{root['root']}")
    finish = source.rfind(end)
    source = source[begin : finish + len(end) if finish >= 0 else None]
    return Document(_elements(source), first, last)


def _elements(source: str) -> ElementTree.Element | None:
    """The root with all that came before a tear. Documents that declare entities are refused."""
    if "<!DOCTYPE" in source or "<!ENTITY" in source:
        return None
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    with suppress(expat.ExpatError):
        parser.Parse(source, True)
    return _torn(builder)


def _torn(builder: ElementTree.TreeBuilder) -> ElementTree.Element | None:
    """What was built, to the end or to a tear: elements still open are closed as they are."""
    for _ in range(DEEPEST):
        try:
            return builder.close()
        except AssertionError:
            builder.end("")
    return None


def _first_line(sighting: Sighting) -> int | None:
    """The nearest line above that begins a document at its margin."""
    window, stream, number = sighting.window, sighting.line.stream, sighting.line.number
    lowest = max(window.first, window.passed.get(stream, 0) + 1, number - MOST_LINES)
    for at in range(number, lowest - 1, -1):
        line = window.line(at)
        if line.stream == stream and _BEGINS.match(line.text):
            return at
    # what was searched in vain is not searched again
    window.passed[stream] = max(window.passed.get(stream, 0), number)
    return None


def _lines(sighting: Sighting, first: int, ends: Callable[[str], bool]) -> tuple[list[str], int]:
    """The lines from `first` to the one that ends the document, and the number of that one."""
    lines: list[str] = []
    size = 0
    for number, text in _texts(sighting, first):
        lines.append(text)
        size += len(text)
        if ends(text) or size > LONGEST_DOCUMENT:
            return lines, number
    return lines, first + len(lines) - 1


def _texts(sighting: Sighting, first: int) -> Iterator[tuple[int, str]]:
    window = sighting.window
    until = min(window.first + len(window), first + MOST_LINES)
    for number in range(first, until):
        if window.line(number).stream == sighting.line.stream:
            yield number, _text(sighting, number)


def _text(sighting: Sighting, number: int) -> str:
    raw = sighting.window.whole(number)
    if len(raw) < 4_000:
        return sighting.window.line(number).text
    return read_line(raw, number, LONGEST_DOCUMENT).text


def _begin(text: str) -> int:
    found = _BEGINS.search(text)
    return found.start() if found else 0


def _decoded(text: str, *, torn: bool) -> Any:
    try:
        return json.JSONDecoder(strict=False).raw_decode(text)[0]
    except json.JSONDecodeError as error:
        return _mended(text, error.pos) if torn else None
    except RecursionError:
        return None


def _mended(text: str, until: int) -> Any:
    """What stands before `until`, cut behind the last whole value and closed."""
    stack: list[str] = []
    cut, open_then = 0, ""
    for found in _TOKEN.finditer(text, 0, until):
        mark = found[0]
        if mark in _CLOSING:
            stack.append(_CLOSING[mark])
        elif mark in "}]":
            if not stack or stack.pop() != mark:
                break
            cut, open_then = found.end(), "".join(reversed(stack))
        elif mark == ",":
            cut, open_then = found.start(), "".join(reversed(stack))
    if not cut:
        return None
    try:
        return json.JSONDecoder(strict=False).raw_decode(text[:cut] + open_then)[0]
    except (ValueError, RecursionError):
        return None
