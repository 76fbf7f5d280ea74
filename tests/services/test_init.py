"""Registering a project from its source folder."""

import json
from pathlib import Path

import pytest

from codeb_mcp.domain.names import EnvironmentName, ImageReference, ProjectName
from codeb_mcp.domain.project import EnvironmentKey, ProjectType
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.companions import Companion
from codeb_mcp.services.deployments import Deployments, DeployRequest, Progress
from codeb_mcp.services.projects import NewProject, Projects
from codeb_mcp.services.views import InitView
from tests.fakes.systems import InMemoryHost
from tests.outcomes import fails_with

SHOP = ProjectName("shop")
PACKAGE = json.dumps({"main": "server.js"})


@pytest.fixture
def host(tmp_path: Path) -> InMemoryHost:
    return InMemoryHost(tmp_path / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


async def init(
    host: InMemoryHost, new: NewProject, source: Path | None = None, *, named: bool = True
) -> InitView:
    return await Projects(host.systems(), lambda: "abc").init(new, "cli:me", source, named=named)


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_type_is_told_from_the_source_and_what_is_missing_is_written(
    host: InMemoryHost, source: Path
) -> None:
    (source / "package.json").write_text(PACKAGE)
    view = await init(host, NewProject(SHOP), source)
    assert (view.type, len(view.files)) == ("node", 3)
    assert "package.json is there" in view.reasons
    assert listed(source) == {"package.json", "Containerfile", ".containerignore", ".mcp.json"}
    assert f"source={source}" in view.next
    assert (await host.registry.project(SHOP)).type is ProjectType.NODE


async def test_the_same_again_changes_nothing(host: InMemoryHost, source: Path) -> None:
    (source / "package.json").write_text(PACKAGE)
    new = NewProject(SHOP, start_command="node server.js --port $PORT")
    first = await init(host, new, source)
    before = await host.registry.project(SHOP)
    again = await init(host, new, source)
    assert (again.type, again.files) == (first.type, [])
    assert await host.registry.project(SHOP) == before


async def test_other_settings_for_a_name_that_is_taken_are_refused_and_write_nothing(
    host: InMemoryHost, source: Path
) -> None:
    await init(host, NewProject(SHOP, ProjectType.IMAGE))
    (source / "package.json").write_text(PACKAGE)
    async with fails_with(InvalidRequest, "project_exists", "shop"):
        await init(host, NewProject(SHOP), source)
    assert listed(source) == {"package.json"}


async def test_start_command_is_in_the_containerfile_where_a_shell_expands_it(
    host: InMemoryHost, source: Path
) -> None:
    (source / "package.json").write_text(PACKAGE)
    await init(host, NewProject(SHOP, start_command="node x.js --port $PORT"), source)
    assert '["sh", "-c", "exec node x.js --port $PORT"]' in (source / "Containerfile").read_text()
    assert (await host.registry.project(SHOP)).config.start_command is None


async def test_start_command_beside_a_containerfile_of_one_s_own_is_kept(
    host: InMemoryHost, source: Path
) -> None:
    (source / "Containerfile").write_text("FROM scratch\n")
    await init(host, NewProject(SHOP, start_command="/app serve"), source)
    assert (await host.registry.project(SHOP)).config.start_command == "/app serve"
    assert listed(source) == {"Containerfile", ".mcp.json"}


async def test_ignore_file_for_docker_is_not_overruled(host: InMemoryHost, source: Path) -> None:
    (source / "package.json").write_text(PACKAGE)
    (source / ".dockerignore").write_text("big\n")
    await init(host, NewProject(SHOP), source)
    assert ".containerignore" not in listed(source)


@pytest.mark.parametrize(
    ("files", "code", "note"),
    [
        ({}, "unknown_stack", ""),
        ({"package.json": "{}"}, "start_command_missing", "nothing says how"),
        (
            {"package.json": PACKAGE, "requirements.txt": "", "main.py": ""},
            "ambiguous_stack",
            "--type node or --type python",
        ),
    ],
)
async def test_folder_that_cannot_be_told_is_an_error_where_it_was_named_and_else_a_note(
    host: InMemoryHost, source: Path, files: dict[str, str], code: str, note: str
) -> None:
    for name, text in files.items():
        (source / name).write_text(text)
    async with fails_with(InvalidRequest, code):
        await init(host, NewProject(SHOP), source)
    assert await host.registry.projects() == ()
    view = await init(host, NewProject(SHOP), source, named=False)
    assert (view.type, view.files) == ("dockerfile", [])
    assert note in view.note
    assert listed(source) == set(files)


async def test_project_of_images_writes_nothing_where_it_was_not_asked_to(
    host: InMemoryHost, source: Path
) -> None:
    (source / "package.json").write_text(PACKAGE)
    await init(host, NewProject(SHOP, ProjectType.IMAGE), source, named=False)
    assert listed(source) == {"package.json"}


async def test_how_far_a_pull_has_come_is_told(host: InMemoryHost) -> None:
    await init(host, NewProject(SHOP, ProjectType.IMAGE))
    seen: list[Progress] = []

    async def watch(progress: Progress) -> None:
        seen.append(progress)

    key = EnvironmentKey(SHOP, EnvironmentName("staging"))
    request = DeployRequest(key, ImageReference(host.good_image()), "cli:me")
    await Deployments(host.systems()).deploy(request, watch)
    assert [each.detail for each in seen if each.detail] == ["layer 1 of 1"]
    assert [each.done for each in seen] == sorted(each.done for each in seen)


async def test_repository_gets_workflows_and_the_agents_hook_once(
    host: InMemoryHost, source: Path
) -> None:
    (source / "package.json").write_text(PACKAGE)
    (source / ".git").mkdir()
    own = source / ".github" / "workflows" / "ci-cd.yml"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    await init(host, NewProject(SHOP, companions=(Companion.PLAYWRIGHT,)), source)
    assert own.read_text() == "mine"
    assert listed(own.parent) == {"ci-cd.yml", "self-healing-ci.yml"}
    hook = json.loads((source / ".claude" / "settings.json").read_text())
    (entry,) = hook["hooks"]["PreToolUse"]
    assert "Edit" in entry["matcher"]
    assert entry["hooks"] == [{"type": "command", "command": "codeb guard --hook"}]
    servers = json.loads((source / ".mcp.json").read_text())["mcpServers"]
    assert list(servers) == ["codeb", "playwright"]


async def test_nothing_is_written_through_a_link_out_of_the_folder(
    host: InMemoryHost, source: Path, tmp_path: Path
) -> None:
    (source / "package.json").write_text(PACKAGE)
    (source / ".git").mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (source / ".github").symlink_to(outside)
    async with fails_with(InvalidRequest, "no_source_folder", "link"):
        await init(host, NewProject(SHOP), source)
    assert listed(outside) == set()
