"""Records in reports, whatever tool wrote them: an object that says what is wrong, and where.

Tools agree on little but the words: a file is `file`, `path`, `filePath` or `uri`, perhaps one
level down in a `location`. So a report of a tool that nobody has named here is read as well.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DEEPEST = 40
_FILES = (
    *("file", "filePath", "file_path", "filename", "fileName", "file_name", "path", "uri"),
    *("File", "Target", "Filename", "moduleName", "source_path", "relativePath", "source", "name"),
)
_LINES = (
    *("line", "row", "startLine", "start_line", "StartLine", "line_start", "line_number", "Line"),
    *("lineNumber", "lineno", "begin", "beginLine", "beginline", "startLineNumber"),
)
_COLUMNS = (
    *("column", "col", "startColumn", "start_column", "StartColumn", "column_start", "character"),
    *("col_offset", "Column", "begincolumn", "startCharacter"),
)
_MESSAGES = (
    *("message", "msg", "text", "reason", "Message", "Text", "issue_text", "description"),
    *("Description", "title", "Title", "content", "check_name"),
)
_CODES = (
    *("ruleId", "rule", "rule_id", "RuleID", "check_id", "check_name", "cop_name", "test_id"),
    *("symbol", "code", "Code", "FromLinter", "linter", "identifier", "category", "source", "id"),
    *("message-id", "messageId", "name"),
)
_SEVERITIES = ("severity", "level", "Severity", "type", "issue_severity", "priority", "kind")
_WITHIN = (
    *("location", "loc", "locations", "physicalLocation", "artifactLocation", "region", "range"),
    *("start", "begin", "position", "positions", "lines", "Pos", "span", "spans", "extra"),
    *("CauseMetadata", "originalSource"),
)
_MILD = frozenset(
    (
        *("warning", "warn", "info", "information", "note", "hint", "style", "convention"),
        *("refactor", "minor", "notice", "help", "suggestion", "none"),
    )
)
_PATH = re.compile(r"[^\s:*?\"<>|]*[^\s/:*?\"<>|]\.\w{1,12}|\S*/\S+|\S*[A-Z]\w*file\S*")
_SPAN = re.compile(r"(\d{1,8}):(\d{1,8})")


@dataclass(frozen=True, slots=True)
class Record:
    """What one object of a report says."""

    message: str
    file: str | None
    line: int | None
    column: int | None
    code: str | None
    warning: bool


def records(value: Any, file: str | None = None, depth: int = 0) -> Iterator[Record]:
    """Every record in `value`; `file` is what the objects around it named."""
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from records(each, file, depth + 1)
    elif isinstance(value, dict):
        flat = _flat(value, 0)
        file = _file(flat) or file
        if made := _record(flat, file):
            yield made
            return
        for key, each in value.items():
            if isinstance(each, dict | list):
                path = key if "." in key and _PATH.fullmatch(key) else file
                yield from records(each, path, depth + 1)


def _flat(value: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """The object's own values, and those of the places within; the object's own win."""
    flat = {key: each for key, each in value.items() if not isinstance(each, list)}
    for key in _WITHIN:
        inner = value.get(key)
        if isinstance(inner, list):
            inner = _primary(inner)
        if isinstance(inner, dict) and depth < 5:
            for name, each in _flat(inner, depth + 1).items():
                if name not in flat or isinstance(flat[name], dict):
                    flat[name] = each
    return flat


def _primary(values: list[Any]) -> Any:
    several = [each for each in values if isinstance(each, dict)]
    return next(
        (each for each in several if each.get("is_primary")), several[0] if several else None
    )


def _record(flat: Mapping[str, Any], file: str | None) -> Record | None:
    message, code = _text(flat, _MESSAGES), _code(flat)
    line, column = _number(flat, _LINES), _number(flat, _COLUMNS)
    if line is None and isinstance(loc := flat.get("loc"), str) and (span := _SPAN.match(loc)):
        line, column = int(span[1]), int(span[2])
    if message is None or file is None or (line is None and code is None):
        return None
    return Record(message, file, line, column, code or None, _mild(flat))


def _file(flat: Mapping[str, Any]) -> str | None:
    for key in _FILES:
        text = flat.get(key)
        if isinstance(text, dict):
            text = next((text[each] for each in ("path", "file", "text") if each in text), None)
        if isinstance(text, str) and len(text) < 500 and _PATH.fullmatch(text):
            if key in {"source", "name"} and not re.search(r"\.\w{1,8}$", text):
                continue
            return text
    return None


def _text(flat: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        text = flat.get(key)
        if isinstance(text, dict):
            text = next((text[each] for each in ("text", "content", "body") if each in text), None)
        if isinstance(text, list):
            text = "".join(str(each.get("content", "")) for each in text if isinstance(each, dict))
        if isinstance(text, str) and text.strip():
            return text.strip()
    return None


def _number(flat: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    for key in keys:
        number = flat.get(key)
        if isinstance(number, str) and number.isdigit() and len(number) < 9:
            return int(number)
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 10**8:
            return number
    return None


def _code(flat: Mapping[str, Any]) -> str | None:
    for key in _CODES:
        code = flat.get(key)
        if isinstance(code, dict):
            code = next(
                (code[each] for each in ("code", "value", "name", "id") if each in code), None
            )
        if isinstance(code, int) and not isinstance(code, bool):
            return str(code)
        if isinstance(code, str) and 0 < len(code) < 120 and " " not in code:
            return code
    return None


def _mild(flat: Mapping[str, Any]) -> bool:
    if flat.get("severity") == 1 and "ruleId" in flat:
        return True
    said = next((flat[key] for key in _SEVERITIES if isinstance(flat.get(key), str)), "")
    return said.lower() in _MILD
