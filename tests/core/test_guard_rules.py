"""Every rule's own examples get the verdict that they claim, and the rules page names real ones."""

import re

import pytest

from codeb_mcp.errors import InvalidRequest
from codeb_mcp.guard.rules import Example, Rule, load_rules
from tests.core.guard_rules import ROOT, RULES, verdict_on

EXAMPLES = [
    pytest.param(rule, example, id=f"{rule.id}-{number}")
    for rule in RULES
    for number, example in enumerate(rule.examples)
]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_example_of_a_rule_gets_its_verdict(rule: Rule, example: Example) -> None:
    verdict = verdict_on(example.path, example.old, example.new)
    found = {finding.rule for finding in verdict.findings}
    if example.verdict == "allow":
        # another rule may still send it to a person, such as any change of a workflow
        assert rule.id not in found
        assert verdict.decision != "block"
    else:
        assert rule.id in found
        assert verdict.decision == example.verdict


@pytest.mark.parametrize("rule", list(RULES), ids=lambda rule: rule.id)
def test_rule_has_examples_of_both_kinds(rule: Rule) -> None:
    assert {"allow", rule.severity.value} <= {example.verdict for example in rule.examples}


def test_rules_page_names_every_rule_and_no_other() -> None:
    page = (ROOT / "rules" / "DEPLOYMENT_RULES.md").read_text()
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.M))
    assert listed == {rule.id for rule in RULES}


def test_rule_without_examples_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"broken\.toml"):
        load_rules({"broken.toml": '[[rule]]\nid = "a"\ntitle = "t"\nwhy = "w"\ninstead = "i"'})


def test_unknown_rule_names_those_that_there_are() -> None:
    with pytest.raises(InvalidRequest) as refused:
        RULES.get("no-such-rule")
    assert "error-ignored" in refused.value.hint
