"""Which commands tell whether a project is sound again.

A log is untrusted, so a command that stands in it is never run because it stands there: it only
chooses among the commands that the repository itself defines.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from codeb_mcp.domain.healing import Check
from codeb_mcp.domain.incident import Diagnosis
from codeb_mcp.errors import InvalidRequest

CONFIG = ".codeb/heal.toml"
READ = (CONFIG, "package.json", "pyproject.toml", "pytest.ini", "pnpm-lock.yaml", "yarn.lock")
WORKFLOWS = ".github/workflows/"
MOST_CHECKS = 8

_SCRIPTS = ("lint", "typecheck", "type-check", "check-types", "test", "build")
_RUN = re.compile(r"^(?:-\s+)?(?:run:\s*)?[|>]?[-+]?\s*")
_FALLBACKS: Mapping[str, str] = {
    "tsc": "npx --no-install tsc --noEmit",
    "eslint": "npx --no-install eslint .",
    "prettier": "npx --no-install prettier --check .",
    "jest": "npx --no-install jest",
    "vitest": "npx --no-install vitest run",
    "npm audit": "npm audit",
    "node:test": "node --test",
    "pytest": "python -m pytest -q",
    "unittest": "python -m unittest",
    "ruff": "ruff check .",
    "mypy": "mypy .",
    "flake8": "flake8",
    "bandit": "bandit -q -r .",
    "pip-audit": "pip-audit",
    "hadolint": "hadolint Dockerfile",
}


@dataclass(frozen=True, slots=True)
class HealConfig:
    """What a repository says of its own heals, in `.codeb/heal.toml` of the code that failed."""

    checks: tuple[str, ...] = ()
    network: bool = False
    protected: tuple[str, ...] = ()
    lines: int | None = None
    seconds: float = 600.0


def parse_config(text: str | None) -> HealConfig:
    """The configuration; InvalidRequest says what is wrong with it."""
    if text is None:
        return HealConfig()
    try:
        data = tomllib.loads(text)
        if unknown := data.keys() - {"checks", "network", "protected", "lines", "seconds"}:
            raise ValueError(f"there is no key {min(unknown)}")
        return HealConfig(
            checks=_texts(data, "checks"),
            network=_typed(data, "network", bool, False),
            protected=_texts(data, "protected"),
            lines=_typed(data, "lines", int, None),
            seconds=float(_typed(data, "seconds", int | float, 600.0)),
        )
    except ValueError as error:
        raise InvalidRequest(
            f"{CONFIG} cannot be used: {error}",
            hint='it may hold checks = ["npm test"], network, protected, lines and seconds',
            code="invalid_heal_config",
        ) from None


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = data.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        raise ValueError(f"{key} must be a list of texts")
    return tuple(found)


def _typed(data: Mapping[str, Any], key: str, kind: Any, default: Any) -> Any:
    found = data.get(key, default)
    if found is not default and (not isinstance(found, kind) or (kind is int and found is True)):
        raise ValueError(f"{key} has the wrong type")
    return found


def choose_checks(diagnosis: Diagnosis, files: Mapping[str, str]) -> tuple[Check, ...]:
    """The checks to try, the one that most likely failed first, each once.

    `files` holds the texts of `READ` and of the workflows, as far as there are such files.
    """
    chosen: dict[str, Check] = {}
    for check in _candidates(diagnosis, files):
        chosen.setdefault(check.command, check)
    return tuple(chosen.values())[:MOST_CHECKS]


def _candidates(diagnosis: Diagnosis, files: Mapping[str, str]) -> Iterator[Check]:
    config = parse_config(files.get(CONFIG))
    scripts = _npm_scripts(files.get("package.json"))
    runner = _runner(files)
    tools = [each.tool for each in diagnosis.incidents if each.caused_by is None]
    if diagnosis.failed_command:
        yield from _from_log(diagnosis.failed_command, config, scripts, runner, files)
    for tool in tools:
        for command in config.checks:
            if _mentions(command, tool):
                yield Check(command, f"{CONFIG} names it, and it runs {tool}")
        for name, script in scripts.items():
            if _mentions(script, tool):
                yield Check(f"{runner} run {name}", f"the script {name} runs {tool}")
    if config.checks:
        yield from (Check(each, f"{CONFIG} names it") for each in config.checks)
        return
    for tool in tools:
        if tool in _FALLBACKS:
            yield Check(_FALLBACKS[tool], f"{tool} reported the failure")
    for name in _SCRIPTS:
        if name in scripts:
            yield Check(f"{runner} run {name}", f"package.json has the script {name}")
    yield from _python_checks(files)


def _from_log(
    command: str,
    config: HealConfig,
    scripts: Mapping[str, str],
    runner: str,
    files: Mapping[str, str],
) -> Iterator[Check]:
    command = command.strip()
    if command in config.checks:
        yield Check(command, f"it failed, and {CONFIG} names it")
    for name, script in scripts.items():
        if command == script or command.split() in _ways_to_run(name):
            yield Check(f"{runner} run {name}", f"the script {name} failed")
    lines = [each.strip() for each in command.split("; ")]
    for path, text in files.items():
        if path.startswith(WORKFLOWS) and all(line in _workflow_lines(text) for line in lines):
            yield Check("\n".join(lines), f"it failed, and {path} runs it")


def _ways_to_run(name: str) -> list[list[str]]:
    ways = [[each, "run", name] for each in ("npm", "pnpm", "yarn", "bun")]
    return [*ways, *([each, name] for each in ("npm", "pnpm", "yarn"))]


def _workflow_lines(text: str) -> set[str]:
    found = set()
    for raw in text.splitlines():
        line = _RUN.sub("", raw.strip())
        if len(line) > 1 and line[0] == line[-1] and line[0] in "\"'":
            line = line[1:-1]
        if line and "${{" not in line:
            found.add(line)
    return found


def _mentions(command: str, tool: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(tool)}(?![\w-])", command) is not None


def _runner(files: Mapping[str, str]) -> str:
    if "pnpm-lock.yaml" in files:
        return "pnpm"
    return "yarn" if "yarn.lock" in files else "npm"


def _npm_scripts(text: str | None) -> dict[str, str]:
    try:
        scripts = json.loads(text or "{}").get("scripts", {})
        return {
            str(name): str(script)
            for name, script in scripts.items()
            if re.fullmatch(r"[\w:.-]+", str(name))
        }
    except (ValueError, AttributeError):
        return {}


def _python_checks(files: Mapping[str, str]) -> Iterator[Check]:
    try:
        tool = tomllib.loads(files.get("pyproject.toml", "")).get("tool", {})
    except tomllib.TOMLDecodeError:
        return
    for name, command in (("ruff", "ruff check ."), ("mypy", "mypy .")):
        if name in tool:
            yield Check(command, f"pyproject.toml configures {name}")
    if "pytest" in tool or "pytest.ini" in files:
        yield Check("python -m pytest -q", "the project is tested with pytest")
