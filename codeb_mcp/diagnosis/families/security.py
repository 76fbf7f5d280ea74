"""Scanners for known vulnerabilities and for secrets."""

import re

from codeb_mcp.diagnosis.lines import Line
from codeb_mcp.diagnosis.paths import relative
from codeb_mcp.diagnosis.rules import AT, Finding, Rule, Sighting, Weight, rule
from codeb_mcp.domain.incident import IncidentType

VULN = IncidentType.SECURITY_VULN

_ID = r"(?:GHSA(?:-[0-9a-z]{4}){3}|CVE-\d{4}-\d{4,7}|PYSEC-\d{4}-\d+|RUSTSEC-\d{4}-\d{4}|GO-\d{4}-\d{4,}|SNYK-[A-Z]+-[\w.-]+|OSV-\d{4}-\d+|AVD-\w+-\d+|DS\d{3,4})"
_IDS = ("GHSA-", "CVE-", "PYSEC-20", "RUSTSEC-20", " GO-2", "AVD-")
_MANIFEST = re.compile(r"lock|\.(?:json|txt|toml|mod|sum|xml|yaml)$|Dockerfile")
_TARGET = re.compile(
    r"\S+ \((?:npm|yarn|pnpm|pip|poetry|pipenv|uv|gomod|gobinary|cargo|bundler|composer|jar|nuget|node-pkg|python-pkg)\)$"
)
_NPM_HEAD = re.compile(r"^(?P<name>@?[\w./-]+)\s{2,}(?P<range>\S.*)$")


def _npm_audit(sighting: Sighting) -> Finding:
    """`title - https://github.com/advisories/GHSA-…` below `name  range` and `Severity: …`."""
    name, severity = "", ""
    first = sighting.line.number
    for line in sighting.before(25):
        text = line.text.strip()
        if not text:
            break
        if found := re.match(r"Severity: (\w+)", text):
            severity = found[1]
        elif found := _NPM_HEAD.match(line.text):
            name, first = f"{found['name']} {found['range']}", line.number
            break
    message = f"{name}: {sighting.group('message')}" + (f" ({severity})" if severity else "")
    made = sighting.finding(message=message.lstrip(": "), first=first)
    made.last, made.more = made.at, 3
    return made


def _audit_json(sighting: Sighting) -> Finding | None:
    """A line of `npm audit --json`, `pnpm audit --json` or `pip-audit -f json`, pretty-printed."""
    values: dict[str, str] = {}
    for line in (*list(sighting.before(8)), sighting.line, *sighting.after(6)):
        if found := re.match(
            r"\s*\"(name|title|severity|module_name|dependency)\": \"(.{1,300})\",?$", line.text
        ):
            values.setdefault(found[1], found[2])
    name = values.get("module_name") or values.get("dependency") or values.get("name") or ""
    message = f"{name}: {values.get('title', '')} ({values.get('severity', '')})"
    return sighting.finding(
        message=message, last=sighting.line.number, more=3, first=sighting.line.number - 5
    )


def _table_row(sighting: Sighting) -> Finding | None:
    """A row of Trivy's, Grype's, pip-audit's or osv-scanner's table."""
    cells = [
        cell.strip()
        for cell in re.split(r"[│|┃]|\s{2,}", sighting.line.text)
        if cell.strip(" │|┃─-")
    ]
    code = sighting.group("code")
    name = cells[0] if cells and cells[0] != code else ""
    if not name or re.match(_ID, name):
        name = next((found for line in sighting.before(30) if (found := _first_cell(line))), "")
    said = next(
        (cell for cell in cells[::-1] if len(cell) > 20 and "http" not in cell), " ".join(cells)
    )
    made = sighting.finding(message=f"{name}: {said}" if name else said)
    for line in sighting.before(120):
        heading = re.match(r"(?P<file>\S+)(?: \(.+\))?$", line.text.strip())
        if heading and (
            re.match(r"[=─-]{4,}$", _next_text(sighting, line)) or _TARGET.match(line.text)
        ):
            target = heading["file"]
            if _MANIFEST.search(target):
                made.file = relative(target)
            break
    return made


def _next_text(sighting: Sighting, line: Line) -> str:
    return next((each.text.strip() for each in sighting.window.after(line.number, 1)), "")


def _first_cell(line: Line) -> str:
    cells = [cell.strip() for cell in re.split(r"[│|]", line.text)]
    return cells[1] if len(cells) > 2 and cells[1] and not re.match(_ID, cells[1]) else ""


def _gitleaks(sighting: Sighting) -> Finding:
    """`Finding:`, then `RuleID:`, `File:`, `Line:` in any order. The secret itself is left out."""
    values: dict[str, str] = {}
    last = sighting.line.number
    for line in sighting.after(14):
        found = re.match(
            r"\s*(Secret|RuleID|Entropy|File|Line|Commit|Fingerprint|Author|Email|Date|Link|Tags): ?\s*(.*)",
            line.text,
        )
        if not found:
            if not line.text.strip():
                break
            continue
        values[found[1]] = found[2].strip()
        last = line.number
    made = sighting.finding(
        message=f"secret found by rule {values.get('RuleID', '?')}", code=values.get("RuleID")
    )
    made.file = relative(values["File"]) if values.get("File") else None
    made.line = int(values["Line"]) if values.get("Line", "").isdigit() else None
    made.last = last
    return made


def _govulncheck(sighting: Sighting) -> Finding:
    """The id, then what it is, and further below a trace: `#1: main.go:12:3: …`."""
    made = sighting.finding(message=sighting.line.text)
    said = next((line.text.strip() for line in sighting.after(1)), "")
    for line in sighting.after(25):
        if line.text.startswith("Vulnerability #"):
            break
        if found := re.match(rf"\s+#\d+: {AT}:", line.text):
            made.file, made.line, made.last = (
                relative(found["file"]),
                int(found["line"][:8]),
                line.number,
            )
            break
    made.message = said or made.message
    return made


def _pnpm_audit(sighting: Sighting) -> Finding:
    """A box per advisory: severity and title in its head, `Package` below."""
    said = [
        cells[2].strip()
        for line in list(sighting.before(14))[::-1]
        if len(cells := re.split(r"[│|]", line.text)) > 3
        and cells[1].strip() in {"critical", "high", "moderate", "low", "Package"}
    ][-2:]
    return sighting.finding(message=" in ".join(said), first=sighting.line.number - 10)


def _bandit(sighting: Sighting) -> Finding:
    made = sighting.finding()
    for line in sighting.after(10):
        if found := re.match(rf"\s*Location: {AT}", line.text):
            made.file, made.line, made.last = (
                relative(found["file"]),
                int(found["line"][:8]),
                line.number,
            )
            break
    return made


def _block(sighting: Sighting) -> Finding:
    """cargo audit, bundler-audit, govulncheck: `Name: value` lines around the id."""
    values: dict[str, str] = {}
    last = sighting.line.number
    for line in (*sighting.before(6), *sighting.after(8)):
        if found := re.match(
            r"\s*(Crate|Title|Name|Solution|Criticality|Version|Module|Package|Advisory|More info): \s*(.+)",
            line.text,
        ):
            values.setdefault(found[1], found[2].strip())
            last = max(last, line.number)
    name = (
        values.get("Crate")
        or values.get("Name")
        or values.get("Module")
        or values.get("Package")
        or ""
    )
    said = values.get("Title") or sighting.line.text.strip()
    return sighting.finding(message=f"{name}: {said}".lstrip(": "), last=last)


RULES: tuple[Rule, ...] = (
    rule(
        "npm audit",
        VULN,
        "GHSA-",
        rf"^(?P<message>\S.*?) - https://github\.com/advisories/(?P<code>{_ID})",
        _npm_audit,
    ),
    rule(
        "npm audit",
        VULN,
        _IDS,
        rf"^\s*\"(?:url|github_advisory_id|id|VulnerabilityID)\": \"(?:https?://\S*/)?(?P<code>{_ID})",
        _audit_json,
    ),
    rule("gitleaks", VULN, "Finding:", r"^\s*Finding:\s", _gitleaks),
    rule(
        "gitleaks",
        VULN,
        "found: ",
        r"^.{0,60}(?P<message>leaks found: [1-9]\d*)",
        weight=Weight.SUMMARY,
    ),
    rule("trivy", VULN, _IDS, rf"^\s*[│|].*?(?P<code>{_ID})", _table_row),
    rule("cargo audit", VULN, _IDS, rf"^\s*(?:ID|CVE|Advisory|GHSA):\s+(?P<code>{_ID})", _block),
    rule("govulncheck", VULN, _IDS, rf"^Vulnerability #\d+: (?P<code>{_ID})", _govulncheck),
    rule("pip-audit", VULN, _IDS, rf"^(?P<message>[\w.-]+\s+[\w.+-]+\s+(?P<code>{_ID}).*)$"),
    rule(
        "grype",
        VULN,
        _IDS,
        r"^(?P<message>\S+\s+\S+\s.*?\b(?P<code>(?:GHSA|CVE)-[\w-]+)\s+(?:Critical|High|Medium|Low|Negligible).*)$",
    ),
    rule("pnpm audit", VULN, _IDS, rf"^\s*[│|] More info\s*[│|].*(?P<code>{_ID})", _pnpm_audit),
    rule(
        "snyk",
        VULN,
        "security.snyk.io",
        r"✗ (?P<message>.+?)\[?https://security\.snyk\.io/vuln/(?P<code>[\w:.-]+)",
    ),
    rule(
        "bandit",
        VULN,
        "Issue: [B",
        r"^>> Issue: \[(?P<code>B\d+):?[\w-]*\] (?P<message>.+)",
        _bandit,
    ),
    rule(
        "audit",
        VULN,
        "vulnerabilities",
        r"^(?:found )?(?P<message>[1-9]\d* (?:\w+ severity )?vulnerabilit(?:y|ies)(?: found| \(.*\))?.*)$",
        weight=Weight.HINT,
    ),
)
