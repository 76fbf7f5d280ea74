"""Python projects with pip, uv or Poetry."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from codeb_mcp.domain.project import ProjectType
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.stacks import Commands, SourceTree, Stack, asked_for_start
from codeb_mcp.planning.start_commands import cmd, procfile_web

DEFAULT_PYTHON = "3.13"
UV = "uv==0.9.9"
POETRY = "poetry==2.2.1"
_ENTRIES = ("main.py", "app.py", "server.py", "app/main.py", "app/__init__.py", "src/main.py")
_APP = re.compile(r"^(\w+)\s*(?::[^=\n]+)?=\s*(FastAPI|Starlette|Flask|Quart)\(", re.MULTILINE)
_SETTINGS = re.compile(r"DJANGO_SETTINGS_MODULE[\"']\s*,\s*[\"']([\w.]+)\.settings[\w.]*[\"']")
_IGNORED = ("__pycache__", "*.pyc", ".venv", "venv", ".pytest_cache", ".mypy_cache", ".ruff_cache")


def python(tree: SourceTree, commands: Commands) -> Stack | None:
    """A project with requirements.txt or pyproject.toml."""
    if tree.first("requirements.txt", "pyproject.toml") is None:
        return None
    pyproject = pyproject_of(tree)
    reason, values = _installed(tree, pyproject)
    command, why = _start(tree, pyproject, commands)
    values = {"tool": "", "settings": "", "dependencies": "", **values}
    values |= {
        "tag": f"{version_of(tree, pyproject)}-slim",
        "build": f"RUN {commands.build}" if commands.build else "",
        "command": cmd(command),
    }
    reasons = (reason, f"it is started with {command} ({why})")
    return Stack(ProjectType.PYTHON, reasons, "python", values, _IGNORED)


def _installed(tree: SourceTree, pyproject: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Why this tool, and what installs the dependencies first and then the project itself."""
    if "uv.lock" in tree.names:
        uv = "/opt/tool/bin/uv sync --frozen --no-dev"
        return "uv.lock is there", {
            "tool": _tool(UV),
            "settings": "ENV UV_PROJECT_ENVIRONMENT=/venv UV_LINK_MODE=copy "
            "UV_PYTHON_DOWNLOADS=never",
            "dependencies": "COPY pyproject.toml uv.lock ./\n"
            + _cached("/root/.cache/uv", f"{uv} --no-install-project"),
            "project": _cached("/root/.cache/uv", f"{uv} --no-editable")
            if "build-system" in pyproject
            else "",
        }
    if "poetry.lock" in tree.names:
        poetry = "/opt/tool/bin/poetry install --only main --no-root"
        install = _cached("/root/.cache/pypoetry", poetry)
        return "poetry.lock is there", {
            "tool": _tool(POETRY),
            "settings": "ENV VIRTUAL_ENV=/venv POETRY_NO_INTERACTION=1",
            # without any dependency there is no group `main`, which Poetry calls an error
            "dependencies": f"COPY pyproject.toml poetry.lock ./\n{install}"
            if _needs(tree, pyproject) - {"python"}
            else "",
            "project": "",
        }
    if "requirements.txt" in tree.names:
        return "requirements.txt is there", {
            "dependencies": "COPY requirements.txt ./\n"
            + _cached("/root/.cache/pip", "pip install --requirement requirements.txt"),
            "project": "",
        }
    return "pyproject.toml is there", {"project": _cached("/root/.cache/pip", "pip install .")}


def _tool(requirement: str) -> str:
    return f"RUN python -m venv /opt/tool && /opt/tool/bin/pip install --no-cache-dir {requirement}"


def _cached(folder: str, command: str) -> str:
    return f"RUN --mount=type=cache,target={folder} {command}"


def _start(tree: SourceTree, pyproject: Mapping[str, Any], commands: Commands) -> tuple[str, str]:
    if commands.start:
        return commands.start, "as given"
    if web := procfile_web(tree.text("Procfile")):
        return web, "Procfile"
    needed = _needs(tree, pyproject)
    if "manage.py" in tree.names and (found := _SETTINGS.search(tree.text("manage.py"))):
        return _served(f"{found[1]}.wsgi:application", "gunicorn", needed), "manage.py"
    for name in _ENTRIES:
        if found := _APP.search(tree.text(name)):
            module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            server = "gunicorn" if found[2] == "Flask" else "uvicorn"
            return _served(f"{module}:{found[1]}", server, needed), f"{found[2]} in {name}"
    if entry := tree.first("main.py", "app.py", "server.py"):
        return f"python {entry}", "its name"
    raise asked_for_start("this Python project")


def _served(application: str, server: str, needed: set[str]) -> str:
    """How `server` serves it. One that is not among the dependencies is asked for."""
    if server == "uvicorn" and needed & {"uvicorn", "fastapi[standard]", "fastapi[all]"}:
        return f"uvicorn {application} --host 0.0.0.0 --port $PORT"
    if server in needed:
        return f"{server} --bind 0.0.0.0:$PORT {application}"
    raise InvalidRequest(
        f"{application} needs a server, and {server} is not among the dependencies",
        hint=f"add {server} to the dependencies, or give --start-command",
        code="start_command_missing",
    )


def _needs(tree: SourceTree, pyproject: Mapping[str, Any]) -> set[str]:
    """The names of the dependencies, also with their extras, lower-cased."""
    lines = tree.text("requirements.txt").splitlines()
    project = pyproject.get("project")
    if isinstance(project, dict) and isinstance(project.get("dependencies"), list):
        lines += [str(each) for each in project["dependencies"]]
    poetry = pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {})
    lines += list(poetry)
    needed: set[str] = set()
    for line in lines:
        if found := re.match(r"\s*([A-Za-z0-9._-]+)\s*(\[[\w,\s-]+\])?", line):
            name = found[1].lower().replace("_", "-")
            needed |= {name, f"{name}{(found[2] or '').replace(' ', '')}"}
    return needed


def version_of(tree: SourceTree, pyproject: Mapping[str, Any]) -> str:
    """The version of Python that it runs on, such as `3.13`."""
    if found := re.match(r"\s*(3\.\d+)", tree.text(".python-version")):
        return found[1]
    project = pyproject.get("project")
    asked = str(project.get("requires-python") or "") if isinstance(project, dict) else ""
    if found := re.search(r"(?:==|~=)\s*(3\.\d+)", asked):
        return found[1]
    below = re.search(r"<\s*3\.(\d+)", asked)
    newest = int(DEFAULT_PYTHON.partition(".")[2])
    return f"3.{min(newest, int(below[1]) - 1)}" if below else DEFAULT_PYTHON


def pyproject_of(tree: SourceTree) -> Mapping[str, Any]:
    """What pyproject.toml says. Raises InvalidRequest."""
    try:
        return tomllib.loads(tree.text("pyproject.toml"))
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(
            f"pyproject.toml is not valid TOML: {error}",
            hint="correct it, then try again",
            code="invalid_source",
        ) from None
