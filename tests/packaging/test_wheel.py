"""The wheel, installed where nothing of the checkout can be seen."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READ = """
from codeb_mcp.resources.files import read_text
import codeb_mcp, pathlib
print(pathlib.Path(codeb_mcp.__file__).parent)
for folder, name in [("prompts", "deploy_staging.md"), ("rules", "DEPLOYMENT_RULES.md")]:
    assert len(read_text(folder, name)) > 100
"""


@pytest.mark.system
@pytest.mark.timeout(600)
def test_installed_wheel_holds_prompts_rules_and_both_commands(tmp_path: Path) -> None:
    """Marked `system`: it builds a wheel and installs its dependencies, which takes a minute."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("codeb_mcp-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    bin_folder = tmp_path / "venv" / "bin"
    subprocess.run([bin_folder / "python", "-m", "pip", "-q", "install", wheel], check=True)
    read = subprocess.run(
        [bin_folder / "python", "-c", READ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert read.stdout.startswith(str(tmp_path))
    for command in ("codeb", "codeb-mcp"):
        shown = subprocess.run(
            [bin_folder / command, "--version"], capture_output=True, text=True, check=True
        )
        assert "0.1.0" in shown.stdout
