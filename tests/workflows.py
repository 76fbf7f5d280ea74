"""What `codeb init` writes into the examples of each stack, and a runner of its steps."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from codeb_mcp.adapters.source_folder import SourceFolders
from codeb_mcp.domain.names import ProjectName
from codeb_mcp.planning.workflows import CI_CD, workflows
from codeb_mcp.templates import template

CASES = Path(__file__).parent / "cases"
EXAMPLES = {path.name: path for path in sorted((CASES / "ci").iterdir()) if path.is_dir()}
SOURCES = EXAMPLES | {
    f"{path.name}-source": path / "source" for path in sorted((CASES / "stacks").iterdir())
}
"""A folder of every stack and package manager that codeb knows."""


def written(source: Path) -> dict[str, str]:
    """The workflow files for a folder, by their path."""
    return workflows(SourceFolders().read(source), ProjectName("shop"), template)


def copied(source: Path, target: Path) -> Path:
    """A git repository of its own with the folder's files and its workflows."""
    shutil.copytree(source, target)
    SourceFolders().write_missing(target, written(source))
    subprocess.run(["git", "init", "-q", str(target)], check=True)
    subprocess.run(["git", "-C", str(target), "add", "-A"], check=True)
    return target


def jobs_of(text: str) -> dict[str, Any]:
    """The jobs of a workflow."""
    jobs: dict[str, Any] = yaml.safe_load(text)["jobs"]
    return jobs


def every_job(source: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The jobs of all workflows of a folder, by name."""
    for path, text in written(source).items():
        if path.startswith(".github/workflows/"):
            yield from jobs_of(text).items()


def run_job(folder: Path, job: str, environment: dict[str, str]) -> list[tuple[str, int, str]]:
    """Run a job's scripts one by one, as GitHub's runner does: name, exit code, output of each.

    Ends at the first that fails. Actions are left out: what they install is on this machine.
    """
    ended = []
    for step in jobs_of((folder / CI_CD).read_text())[job]["steps"]:
        if "run" not in step:
            continue
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=folder,
            env={**os.environ, **environment, "CI": "true"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        ended.append((str(step["name"]), done.returncode, done.stdout))
        if done.returncode != 0:
            break
    return ended
