"""The workflows that `codeb init` writes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from codeb_mcp.adapters.source_folder import SourceFolders
from codeb_mcp.domain.names import ProjectName
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.companions import Companion, client_configuration
from codeb_mcp.planning.stacks import SourceTree
from codeb_mcp.planning.workflows import CI_CD, SELF_HEALING, workflows
from codeb_mcp.templates import template
from tests.workflows import SOURCES, copied, every_job, jobs_of, written

OWN = Path(__file__).parents[2] / ".github"
_NOT_OF_FORKS = "head.repo.full_name == github.repository"
_PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
each_source = pytest.mark.parametrize("name", SOURCES)


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name(name))
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def for_package(package: dict[str, object], *names: str) -> SourceTree:
    return SourceTree(frozenset(("package.json", *names)), {"package.json": json.dumps(package)})


def steps(tree: SourceTree, job: str) -> list[str]:
    """The scripts of a job, in their order."""
    jobs = jobs_of(workflows(tree, ProjectName("shop"), template)[CI_CD])
    return [step["run"].rstrip() for step in jobs.get(job, {"steps": []})["steps"] if "run" in step]


@each_source
def test_actionlint_and_zizmor_find_nothing(name: str, tmp_path: Path) -> None:
    folder = copied(SOURCES[name], tmp_path / "shop")
    files = [str(path) for path in (folder / ".github" / "workflows").iterdir()]
    linted = tool("actionlint", *files)
    assert (len(files), linted.returncode, linted.stdout) == (2, 0, "")
    audited = tool("zizmor", "--offline", "--no-progress", str(folder / ".github"))
    assert audited.returncode == 0, audited.stdout
    assert "No findings" in audited.stdout + audited.stderr


def test_the_linters_can_find_something(tmp_path: Path) -> None:
    folder = copied(SOURCES["node"], tmp_path / "shop")
    path = folder / CI_CD
    path.write_text(path.read_text().replace("$BASE", "${{ github.head_ref }}"))
    assert tool("actionlint", str(path)).returncode == 1
    assert tool("zizmor", "--offline", "--no-progress", str(path)).returncode != 0


def test_actionlint_and_zizmor_find_nothing_in_the_workflows_of_this_repository() -> None:
    files = [str(path) for path in sorted((OWN / "workflows").iterdir())]
    linted = tool("actionlint", *files)
    assert (linted.returncode, linted.stdout) == (0, "")
    assert tool("zizmor", "--offline", "--no-progress", str(OWN)).returncode == 0


@each_source
def test_every_action_is_pinned_and_every_job_is_bounded(name: str) -> None:
    for text in written(SOURCES[name]).values():
        used = [line.strip() for line in text.splitlines() if "uses:" in line]
        assert all(_PINNED.search(line) for line in used), used
    for job, body in every_job(SOURCES[name]):
        assert body["timeout-minutes"] <= 60, job
        assert "permissions" in body, job
        assert all("${{" not in step.get("run", "") for step in body["steps"]), job


@each_source
def test_forks_reach_neither_the_server_nor_the_registry(name: str) -> None:
    for job, body in every_job(SOURCES[name]):
        powerful = "self-hosted" in body["runs-on"] or "write" in str(body["permissions"])
        if powerful and job != "heal":
            condition = body.get("if", "")
            own_push = "github.event_name != 'pull_request' && " in condition
            needs_guarded = set(body.get("needs", [])) & {"guard"}
            assert own_push or needs_guarded or _NOT_OF_FORKS in condition, job
    text = written(SOURCES[name])[SELF_HEALING]
    heal = jobs_of(text)["heal"]
    assert "workflow_run.head_repository.full_name == github.repository" in heal["if"]
    assert "secrets." not in "".join(written(SOURCES[name]).values())


def test_branches_and_pull_requests_go_where_they_belong() -> None:
    text = written(SOURCES["node"])[CI_CD]
    jobs = jobs_of(text)
    scripts = {
        name: "\n".join(s.get("run", "") for s in job["steps"]) for name, job in jobs.items()
    }
    assert 'codeb deploy "$PROJECT" --env staging --image "$IMAGE"' in scripts["staging"]
    assert "refs/heads/develop" in jobs["staging"]["if"]
    assert 'codeb deploy "$PROJECT" --env production --image "$IMAGE"' in scripts["production"]
    assert "refs/heads/main" in jobs["production"]["if"]
    assert '--env "pr-$NUMBER"' in scripts["preview"]
    assert 'codeb preview remove "$PROJECT" "pr-$NUMBER" --yes' in scripts["close-preview"]
    assert jobs["build"]["needs"] == ["quality", "security", "tests"]
    assert jobs["build"]["steps"][-1]["with"]["platforms"] == "linux/amd64,linux/arm64"
    assert yaml.safe_load(text)["env"] == {"PROJECT": "shop"}


def test_node_tools_are_called_as_the_project_calls_them() -> None:
    tools = {"eslint": "9", "prettier": "3", "typescript": "5", "@playwright/test": "1"}
    tree = for_package({"devDependencies": tools}, "tsconfig.json", "eslint.config.js")
    assert steps(tree, "quality") == [
        "npm install",
        "npx --no-install eslint .",
        "npx --no-install tsc --noEmit",
        "npx --no-install prettier --check .",
    ]
    assert steps(tree, "tests") == []
    assert steps(tree, "e2e")[1:] == [
        "npx --no-install playwright install --with-deps chromium",
        "npx --no-install playwright test",
    ]
    named = {"lint": "x", "typecheck": "x", "format:check": "x", "test": "x", "build": "x"}
    tree = for_package({"scripts": named}, "pnpm-lock.yaml")
    assert steps(tree, "quality")[2:] == [
        "pnpm run lint",
        "pnpm run typecheck",
        "pnpm run format:check",
    ]
    assert steps(tree, "tests")[2:] == ["pnpm run test", "pnpm run build"]
    assert "pnpm audit --audit-level=high" in steps(tree, "security")


def test_project_without_tools_is_checked_all_the_same() -> None:
    placeholder = {"test": 'echo "Error: no test specified" && exit 1'}
    tree = for_package({"main": "server.js", "scripts": placeholder})
    assert steps(tree, "quality") == ["! git grep -InE '^(<{7}|>{7}) '"]
    assert steps(tree, "tests") == []
    jobs = jobs_of(workflows(tree, ProjectName("shop"), template)[CI_CD])
    assert jobs["build"]["needs"] == ["quality", "security"]


@pytest.mark.parametrize(
    ("name", "install", "audit"),
    [
        ("python-pip-source", "python -m pip install --requirement requirements.txt", "pip_audit"),
        ("python-uv-source", "uv sync --frozen", "pip_audit --requirement audited.txt"),
        ("python-poetry-source", "poetry install --no-root", 'pip_audit --path "$site"'),
    ],
)
def test_python_is_installed_by_its_own_tool(name: str, install: str, audit: str) -> None:
    tree = SourceFolders().read(SOURCES[name])
    assert any(install in step for step in steps(tree, "quality"))
    assert any(audit in step for step in steps(tree, "security"))
    assert "python -m ruff check ." in steps(tree, "quality")


def test_companions_stand_beside_codeb_at_fixed_versions() -> None:
    chosen = Companion.parse("playwright, context7,playwright")
    servers = json.loads(client_configuration(chosen))["mcpServers"]
    assert list(servers) == ["codeb", "playwright", "context7"]
    assert all(re.search(r"@\d", servers[each]["args"][1]) for each in chosen)
    with pytest.raises(InvalidRequest) as caught:
        Companion.parse("context7,shell")
    assert "sequential-thinking" in caught.value.hint
