"""What checks a Python project, with pip, uv or Poetry."""

import re

from codeb_mcp.planning.python_stack import POETRY, UV, pyproject_of, version_of
from codeb_mcp.planning.stacks import SourceTree
from codeb_mcp.planning.workflow_checks import Checks
from codeb_mcp.planning.workflow_steps import ACTIONS, Step

RUFF = "ruff==0.17.5"
MYPY = "mypy==2.4.1"
PYTEST = "pytest==9.2.0"
PIP_AUDIT = "pip-audit==2.10.1"
_MORE = ("requirements-dev.txt", "dev-requirements.txt", "requirements-test.txt")


def python_checks(tree: SourceTree) -> Checks | None:
    """The checks of a folder with requirements.txt or pyproject.toml; None where there is none."""
    if tree.first("requirements.txt", "pyproject.toml") is None:
        return None
    python = Step(
        "",
        uses=ACTIONS["setup_python"],
        inputs={"python-version": version_of(tree, pyproject_of(tree))},
    )
    install, prefix, audit = _tool(tree)
    tests = _tests(tree, prefix)
    return Checks(
        setup=(python, *install),
        quality=(*_lint(tree), *_types(tree, prefix)),
        audit=(
            Step("pip-audit", f"python -m pip install {PIP_AUDIT}"),
            Step("Known vulnerabilities", audit),
        ),
        tests=(Step("Tests", tests),) if tests else (),
    )


def _tool(tree: SourceTree) -> tuple[tuple[Step, ...], str, str]:
    """What installs the dependencies, what stands before a command, and what audits them."""
    if "uv.lock" in tree.names:
        install = f"python -m pip install {UV}\nuv sync --frozen"
        audit = (
            "uv export --frozen --no-dev --no-emit-project --output-file audited.txt\n"
            "python -m pip_audit --requirement audited.txt --disable-pip"
        )
        return (Step("Dependencies", install),), "uv run --frozen ", audit
    if "poetry.lock" in tree.names:
        install = f"python -m pip install {POETRY}\npoetry install --no-root"
        audit = (
            'site=$(poetry run python -c "import site; print(site.getsitepackages()[0])")\n'
            'python -m pip_audit --path "$site"'
        )
        return (Step("Dependencies", install),), "poetry run ", audit
    files = [name for name in ("requirements.txt", *_MORE) if name in tree.names]
    lines = [f"python -m pip install --requirement {name}" for name in files]
    if "requirements.txt" in files:
        return (
            (Step("Dependencies", "\n".join(lines)),),
            "",
            ("python -m pip_audit --requirement requirements.txt"),
        )
    dev = re.search(r"^dev\s*=", tree.text("pyproject.toml"), re.MULTILINE)
    group = dev and "[dependency-groups]" in tree.text("pyproject.toml")
    lines.append(f"python -m pip install .{' --group dev' if group else ''}")
    return (Step("Dependencies", "\n".join(lines)),), "", "python -m pip_audit ."


def _lint(tree: SourceTree) -> tuple[Step, ...]:
    own = "[tool.ruff" in tree.text("pyproject.toml") or tree.first("ruff.toml", ".ruff.toml")
    steps = (
        Step("Ruff", f"python -m pip install {RUFF}"),
        Step("Lint", "python -m ruff check ."),
    )
    # without settings of its own the project may be formatted by something else
    return (*steps, Step("Format", "python -m ruff format --check .")) if own else steps


def _types(tree: SourceTree, prefix: str) -> tuple[Step, ...]:
    if "[tool.mypy]" not in tree.text("pyproject.toml") and not tree.first("mypy.ini", ".mypy.ini"):
        return ()
    if prefix.startswith("uv"):
        return (Step("Types", f"uv run --frozen --with {MYPY} mypy ."),)
    if prefix:
        return (
            Step("Mypy", f"{prefix}python -m pip install {MYPY}"),
            Step("Types", f"{prefix}mypy ."),
        )
    return (Step("Mypy", f"python -m pip install {MYPY}"), Step("Types", "python -m mypy ."))


def _tests(tree: SourceTree, prefix: str) -> str:
    named = any(re.search(r"(^|/)(test_\w+|\w+_test)\.py$", name) for name in tree.names)
    if "manage.py" in tree.names and not tree.first("pytest.ini", "conftest.py"):
        return f"{prefix}python manage.py test"
    if not named and not tree.has_folder("tests"):
        return ""
    if prefix.startswith("uv"):
        return f"uv run --frozen --with {PYTEST} python -m pytest"
    return f"{prefix}python -m pip install {PYTEST}\n{prefix}python -m pytest"
