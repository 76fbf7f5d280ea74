"""What checks a Node project: the tools that it has, by the scripts that it has for them."""

from collections.abc import Mapping
from typing import Any

from codeb_mcp.planning.node_stack import dependencies_of, package_of, script_of, version_of
from codeb_mcp.planning.stacks import SourceTree
from codeb_mcp.planning.workflow_checks import Checks
from codeb_mcp.planning.workflow_steps import ACTIONS, Step

_INSTALL = {
    "npm": ("npm ci", "npm install"),
    "pnpm": ("pnpm install --frozen-lockfile", "pnpm install"),
    "yarn": ("yarn install --frozen-lockfile", "yarn install"),
}
_LOCKS = {"npm": ("package-lock.json", "npm-shrinkwrap.json"), "pnpm": ("pnpm-lock.yaml",)}
_ESLINT = ("eslint.config.js", "eslint.config.mjs", "eslint.config.cjs", "eslint.config.ts")
_BROWSERS = "npx --no-install playwright install --with-deps chromium"
_PLACEHOLDER = "no test specified"
"""What `npm init` writes in place of a test."""


def node_checks(tree: SourceTree) -> Checks | None:
    """The checks of a folder with a package.json; None where there is none."""
    package = package_of(tree)
    if package is None:
        return None
    manager = _manager(tree, package)
    has = _Tools(tree, package, manager)
    return Checks(
        setup=_setup(tree, package, manager),
        quality=has.quality(),
        audit=(Step("Known vulnerabilities", _audit(tree, manager)),) if _locked(tree) else (),
        tests=has.tests(),
        e2e=has.e2e(),
    )


class _Tools:
    """What a package has, and how it is called."""

    def __init__(self, tree: SourceTree, package: Mapping[str, Any], manager: str) -> None:
        self._tree = tree
        self._package = package
        self._manager = manager
        self._needs = dependencies_of(package)

    def quality(self) -> tuple[Step, ...]:
        eslint = "eslint" in self._needs and self._tree.first(*_ESLINT, ".eslintrc.json")
        return _steps(
            ("ESLint", self._run("lint") or (self._tool("eslint .") if eslint else "")),
            (
                "Types",
                self._run("typecheck", "type-check", "check-types")
                or (
                    self._tool("tsc --noEmit")
                    if "typescript" in self._needs and "tsconfig.json" in self._tree.names
                    else ""
                ),
            ),
            (
                "Prettier",
                self._run("format:check", "prettier:check", "check-format")
                or (self._tool("prettier --check .") if "prettier" in self._needs else ""),
            ),
        )

    def tests(self) -> tuple[Step, ...]:
        unit = self._run("test:unit", "unit") or self._run("test")
        if _PLACEHOLDER in (script_of(self._package, "test") or "") and "test:unit" not in unit:
            unit = ""
        return _steps(
            ("Unit tests", unit),
            ("Integration tests", self._run("test:integration", "integration")),
            ("Build", self._run("build")),
        )

    def e2e(self) -> tuple[Step, ...]:
        playwright = "@playwright/test" in self._needs
        script = self._run("test:e2e", "e2e")
        command = script or (self._tool("playwright test") if playwright else "")
        return _steps(("Browsers", _BROWSERS if playwright else ""), ("End-to-end tests", command))

    def _run(self, *names: str) -> str:
        name = next((name for name in names if script_of(self._package, name)), None)
        return f"{self._manager} run {name}" if name else ""

    def _tool(self, command: str) -> str:
        return (
            f"npx --no-install {command}"
            if self._manager == "npm"
            else f"{self._manager} exec {command}"
        )


def _steps(*named: tuple[str, str]) -> tuple[Step, ...]:
    return tuple(Step(name, run) for name, run in named if run)


def _manager(tree: SourceTree, package: Mapping[str, Any]) -> str:
    named = str(package.get("packageManager") or "").partition("@")[0]
    if named in _INSTALL:
        return named
    if "pnpm-lock.yaml" in tree.names:
        return "pnpm"
    return "yarn" if "yarn.lock" in tree.names else "npm"


def _locked(tree: SourceTree) -> bool:
    return (
        tree.first("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock")
        is not None
    )


def _classic(tree: SourceTree) -> bool:
    return "# yarn lockfile v1" in tree.text("yarn.lock")


def _setup(tree: SourceTree, package: Mapping[str, Any], manager: str) -> tuple[Step, ...]:
    frozen, free = _INSTALL[manager]
    if manager == "yarn" and not _classic(tree):
        frozen = "yarn install --immutable"
    node = Step("", uses=ACTIONS["setup_node"], inputs={"node-version": version_of(tree, package)})
    corepack = (Step("Package manager", "corepack enable"),) if manager != "npm" else ()
    return (*(node,), *corepack, Step("Dependencies", frozen if _locked(tree) else free))


def _audit(tree: SourceTree, manager: str) -> str:
    if manager == "npm":
        return "npm audit --audit-level=high"
    if manager == "pnpm":
        return "pnpm audit --audit-level=high"
    if _classic(tree):
        # its exit code is the sum of what it found: 8 for high, 16 for critical
        return 'code=0\nyarn audit --level high || code=$?\ntest "$code" -lt 8'
    return "yarn npm audit --all --recursive --severity high"
