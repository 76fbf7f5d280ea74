"""The quality and test jobs that `codeb init` writes, run on an example of each stack."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows import EXAMPLES, copied, run_job

EXPECTED = {
    ("node", "quality"): ["Dependencies", "ESLint", "Types", "Prettier"],
    ("node", "tests"): ["Dependencies", "Unit tests", "Integration tests", "Build"],
    ("nextjs", "quality"): ["Dependencies", "Types"],
    ("nextjs", "tests"): ["Dependencies", "Unit tests", "Build"],
    ("python", "quality"): ["Dependencies", "Ruff", "Lint", "Format", "Mypy", "Types"],
    ("python", "tests"): ["Dependencies", "Tests"],
    ("go", "quality"): ["Format", "Vet"],
    ("go", "tests"): ["Tests", "Build"],
    ("static", "quality"): ["No conflict marks"],
    ("dockerfile", "quality"): ["No conflict marks"],
}
BROKEN = {
    "node": (
        "src/server.ts",
        "greeting(name: string): string {",
        "greeting(name: string): number {",
    ),
    "python": ("main.py", 'return f"hello {name}\\n"', "return len(name)"),
    "go": ("main.go", '"hello %s\\n", name', '"hello %d\\n", name'),
    "static": ("index.html", "<title>", "<<<<<<< HEAD\n<title>"),
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A Python of the job's own in front, as setup-python gives."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "python")], check=True)
    return {
        "PATH": f"{tmp_path / 'python' / 'bin'}:{os.environ['PATH']}",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-buildvcs=false",
        "NEXT_TELEMETRY_DISABLED": "1",
    }


@pytest.mark.parametrize(("stack", "job"), EXPECTED)
def test_job_passes_on_the_example(
    stack: str, job: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = copied(EXAMPLES[stack], tmp_path / "shop")
    ended = run_job(folder, job, environment)
    assert [name for name, _, _ in ended] == EXPECTED[stack, job], ended[-1]
    assert all(code == 0 for _, code, _ in ended), ended[-1]


@pytest.mark.parametrize("stack", BROKEN)
def test_quality_fails_on_what_is_broken(
    stack: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = copied(EXAMPLES[stack], tmp_path / "shop")
    name, good, bad = BROKEN[stack]
    text = (folder / name).read_text()
    assert good in text
    (folder / name).write_text(text.replace(good, bad))
    subprocess.run(["git", "-C", str(folder), "add", "-A"], check=True)
    _, code, output = run_job(folder, "quality", environment)[-1]
    assert code != 0
    assert Path(name).name in output
