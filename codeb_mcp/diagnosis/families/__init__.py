"""The families of tools, in the order in which they are asked about a line.

A family is a module with `RULES`. The first rule that makes something of a line has it, so the
families with the most particular forms come first.
"""

from codeb_mcp.diagnosis.families import (
    bundlers,
    containers,
    general,
    golang,
    infrastructure,
    javascript_lint,
    javascript_packages,
    javascript_runners,
    javascript_runtime,
    javascript_style,
    javascript_tests,
    jvm,
    native,
    other_languages,
    other_tools,
    python_checks,
    python_packages,
    python_tests,
    reports,
    rust,
    security,
    shell,
    typescript,
)
from codeb_mcp.diagnosis.rules import Rule

RULES: tuple[Rule, ...] = (
    *reports.RULES,
    *typescript.RULES,
    *security.RULES,
    *javascript_lint.RULES,
    *javascript_style.RULES,
    *javascript_tests.RULES,
    *javascript_runners.RULES,
    *bundlers.RULES,
    *python_tests.RULES,
    *python_checks.RULES,
    *javascript_packages.RULES,
    *python_packages.RULES,
    *rust.RULES,
    *golang.RULES,
    *jvm.RULES,
    *other_languages.RULES,
    *other_tools.RULES,
    *native.RULES,
    *containers.RULES,
    *infrastructure.RULES,
    *javascript_runtime.RULES,
    *shell.RULES,
    *general.RULES,
    *shell.LAST,
)
