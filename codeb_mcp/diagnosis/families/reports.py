"""Reports that tools write for other programs: JSON, JUnit and Checkstyle XML, SARIF."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from codeb_mcp.diagnosis.documents import Document, json_document, xml_document
from codeb_mcp.diagnosis.failed_tests import Failure, failures, place_in
from codeb_mcp.diagnosis.kinds import kind_of
from codeb_mcp.diagnosis.paths import relative
from codeb_mcp.diagnosis.records import Record, records
from codeb_mcp.diagnosis.rules import Finding, Rule, Sighting, rule
from codeb_mcp.diagnosis.vulnerabilities import vulnerabilities
from codeb_mcp.domain.incident import IncidentType

LINT, TEST, TYPE = IncidentType.LINT_ERROR, IncidentType.TEST_FAILURE, IncidentType.TYPE_ERROR
VULN = IncidentType.SECURITY_VULN
MOST = 200


@dataclass(frozen=True, slots=True)
class _Signature:
    """The keys by which a report is known to be of one tool."""

    keys: frozenset[str]
    tool: str
    type: IncidentType = LINT


def _signature(tool: str, *keys: str, kind: IncidentType = LINT) -> _Signature:
    return _Signature(frozenset(keys), tool, kind)


_SIGNATURES = (
    _signature("pyright", "generalDiagnostics", kind=TYPE),
    _signature("rustc", "reason", "package_id", "target", kind=TYPE),
    _signature("rustc", "spans", "children", "rendered", kind=TYPE),
    _signature("eslint", "filePath", "messages"),
    _signature("stylelint", "source", "warnings", "parseErrors"),
    _signature("pylint", "message-id", "symbol"),
    _signature("ruff", "noqa_row", "filename"),
    _signature("biome", "diagnostics", "summary", "command"),
    _signature("rubocop", "offenses", "path"),
    _signature("golangci-lint", "FromLinter", "Pos"),
    _signature("bandit", "test_id", "issue_severity", kind=VULN),
    _signature("gitleaks", "RuleID", "Secret", kind=VULN),
    _signature("semgrep", "check_id", "extra", kind=VULN),
    _signature("mypy", "file", "message", "hint", "severity", kind=TYPE),
    _signature("phpstan", "files", "totals"),
    _signature("webpack", "errors", "warnings", "assets"),
    _signature("jest", "testResults", "numFailedTests", "wasInterrupted", kind=TEST),
    _signature("vitest", "testResults", "numFailedTests", kind=TEST),
    _signature("playwright", "suites", "config", kind=TEST),
    _signature("mocha", "stats", "failures", "passes", kind=TEST),
    _signature("pytest", "tests", "collectors", kind=TEST),
    _signature("rspec", "examples", "summary_line", kind=TEST),
    _signature("npm audit", "auditReportVersion", kind=VULN),
    _signature("npm audit", "advisories", "metadata", kind=VULN),
    _signature("trivy", "ArtifactName", "Results", kind=VULN),
    _signature("pip-audit", "dependencies", "fixes", kind=VULN),
    _signature("grype", "matches", "descriptor", kind=VULN),
    _signature("cargo audit", "vulnerabilities", "lockfile", kind=VULN),
)
_FINDERS = (
    *('"message":', '"messages":', '"testResults":', '"failures":', '"offenses":', '"diagnostics":'),
    *('"generalDiagnostics":', '"Vulnerabilities":', '"VulnerabilityID":', '"RuleID":', '"runs":'),
    *('"check_name":', '"advisories":', '"auditReportVersion":', '"vulns":', '"warnings":'),
    *('"assertionResults":', '"suites":', '"collectors":', '"examples":', '"issues":', '"errors":'),
    *('"vulnerability":', '"vulnerabilities":', '"FromLinter":', '"test_id":', '"advisory":', '"err":'),
)  # fmt: skip


def _tool(value: Any) -> _Signature | None:
    for each in _samples(value):
        keys = set(each)
        for signature in _SIGNATURES:
            if signature.keys <= keys:
                return signature
        name = _driver(each)
        if name:
            kind = VULN if re.search(r"trivy|semgrep|codeql|snyk|grype|gitleaks", name) else LINT
            return _Signature(frozenset(), name, kind)
    return None


def _samples(value: Any) -> list[dict[str, Any]]:
    """Objects near the top, by which a report is told."""
    found: list[dict[str, Any]] = []
    level = [value]
    for _ in range(4):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                found.append(each)
                below += list(each.values())[:30]
            elif isinstance(each, list):
                below += each[:3]
        level = below[:200]
    return found


def _driver(value: dict[str, Any]) -> str | None:
    """SARIF and Reviewdog's format name their tool."""
    tool = value.get("tool")
    name = tool.get("driver", {}).get("name") if isinstance(tool, dict) else None
    source = value.get("source")
    if name is None and "diagnostics" in value and isinstance(source, dict):
        name = source.get("name")
    return str(name).lower()[:40] if name else None


def _json(sighting: Sighting) -> list[Finding] | None:
    document = json_document(sighting)
    if document is None:
        return None
    signature = _tool(document.value)
    made = _of_json(sighting, document, signature)
    if not made and signature is None:
        return None
    _pass(sighting, document)
    return made


def _of_json(sighting: Sighting, document: Document, signature: _Signature | None) -> list[Finding]:
    value, tool = document.value, signature.tool if signature else None
    kind = signature.type if signature else None
    made: list[Finding] = []
    if kind in {None, TEST}:
        made = [_test(sighting, each, tool or "test report") for each in failures(value)]
    if not made and kind in {None, VULN} and tool not in {"bandit", "gitleaks", "semgrep"}:
        made = [
            sighting.finding(
                type=VULN, tool=tool or "audit", code=code, message=said, file=file, line=line
            )
            for code, said, file, line in vulnerabilities(value)
        ]
    if not made and kind is not TEST:
        made = _lint(sighting, records(value), signature)
    return _numbered(sighting, made[:MOST], document)


def _lint(
    sighting: Sighting, found: Iterable[Record], signature: _Signature | None
) -> list[Finding]:
    made = []
    zero_based = signature is not None and signature.tool == "pyright"
    known = signature.tool if signature else None
    for each in found:
        kind, tool = kind_of(each.code, each.message, signature.type if signature else LINT)
        known = known or tool
        one = sighting.finding(
            type=kind,
            tool=known or "report",
            file=relative(each.file) if each.file else None,
            line=each.line + 1 if zero_based and each.line is not None else each.line or None,
            column=each.column + 1
            if zero_based and each.column is not None
            else each.column or None,
            code=each.code,
            message=each.message,
            warning=each.warning,
        )
        made.append(one)
        if len(made) >= MOST:
            break
    for one in made:
        one.tool = known or one.tool
    return made


def _test(sighting: Sighting, failure: Failure, tool: str) -> Finding:
    place = place_in(failure.text)
    kind = failure.kind or TEST
    known = failure.file
    file, line = known, failure.line
    if place and not (place.foreign and known):
        longer = known and known.endswith("/" + place.file)
        file, line = (known if longer else place.file), place.line
    made = sighting.finding(
        type=kind,
        tool=tool,
        file=relative(file) if file else None,
        line=line,
        column=place.column if place and line == place.line else None,
        code=None,
        message=f"{failure.name}: {_first_words(failure.text)}".strip(": "),
    )
    if known:
        made.related.add(relative(known))
    return made


def _first_words(text: str) -> str:
    said: list[str] = []
    for line in text.splitlines():
        if re.match(r"\s*(?:at |File \"|❯ |>?\s*\d+ [|│])", line):
            break
        if line.strip():
            said.append(line.strip())
        if len(said) >= 6:
            break
    return " ".join(said)


def _numbered(sighting: Sighting, made: list[Finding], document: Document) -> list[Finding]:
    """Give each finding the line of the report that says it, and an excerpt."""
    at = document.first
    several = document.last > document.first
    for each in made:
        if several:
            at = _line_with(sighting, each.message[:40], at, document) or at
            each.at = each.first = at
            each.last = min(at + 3, document.last)
        else:
            place = ":".join(str(part) for part in (each.file, each.line) if part)
            each.excerpt = f"{each.at} | {place} {each.message}"[:1_000]
    return made


def _line_with(sighting: Sighting, words: str, begin: int, document: Document) -> int | None:
    escaped = (
        words.split('"', maxsplit=1)[0]
        .split("\\", maxsplit=1)[0]
        .rsplit(": ", maxsplit=1)[-1]
        .split("\n", maxsplit=1)[0]
    )
    if len(escaped) < 4:
        return None
    for number in range(begin, document.last + 1):
        if escaped in sighting.window.line(number).text:
            return number
    return None


def _pass(sighting: Sighting, document: Document) -> None:
    stream = sighting.line.stream
    sighting.window.passed[stream] = max(sighting.window.passed.get(stream, 0), document.last)


def _xml(sighting: Sighting) -> list[Finding] | None:
    document = xml_document(sighting)
    if document is None or document.value is None:
        return None
    _pass(sighting, document)
    root: Element = document.value
    made = [*_xml_tests(sighting, root), *_xml_lint(sighting, root)]
    return _numbered(sighting, made[:MOST], document)


def _xml_tests(sighting: Sighting, root: Element) -> list[Finding]:
    made = []
    for suite in (
        (root, *root.iter("testsuite")) if root.tag != "testsuite" else root.iter(root.tag)
    ):
        for case in suite.findall("testcase"):
            for each in case:
                if each.tag in {"failure", "error"}:
                    made.append(_junit(sighting, suite, case, each))
    return made


_POSITION = re.compile(r"line (?P<line>\d{1,8}), col(?:umn)? (?P<column>\d{1,8})")
_MYPY = re.compile(
    r"(?P<file>[^\s:]+\.pyi?):(?P<line>\d{1,8}):(?:\d+:)? error: (?P<message>.+?)(?:  \[(?P<code>[\w-]+)\])?$",
    re.M,
)
_CHECKERS = re.compile(r"\b(?:eslint|biome|ruff|mypy|stylelint|rubocop|flake8|pylint|oxlint|hadolint|yamllint|swiftlint|phpstan)\b", re.I)  # fmt: skip


def _junit(sighting: Sighting, suite: Element, case: Element, failure: Element) -> Finding:
    text = "\n".join(part for part in (failure.get("message"), failure.text) if part)
    name, classname = case.get("name") or "", case.get("classname") or ""
    file = case.get("file") or suite.get("file") or _file_of(suite.get("name"), classname, name)
    line = int(case.get("line") or 0) if (case.get("line") or "").isdigit() else None
    said = f"{suite.get('package')} {suite.get('name')} {name}"
    if found := _MYPY.search(text):
        return sighting.finding(
            type=TYPE, tool="mypy", file=relative(found["file"]), line=int(found["line"]),
            code=found["code"], message=found["message"],
        )  # fmt: skip
    if checker := _CHECKERS.search(said):
        return _checked(sighting, checker[0].lower(), file, line, case, text)
    full = " ".join(dict.fromkeys(part for part in (classname, name) if part))
    return _test(sighting, Failure(full, file, line, text), "junit")


def _checked(
    sighting: Sighting, tool: str, file: str | None, line: int | None, case: Element, text: str
) -> Finding:
    """A finding of a linter that writes JUnit: `line 3, col 5, Error - message (rule)`."""
    message = text.splitlines()[0] if text else ""
    position = _POSITION.search(text)
    code = re.sub(r"^org\.\w+\.", "", case.get("name") or "").replace(f"{tool}.", "")
    code = code.replace(".", "/") if tool == "biome" else code
    kind, _ = kind_of(code, message, TYPE if tool == "mypy" else LINT)
    return sighting.finding(
        type=kind,
        tool=tool,
        file=relative(file) if file else None,
        line=int(position["line"]) if position else line,
        column=int(position["column"]) if position else None,
        code=None if code in {"unknown", ""} else code,
        message=_POSITION.sub("", message).strip(", "),
        warning="Warning - " in text,
    )


def _file_of(*names: str | None) -> str | None:
    for name in names:
        if name and re.search(r"\.\w{1,5}$", name) and "/" in name and " " not in name:
            return name
    for name in names:
        if name and re.fullmatch(r"[\w./-]+\.(?:[cm]?[jt]sx?|pyi?|go|rb|php|rs|vue)", name):
            return name
    classname = names[1] if len(names) > 1 else None
    if classname and re.fullmatch(r"(?:\w+\.)*test_?\w*(?:\.[A-Z]\w*)?", classname):
        return re.sub(r"\.[A-Z]\w*$", "", classname).replace(".", "/") + ".py"
    return None


def _xml_lint(sighting: Sighting, root: Element) -> list[Finding]:
    made = []
    for file in root.iter("file"):
        for each in file:
            if each.tag in {"error", "violation", "issue"}:
                made.append(_checkstyle(sighting, file.get("name"), each))
    for each in root.iter("issue"):
        place = each.find("location")
        if place is not None:
            made.append(_checkstyle(sighting, place.get("file"), each, place))
    return made


def _checkstyle(
    sighting: Sighting, file: str | None, element: Element, place: Element | None = None
) -> Finding:
    where = element if place is None else place
    number = where.get("line") or where.get("beginline") or ""
    column = where.get("column") or where.get("begincolumn") or ""
    source = element.get("source") or element.get("rule") or element.get("id")
    message = element.get("message") or element.get("reason") or (element.text or "").strip()
    kind, _ = kind_of(source, message, LINT)
    eslint = bool(source and source.startswith("eslint.rules."))
    return sighting.finding(
        type=kind,
        tool="eslint" if eslint or sighting.line.text.find("eslint.rules") >= 0 else "checkstyle",
        file=relative(file) if file else None,
        line=int(number) if number.isdigit() else None,
        column=int(column) if column.isdigit() else None,
        code=source.removeprefix("eslint.rules.") if source else None,
        message=message,
        warning=(element.get("severity") or "").lower() in {"warning", "info", "ignore"},
    )


Reader = Callable[[Sighting], "list[Finding] | None"]
_XML = ("<testsuite", "<testcase", "<failure", "<checkstyle", "<error ", "<violation ", "<issue")

RULES: tuple[Rule, ...] = (
    rule("report", LINT, _FINDERS, r"^.{0,2000}?\"[\w-]+\":", _json),
    rule("report", TEST, _XML, r"<(?:testsuites?|testcase|failure|checkstyle|error|violation|issue)\b", _xml),
)  # fmt: skip
