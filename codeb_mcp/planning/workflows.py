"""The workflows that `codeb init` writes: from what a folder has to the texts of the files."""

from collections.abc import Callable

from codeb_mcp.domain.names import ProjectName
from codeb_mcp.planning.checks_of_go import go_checks
from codeb_mcp.planning.checks_of_node import node_checks
from codeb_mcp.planning.checks_of_python import python_checks
from codeb_mcp.planning.detection import rendered
from codeb_mcp.planning.stacks import BUILD_FILES, SourceTree
from codeb_mcp.planning.workflow_checks import Checks, joined
from codeb_mcp.planning.workflow_steps import ACTIONS, Step, as_yaml, checkout

CI_CD = ".github/workflows/ci-cd.yml"
SELF_HEALING = ".github/workflows/self-healing-ci.yml"
ACTIONLINT = ".github/actionlint.yaml"
# a project without tools of its own: at least nothing was merged half
_CONFLICTS = Step("No conflict marks", "! git grep -InE '^(<{7}|>{7}) '")


def checks_of(tree: SourceTree) -> Checks:
    """The checks of a folder, by everything that it is made of."""
    every = (node_checks(tree), python_checks(tree), go_checks(tree))
    return joined(each for each in every if each is not None)


def workflows(
    tree: SourceTree, project: ProjectName, template: Callable[[str], str]
) -> dict[str, str]:
    """The texts of the workflow files by their path. `template` gives a template's text."""
    checks = checks_of(tree)
    jobs = {
        "tests_job": _job(template, "tests", "Tests", checks.setup, checks.tests),
        "e2e_job": _job(template, "e2e", "End to end", checks.setup, checks.e2e),
    }
    needs = ["quality", "security", *(name[:-4] for name, text in jobs.items() if text)]
    quality = (*checks.setup, *checks.quality) if checks.quality else (_CONFLICTS,)
    audit = (*checks.setup, *checks.audit) if checks.audit else ()
    values = {
        **ACTIONS,
        **jobs,
        "project": project,
        "checkout": as_yaml([checkout()]),
        "checkout_whole": as_yaml([checkout(whole=True)]),
        "quality": as_yaml(quality),
        "audit": as_yaml(audit),
        "needs": ", ".join(needs),
        "containerfile": tree.first(*BUILD_FILES) or BUILD_FILES[0],
        "checkout_action": ACTIONS["checkout"],
    }
    return {
        CI_CD: rendered(template("workflows/ci-cd.yml"), values),
        ACTIONLINT: template("workflows/actionlint.yaml"),
        SELF_HEALING: rendered(template("workflows/self-healing-ci.yml"), values),
    }


def _job(
    template: Callable[[str], str],
    id_: str,
    name: str,
    setup: tuple[Step, ...],
    steps: tuple[Step, ...],
) -> str:
    if not steps:
        return ""
    text = template("workflows/job.yml")
    values = {
        "id": id_,
        "name": name,
        "checkout": as_yaml([checkout()]),
        "steps": as_yaml((*setup, *steps)),
    }
    return rendered(text, values).rstrip("\n")
