"""Node projects: Next.js, servers, and sites that are built to static files."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codeb_mcp.domain.project import ProjectType
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.stacks import Commands, SourceTree, Stack, asked_for_start
from codeb_mcp.planning.start_commands import cmd, procfile_web

DEFAULT_NODE = 24
"""The newest long-term release with corepack in its image."""
COREPACK = "corepack@0.34.5"
_LOCK_FILES = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}
_SITE_BUILDERS = {
    "vite": "dist",
    "astro": "dist",
    "react-scripts": "build",
    "@vue/cli-service": "dist",
    "parcel": "dist",
    "gatsby": "public",
    "@11ty/eleventy": "_site",
}
_SERVES_ITSELF = ("@sveltejs/kit", "nuxt", "@remix-run/node", "@react-router/node", "@astrojs/node")
_NEXT_CONFIGS = ("next.config.js", "next.config.mjs", "next.config.ts")
_IGNORED = ("node_modules", ".next", "out", "coverage")
_CORE = re.compile(r"^[\s^~=v]*(\d+)(?:\.[\dx*]+)*\s*$")
_AT_LEAST = re.compile(r"^\s*>=\s*v?(\d+)")


@dataclass(frozen=True, slots=True)
class Manager:
    """A package manager: what it reads, and its commands as RUN lines without `RUN`."""

    name: str
    reason: str
    manifests: tuple[str, ...]
    install: str
    prune: str
    cache: str
    settings: tuple[str, ...] = ()


def nextjs(tree: SourceTree, commands: Commands) -> Stack | None:
    """A project that depends on Next.js; exported as static files where its config says so."""
    package = package_of(tree)
    if package is None or "next" not in dependencies_of(package):
        return None
    manager = _manager(tree, package)
    config = next((tree.text(name) for name in _NEXT_CONFIGS if name in tree.names), "")
    reasons: tuple[str, ...] = ("package.json depends on next", manager.reason)
    values = _values(tree, package, manager, commands.build or f"{manager.name} run build")
    output = re.search(r"output\s*:\s*[\"'](\w+)[\"']", config)
    if output and output[1] == "export":
        reasons += ("next.config exports it as static files",)
        return _site(values, reasons, "out", "/404.html")
    public = "COPY --from=build /app/public ./public" if tree.has_folder("public") else ""
    if output and output[1] == "standalone" and commands.start is None:
        reasons += ("next.config asks for the standalone output",)
        values |= {"public": public}
        return Stack(ProjectType.NEXTJS, reasons, "nextjs-standalone", values, _IGNORED)
    values |= {"command": cmd(commands.start or "next start")}
    return Stack(ProjectType.NEXTJS, reasons, "nextjs", values, _IGNORED)


def node(tree: SourceTree, commands: Commands) -> Stack | None:
    """Any other project with a package.json that is started with Node."""
    package = package_of(tree)
    if package is None or "next" in dependencies_of(package) or _built_site(package, commands):
        return None
    manager = _manager(tree, package)
    command, why = _start(tree, package, manager, commands)
    build = commands.build or (f"{manager.name} run build" if script_of(package, "build") else "")
    values = _values(tree, package, manager, build) | {"command": cmd(command)}
    return Stack(
        ProjectType.NODE,
        ("package.json is there", manager.reason, f"it is started with {command} ({why})"),
        "node",
        values,
        _IGNORED,
    )


def built_site(tree: SourceTree, commands: Commands) -> Stack | None:
    """A site that a Node tool builds into static files."""
    package = package_of(tree)
    found = _built_site(package, commands) if package else None
    if package is None or found is None:
        return None
    manager = _manager(tree, package)
    values = _values(tree, package, manager, commands.build or f"{manager.name} run build")
    reasons = (f"package.json builds a site with {found}", manager.reason)
    return _site(values, reasons, _SITE_BUILDERS[found], "/index.html")


def _site(values: dict[str, str], reasons: tuple[str, ...], root: str, fallback: str) -> Stack:
    values = values | {"root": root, "fallback": fallback}
    return Stack(ProjectType.STATIC, reasons, "static-built", values, (*_IGNORED, root))


def _built_site(package: Mapping[str, Any], commands: Commands) -> str | None:
    dependencies = dependencies_of(package)
    if commands.start or _serves_itself(dependencies) or not script_of(package, "build"):
        return None
    found = next((name for name in _SITE_BUILDERS if name in dependencies), None)
    start = script_of(package, "start")
    # create-react-app's own `start` is a development server
    serves = start is not None and found is not None and found not in start
    return None if serves else found


def _serves_itself(dependencies: Mapping[str, Any]) -> bool:
    return any(name in dependencies for name in _SERVES_ITSELF)


def _values(
    tree: SourceTree, package: Mapping[str, Any], manager: Manager, build: str
) -> dict[str, str]:
    major = _major(tree, package)
    setup = list(manager.settings)
    if manager.name != "npm":
        install = [f"npm install --global {COREPACK}"] if major > DEFAULT_NODE else []
        setup += [f"RUN {' && '.join([*install, 'corepack enable'])}"]
    return {
        "tag": f"{major}-slim",
        "setup": "\n".join(setup),
        "manifests": " ".join(manager.manifests),
        "cache": manager.cache,
        "install": manager.install,
        "build": f"RUN {build}" if build else "",
        # .npmrc may hold a token
        "finish": " && ".join(filter(None, (build, manager.prune, "rm -f .npmrc"))),
    }


def _start(
    tree: SourceTree, package: Mapping[str, Any], manager: Manager, commands: Commands
) -> tuple[str, str]:
    if commands.start:
        return commands.start, "as given"
    if web := procfile_web(tree.text("Procfile")):
        return web, "Procfile"
    if script := script_of(package, "start"):
        # without a manager in between, which would keep signals from the application
        plain = re.fullmatch(r"node [\w./-]+", script)
        return (script if plain else f"{manager.name} run start"), "the script start"
    entry = package.get("main")
    if isinstance(entry, str) and re.fullmatch(r"[\w./-]+", entry) and not entry.startswith("-"):
        return f"node {entry}", "main"
    if entry := tree.first("server.js", "index.js", "app.js", "server.mjs", "index.mjs"):
        return f"node {entry}", "its name"
    raise asked_for_start("this Node project")


def _manager(tree: SourceTree, package: Mapping[str, Any]) -> Manager:
    field = str(package.get("packageManager") or "")
    locks = {lock: name for lock, name in _LOCK_FILES.items() if lock in tree.names}
    name, _, version = field.partition("@")
    reason = f"packageManager is {name}"
    if not field:
        if len(set(locks.values())) > 1:
            raise InvalidRequest(
                f"package managers cannot be told apart: {' and '.join(locks)} are there",
                hint="remove the file that is not used, or set packageManager in package.json",
                code="ambiguous_stack",
            )
        lock, name = next(iter(locks.items()), ("", "npm"))
        reason = f"{lock} is there" if lock else "no lock file: npm chooses versions anew"
    own = [lock for lock, owner in locks.items() if owner == name]
    npmrc = [".npmrc"] if ".npmrc" in tree.names else []
    manifests = ("package.json", *own, *npmrc)
    match name:
        case "npm":
            install = "npm ci" if own else "npm install"
            return Manager(name, reason, manifests, install, "npm prune --omit=dev", "/root/.npm")
        case "pnpm":
            more = [each for each in ("pnpm-workspace.yaml",) if each in tree.names]
            return Manager(
                name,
                reason,
                (*manifests, *more),
                "pnpm install --frozen-lockfile" if own else "pnpm install",
                "CI=true pnpm prune --prod",
                "/root/.local/share/pnpm/store",
                ("ENV COREPACK_ENABLE_DOWNLOAD_PROMPT=0",),
            )
        case "yarn":
            return _yarn(tree, reason, manifests, version)
        case _:
            raise InvalidRequest(
                f"the package manager {name[:40]!a} is not supported",
                hint="write a Containerfile of your own, or use npm, pnpm or yarn",
                code="unknown_stack",
            )


def _yarn(tree: SourceTree, reason: str, manifests: tuple[str, ...], version: str) -> Manager:
    classic = version.startswith("1.") or "# yarn lockfile v1" in tree.text("yarn.lock")
    prompt = "ENV COREPACK_ENABLE_DOWNLOAD_PROMPT=0"
    if classic:
        again = "yarn install --production --frozen-lockfile --ignore-scripts --prefer-offline"
        cache = "/usr/local/share/.cache/yarn"
        return Manager(
            "yarn", reason, manifests, "yarn install --frozen-lockfile", again, cache, (prompt,)
        )
    more = [each for each in (".yarnrc.yml",) if each in tree.names]
    return Manager(
        "yarn",
        reason,
        (*manifests, *more),
        "yarn install --immutable",
        "yarn workspaces focus --all --production",
        "/root/.yarn/berry/cache",
        # so that what is installed is found without yarn
        (f"{prompt} YARN_NODE_LINKER=node-modules",),
    )


def version_of(tree: SourceTree, package: Mapping[str, Any]) -> str:
    """The major version of Node that it runs on."""
    return str(_major(tree, package))


def _major(tree: SourceTree, package: Mapping[str, Any]) -> int:
    for name in (".nvmrc", ".node-version"):
        if found := _CORE.match(tree.text(name)):
            return int(found[1])
    engines = package.get("engines")
    asked = str(engines.get("node") or "") if isinstance(engines, dict) else ""
    if found := _CORE.match(asked):
        return int(found[1])
    if found := _AT_LEAST.match(asked):
        return max(int(found[1]), DEFAULT_NODE)
    return DEFAULT_NODE


def package_of(tree: SourceTree) -> Mapping[str, Any] | None:
    """What package.json says; None where there is none. Raises InvalidRequest."""
    if "package.json" not in tree.names:
        return None
    try:
        package = json.loads(tree.text("package.json"))
    except ValueError as error:
        raise InvalidRequest(
            f"package.json is not valid JSON: {error}",
            hint="correct it, then try again",
            code="invalid_source",
        ) from None
    if not isinstance(package, dict):
        raise InvalidRequest(
            "package.json is not a JSON object", hint="correct it", code="invalid_source"
        )
    return package


def dependencies_of(package: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a package needs to run and to be built."""
    found: dict[str, Any] = {}
    for field in ("dependencies", "devDependencies"):
        each = package.get(field)
        found |= each if isinstance(each, dict) else {}
    return found


def script_of(package: Mapping[str, Any], name: str) -> str | None:
    """The script of that name; None where there is none."""
    scripts = package.get("scripts")
    script = scripts.get(name) if isinstance(scripts, dict) else None
    return script if isinstance(script, str) and script.strip() else None
