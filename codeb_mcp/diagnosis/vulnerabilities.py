"""Known vulnerabilities and secrets in the reports of scanners."""

import re
from collections.abc import Iterator
from typing import Any

from codeb_mcp.diagnosis.paths import relative

DEEPEST = 14
_ID = re.compile(
    r"(?:GHSA(?:-[0-9a-z]{4}){3}|CVE-\d{4}-\d{4,7}|PYSEC-\d{4}-\d+|RUSTSEC-\d{4}-\d{4}|GO-\d{4}-\d{4,}"
    r"|SNYK-[A-Z]+-[\w.-]+|OSV-\d{4}-\d+|AVD-\w+-\d+|DS-?\d{3,4}|DLA-\d+|DSA-\d+|PKSA-[\w-]+|ALPINE-CVE-[\d-]+)"
)
_IDS = ("VulnerabilityID", "id", "url", "URL", "github_advisory_id", "cve", "advisoryId", "AVDID", "ID", "osv", "RuleID")  # fmt: skip
_TITLES = ("title", "Title", "Issue", "summary", "Description", "description", "Message")
_NAMES = ("PkgName", "module_name", "packageName", "dependency", "package", "name", "moduleName")

Found = tuple[str, str, str | None, int | None]


def vulnerabilities(value: Any) -> list[Found]:
    """Id, words, file and line of each, once."""
    return list(dict.fromkeys(_walk(value, "", None, 0)))


def _walk(value: Any, name: str, target: str | None, depth: int) -> Iterator[Found]:
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _walk(each, name, target, depth + 1)
    if not isinstance(value, dict):
        return
    name = _name(value) or name
    if isinstance(value.get("Target"), str):
        target = value["Target"]
    if code := _code(value):
        yield code, _said(value, name), *_place(value, target)
        return
    for key, each in value.items():
        if key not in {"fixes", "metadata", "Metadata", "via", "osv"} or key == "via":
            yield from _walk(each, name, target, depth + 1)


def _name(value: dict[str, Any]) -> str | None:
    for key in _NAMES:
        each = value.get(key)
        if isinstance(each, dict):
            each = each.get("name")
        if isinstance(each, str) and len(each) < 120:
            return each
    artifact = value.get("artifact")
    return str(artifact.get("name")) if isinstance(artifact, dict) else None


def _code(value: dict[str, Any]) -> str | None:
    if "RuleID" in value and "StartLine" in value:
        return str(value["RuleID"])
    for key in _IDS:
        each = value.get(key)
        if isinstance(each, str) and (found := _ID.search(each)):
            return found[0]
    return None


def _said(value: dict[str, Any], name: str) -> str:
    title = next((value[key] for key in _TITLES if isinstance(value.get(key), str)), "")
    severity = value.get("severity") or value.get("Severity")
    note = f" ({severity})" if isinstance(severity, str) else ""
    return f"{name}: {title.strip()[:300]}{note}".strip(": ")


def _place(value: dict[str, Any], target: str | None) -> tuple[str | None, int | None]:
    cause = value.get("CauseMetadata")
    line = value.get("StartLine") or (cause.get("StartLine") if isinstance(cause, dict) else None)
    if target and re.search(r"\s|:|^\S+ \(", target):
        target = None
    return (relative(target) if target else None), line if isinstance(line, int) else None
