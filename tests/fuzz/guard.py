"""Feed the guard what nobody would write, for as long as you like: no crash, no hang.

    pip install atheris
    nice -n 19 python -m tests.fuzz.guard FOLDER -max_total_time=3600 -timeout=600

FOLDER keeps what was found interesting; it is filled with this repository's own cases first. An
input is a diff as it stands, or a path and two texts of which a diff is made. A diff that cannot be
read is refused, which is right; anything else that is raised, or takes five seconds of a processor,
is a defect.
"""

import contextlib
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

CASES = Path(__file__).parents[1] / "cases" / "guard.jsonl"
PATHS = [
    "src/a.ts",
    "src/a.test.ts",
    "src/App.tsx",
    "app/a.py",
    "tests/test_a.py",
    "a.go",
    "a_test.go",
    "src/lib.rs",
    "A.java",
    "A.kt",
    "a.rb",
    "a.cs",
    "a.php",
    "a.c",
    "a.swift",
    "run.sh",
    "run.ps1",
    "Makefile",
    "Dockerfile",
    "Jenkinsfile",
    "package.json",
    "pyproject.toml",
    "tox.ini",
    "compose.yaml",
    ".gitlab-ci.yml",
    ".github/workflows/ci.yml",
    "eslint.config.js",
    "tsconfig.json",
    "pom.xml",
    "build.gradle",
    "a.container",
    "main.tf",
    ".env",
    "a.vue",
    ".trivyignore",
    "README.md",
]
SLOWEST = 5.0
SPLIT = b"\xff\xff"


def seeds(folder: Path) -> None:
    """The cases of this repository as inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, line in enumerate(CASES.read_text(encoding="utf-8").splitlines()):
        case = json.loads(line)
        at = next((i for i, p in enumerate(PATHS) if p.endswith(Path(case["path"]).suffix)), 0)
        texts = [(case[side] or "").encode() for side in ("old", "new")]
        (folder / f"case{number}").write_bytes(bytes([at + 1]) + SPLIT.join(texts))


def main() -> None:
    """Fuzz until the time is over."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["codeb_mcp.guard"]):
        from codeb_mcp.adapters.rule_files import bypass_rules
        from codeb_mcp.errors import InvalidRequest
        from codeb_mcp.guard.compose import diff_of
        from codeb_mcp.guard.rules import load_rules
        from codeb_mcp.guard.verdict import judge
    rules = load_rules(bypass_rules())

    def one(data: bytes) -> None:
        if not data:
            return
        if data[0] == 0:
            diff = data[1:].decode("utf-8", "surrogateescape")
        else:
            old, _, new = data[1:].partition(SPLIT)
            path = PATHS[(data[0] - 1) % len(PATHS)]
            diff = diff_of(path, *(t.decode("utf-8", "surrogateescape") for t in (old, new)))
        began = time.process_time()
        with contextlib.suppress(InvalidRequest):
            judge(diff, rules)
        assert time.process_time() - began < SLOWEST, "too slow"

    seeds(Path(sys.argv[1]))
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
