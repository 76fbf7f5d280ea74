"""Projects as they come, from source to serving: init writes a Containerfile, deploy builds it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.test_stacks import CASES, TYPES

from .sites import EmbeddedSite
from .stand_ins import BASE, NAMES, stand_in

SAYS = {
    "go": "hello from go",
    "nextjs": "hello from next",
    "nextjs-standalone": "hello from next, alone",
    "node-npm": "hello from node, 172800000 ms",
    "node-pnpm": "hello from node, 172800000 ms",
    "node-yarn": "hello from node, 172800000 ms",
    "python-django": "hello from django",
    "python-pip": "hello from flask",
    "python-poetry": "hello from poetry",
    "python-uv": "hello from uv",
    "static": "hello from a page",
    "static-vite": "hello from vite",
}
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def builder(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSite]:
    """codeb with a mirror of the official base images, which are stand-ins."""
    folder = tmp_path_factory.mktemp("builder")
    with EmbeddedSite.opened(folder, base_images=BASE, health_retries=100) as site:
        site.podman("import", str(stand_in()), "localhost/stand-in")
        for name in NAMES:
            site.podman("tag", "localhost/stand-in", f"{BASE}/{name}")
        yield site


def copy_of(case: str, tmp_path: Path) -> Path:
    source = tmp_path / case
    shutil.copytree(CASES / case / "source", source)
    return source


@pytest.mark.parametrize("case", TYPES)
async def test_example_is_built_from_source_and_serves(
    builder: EmbeddedSite, case: str, tmp_path: Path
) -> None:
    source = copy_of(case, tmp_path)
    (source / ".env.production").write_text("SECRET=hunter2secret\n")
    made = json.loads(builder.codeb("init", case, "--source", str(source), "--json"))
    assert made["type"] == TYPES[case]
    names = {Path(name).name for name in made["files"]}
    assert names == {"Containerfile", ".containerignore", ".mcp.json"}
    deploy = ("deploy", case, "--source", str(source), "--json")
    deployed = json.loads(builder.codeb(*deploy))
    answer = await builder.get(deployed["domain"])
    assert SAYS[case] in answer.text
    (container,) = [name for name in builder.snapshot().containers if f"-{case}-staging-" in name]
    config = json.loads(builder.podman("inspect", container))[0]
    assert config["Config"]["User"] == "10001:10001"
    # the same once more: the layers are there, so the image is the same and nothing changes
    assert json.loads(builder.codeb(*deploy))["plan"]["steps"] == []
    again = json.loads(builder.codeb("init", case, "--source", str(source), "--json"))
    assert (again["type"], again["files"]) == (TYPES[case], [])
    (source / "Containerfile").write_text("FROM scratch\n")
    builder.codeb("init", case, "--source", str(source), "--type", TYPES[case])
    assert (source / "Containerfile").read_text() == "FROM scratch\n"


async def test_secrets_and_history_of_a_folder_stay_out_of_its_image(
    builder: EmbeddedSite, tmp_path: Path
) -> None:
    source = copy_of("static", tmp_path)
    (source / ".env").write_text("SECRET=hunter2secret\n")
    (source / ".git").mkdir()
    (source / ".git" / "config").write_text("hunter2secret\n")
    builder.codeb("init", "ignored", "--source", str(source))
    deployed = json.loads(builder.codeb("deploy", "ignored", "--source", str(source), "--json"))
    assert (await builder.get(deployed["domain"], "/style.css")).status_code == 200
    for path in ("/.env", "/.git/config", "/Containerfile", "/.mcp.json"):
        assert (await builder.get(deployed["domain"], path)).status_code == 404


async def test_links_in_a_folder_lead_nowhere_outside_of_it(
    builder: EmbeddedSite, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "page.html").write_text("hunter2secret\n")
    source = copy_of("static", tmp_path)
    (source / "linked.html").symlink_to(secret / "page.html")
    (source / "linked").symlink_to(secret)
    builder.codeb("init", "linked", "--source", str(source))
    deployed = json.loads(builder.codeb("deploy", "linked", "--source", str(source), "--json"))
    for path in ("/linked.html", "/linked/page.html"):
        assert "hunter2" not in (await builder.get(deployed["domain"], path)).text
    (source / "Containerfile").write_text("FROM scratch\nCOPY linked.html /\n")
    failed = builder.try_codeb("deploy", "linked", "--source", str(source))
    assert failed.code == 6
    assert "hunter2" not in failed.out + failed.err


async def test_output_of_a_build_is_told_as_it_goes(builder: EmbeddedSite, tmp_path: Path) -> None:
    source = copy_of("static", tmp_path)
    told: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with builder.session() as mcp:
        made = await mcp.call("init_project", project="watched", source=str(source))
        assert made["type"] == "static"
        arguments = {"project": "watched", "source": str(source)}
        result = await mcp.client.call_tool("deploy", arguments, progress_callback=note)
        assert not result.is_error
    assert any("STEP" in message and "COPY . /srv" in message for message in told)


async def test_init_in_a_source_folder_writes_there_and_elsewhere_nothing(
    builder: EmbeddedSite, tmp_path: Path
) -> None:
    source = copy_of("static", tmp_path)
    assert "Containerfile" in builder.try_codeb("init", "here", cwd=source).out
    assert (source / "Containerfile").is_file()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert builder.try_codeb("init", "nowhere", cwd=empty).code == 0
    assert list(empty.iterdir()) == []
    refused = builder.try_codeb("init", "other", "--source", str(empty))
    assert (refused.code, "next:" in refused.err) == (2, True)
