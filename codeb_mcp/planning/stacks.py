"""What a source folder holds, told from its file names and a few contents."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from codeb_mcp.domain.project import ProjectType
from codeb_mcp.errors import InvalidRequest

BUILD_FILES = ("Containerfile", "Dockerfile")
DECISIVE = (
    *BUILD_FILES,
    *("package.json", "yarn.lock", ".yarnrc.yml", ".nvmrc", ".node-version"),
    *("next.config.js", "next.config.mjs", "next.config.ts"),
    *("requirements.txt", "pyproject.toml", ".python-version", "manage.py", "Procfile"),
    *("main.py", "app.py", "server.py", "app/main.py", "app/__init__.py", "src/main.py"),
    *("go.mod", "main.go"),
)
"""The files whose contents are looked at; of all others only the name."""
_OURS = re.compile(r"# Written by codeb init \(([a-z]+)\)")


@dataclass(frozen=True, slots=True)
class SourceTree:
    """A folder: `names` are the paths of its files two levels deep, `texts` the decisive ones."""

    names: frozenset[str]
    texts: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The content of a decisive file; empty where there is none."""
        return self.texts.get(name, "")

    def has_folder(self, name: str) -> bool:
        """Whether there are files in that folder."""
        return any(each.startswith(f"{name}/") for each in self.names)

    def first(self, *names: str) -> str | None:
        """The first of these that is there."""
        return next((name for name in names if name in self.names), None)


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands that were given, which win over those that would be guessed."""

    build: str | None = None
    start: str | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """What was found, and why. `template` is empty where no Containerfile is to be written; `ours`
    says that codeb wrote the one that is there.

    `values` are what the template's placeholders stand for; `ignored` are the lines that
    `.containerignore` has beside the common ones.
    """

    type: ProjectType
    reasons: tuple[str, ...]
    template: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    ours: bool = False


Detector = Callable[[SourceTree, Commands], Stack | None]


def existing(tree: SourceTree, wanted: ProjectType | None) -> Stack | None:
    """The stack of a folder that has a Containerfile; one that codeb wrote says which it is."""
    name = tree.first(*BUILD_FILES)
    if name is None:
        return None
    ours = _OURS.match(tree.text(name))
    told = ProjectType(ours[1]) if ours and ours[1] in set(ProjectType) else ProjectType.DOCKERFILE
    reason = f"{name} is there" + (", written by codeb init" if ours else "")
    return Stack(wanted or told, (reason,), ours=bool(ours))


def static(tree: SourceTree, _commands: Commands) -> Stack | None:
    """A site that needs no build."""
    page = tree.first("index.html", "public/index.html", "dist/index.html", "site/index.html")
    if page is None:
        return None
    root = page.rpartition("/")[0] or "."
    return Stack(
        ProjectType.STATIC,
        (f"{page} is there and nothing that builds it",),
        "static",
        {"root": root, "fallback": "=404"},
    )


def chosen(
    tree: SourceTree,
    wanted: ProjectType | None,
    commands: Commands,
    detectors: Mapping[ProjectType, Detector],
) -> Stack:
    """The one stack that the folder is of. `wanted` wins; otherwise two that fit are a question.

    Raises InvalidRequest: `unknown_stack`, `ambiguous_stack`, or what a detector asks for.
    """
    if (found := existing(tree, wanted)) is not None:
        return found
    if wanted is ProjectType.IMAGE:
        return Stack(wanted, ("its images are built elsewhere",))
    if wanted is not None:
        detector = detectors.get(wanted)
        found = detector(tree, commands) if detector else None
        if found is None:
            raise unknown(f"nothing of a project of type {wanted} is in it")
        return found
    found_by = (detector(tree, commands) for detector in detectors.values())
    return _only([stack for stack in found_by if stack is not None])


def _only(fitting: list[Stack]) -> Stack:
    # a page beside a program belongs to it; a site that is built is a project of its own
    built = [stack for stack in fitting if stack.template != "static"] or fitting
    if not built:
        raise unknown("it holds nothing that codeb knows how to build")
    if len({stack.type for stack in built}) > 1:
        raise InvalidRequest(
            "the folder could be "
            + " or ".join(f"{stack.type} ({stack.reasons[0]})" for stack in built),
            hint="say which: --type " + " or --type ".join(stack.type for stack in built),
            code="ambiguous_stack",
        )
    return built[0]


def unknown(why: str) -> InvalidRequest:
    """The error for a folder that nothing fits."""
    return InvalidRequest(
        f"what the folder is made of cannot be told: {why}",
        hint="put a Containerfile into it, or name another folder; known are package.json, "
        "requirements.txt, pyproject.toml, go.mod and index.html",
        code="unknown_stack",
    )


def asked_for_start(what: str) -> InvalidRequest:
    """The question that is left when nothing says how a project is started."""
    return InvalidRequest(
        f"nothing says how {what} is started",
        hint="give --start-command, such as 'node server.js' or 'gunicorn app:app'; $PORT is "
        "the port to listen on",
        code="start_command_missing",
    )
