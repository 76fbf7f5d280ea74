"""A verdict in the forms that code hosting reads: SARIF, and GitHub's annotations."""

import json

from codeb_mcp import __version__
from codeb_mcp.guard.rules import Rules
from codeb_mcp.services.vetting import VerdictView

_LEVELS = {"block": "error", "review": "warning"}


def annotations(verdict: VerdictView) -> str:
    """Workflow commands that show each finding at its line."""
    return "".join(
        f"::{_LEVELS[each.severity]} file={_property(each.path)},line={each.line},"
        f"title={_property(each.rule)}::{_data(f'{each.why} Instead: {each.instead}')}\n"
        for each in verdict.findings
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(verdict: VerdictView, rules: Rules) -> str:
    """The findings as a SARIF 2.1.0 document."""
    used = sorted({each.rule for each in verdict.findings})
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "codeb guard",
                        "version": __version__,
                        "rules": [_rule(rules, each) for each in used],
                    }
                },
                "results": [
                    {
                        "ruleId": each.rule,
                        "level": _LEVELS[each.severity],
                        "message": {"text": f"{each.why} Instead: {each.instead}"},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": each.path},
                                    "region": {"startLine": max(each.line, 1)},
                                }
                            }
                        ],
                    }
                    for each in verdict.findings
                ],
            }
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(rules: Rules, rule_id: str) -> dict[str, object]:
    rule = rules.get(rule_id)
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "help": {"text": f"{rule.why} Instead: {rule.instead}"},
    }
