"""What a source folder is made of, and the Containerfile that is written for it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from codeb_mcp.adapters.source_folder import SourceFolders
from codeb_mcp.domain.project import ProjectType
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.planning.detection import detect, rendered
from codeb_mcp.planning.stacks import BUILD_FILES, Commands, SourceTree, Stack
from codeb_mcp.templates import template
from tests.surface.golden_files import assert_golden_at

CASES = Path(__file__).parents[1] / "cases" / "stacks"
TYPES = {
    "go": "go",
    "nextjs": "nextjs",
    "nextjs-standalone": "nextjs",
    "node-npm": "node",
    "node-pnpm": "node",
    "node-yarn": "node",
    "python-django": "python",
    "python-pip": "python",
    "python-poetry": "python",
    "python-uv": "python",
    "static": "static",
    "static-vite": "static",
}


def tree(**texts: str) -> SourceTree:
    """A folder with these files; `__` in a name stands for a dot, `___` for a slash."""
    named = {name.replace("___", "/").replace("__", "."): text for name, text in texts.items()}
    return SourceTree(frozenset(named), named)


def package(**fields: object) -> str:
    return json.dumps(fields)


def containerfile(stack: Stack) -> str:
    return rendered(template(f"{stack.template}.Containerfile"), stack.values)


def test_every_example_is_among_those_that_are_checked() -> None:
    assert {path.name for path in CASES.iterdir()} == set(TYPES)


@pytest.mark.parametrize(("case", "kind"), TYPES.items())
def test_example_is_told_and_gets_the_containerfile_of_the_golden_file(
    case: str, kind: str
) -> None:
    stack = detect(SourceFolders().read(CASES / case / "source"))
    assert (stack.type, bool(stack.reasons)) == (kind, True)
    assert_golden_at(CASES / case / "Containerfile", containerfile(stack))


@pytest.mark.parametrize("case", TYPES)
def test_containerfile_runs_as_a_numbered_user_on_port_and_takes_its_bases_from_one_place(
    case: str,
) -> None:
    text = containerfile(detect(SourceFolders().read(CASES / case / "source")))
    lines = text.splitlines()
    assert "USER 10001:10001" in lines
    assert "PORT=8080" in text
    assert "EXPOSE 8080" in lines
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert all(base == "scratch" or base.startswith("${BASE}/") for base in bases)
    assert all(":" in base for base in bases if base != "scratch")
    assert "@" not in text.replace("corepack@", "")
    # what changes rarely comes first: dependencies are installed before the source is copied
    if "COPY . ." in lines and "pip install ." not in text:
        first = next(number for number, line in enumerate(lines) if line.startswith("COPY "))
        assert first < lines.index("COPY . .") or case == "python-poetry"


@pytest.mark.parametrize("case", TYPES)
def test_hadolint_finds_nothing_in_the_containerfile(case: str) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    argv = [str(hadolint), "--no-color", str(CASES / case / "Containerfile")]
    linted = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (linted.returncode, linted.stdout) == (0, "")


@pytest.mark.parametrize("name", BUILD_FILES)
def test_containerfile_that_is_there_is_the_answer(name: str) -> None:
    found = detect(SourceTree(frozenset({name, "package.json"}), {name: "FROM x\n"}))
    assert (found.type, found.template, found.ours) == ("dockerfile", "", False)
    assert detect(SourceTree(frozenset({name})), ProjectType.NODE).type is ProjectType.NODE


def test_containerfile_that_codeb_wrote_says_which_type_it_is_for() -> None:
    first = detect(SourceFolders().read(CASES / "nextjs" / "source"))
    again = detect(tree(Containerfile=containerfile(first), package__json="{}"))
    assert (again.type, again.template, again.ours) == ("nextjs", "", True)


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        (tree(), "unknown_stack", "nothing that codeb knows"),
        (tree(README__md="hello"), "unknown_stack", "nothing that codeb knows"),
        (
            tree(package__json=package(main="x.js"), requirements__txt="", main__py=""),
            "ambiguous_stack",
            "node (package.json is there) or python (requirements.txt is there)",
        ),
        (
            SourceTree(
                frozenset({"package.json", "yarn.lock", "pnpm-lock.yaml"}),
                {"package.json": package(main="x.js")},
            ),
            "ambiguous_stack",
            "pnpm-lock.yaml and yarn.lock",
        ),
        (tree(package__json="{"), "invalid_source", "package.json is not valid JSON"),
        (tree(package__json="[]"), "invalid_source", "not a JSON object"),
        (tree(package__json=package(name="x")), "start_command_missing", "this Node project"),
        (
            tree(package__json=package(main="x.js", packageManager="bun@1.3")),
            "unknown_stack",
            "'bun' is not supported",
        ),
        (tree(pyproject__toml="["), "invalid_source", "pyproject.toml is not valid TOML"),
        (tree(requirements__txt="x"), "start_command_missing", "this Python project"),
        (
            tree(requirements__txt="flask", app__py="app = Flask(__name__)"),
            "start_command_missing",
            "gunicorn is not among the dependencies",
        ),
        (
            tree(go__mod="go 1.24", cmd___a___main__go="", cmd___b___main__go=""),
            "ambiguous_stack",
            "cmd/a, cmd/b",
        ),
        (tree(go__mod="go 1.24"), "start_command_missing", "this Go module"),
    ],
)
def test_folder_that_cannot_be_told_is_a_clear_question(
    found: SourceTree, code: str, said: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        detect(found)
    assert caught.value.code == code
    assert said in caught.value.message
    assert caught.value.hint


def test_type_that_is_given_wins_where_two_would_fit() -> None:
    both = tree(package__json=package(main="x.js"), requirements__txt="", main__py="")
    assert detect(both, ProjectType.NODE).template == "node"
    assert detect(both, ProjectType.PYTHON).template == "python"
    with pytest.raises(InvalidRequest, match="nothing of a project of type go"):
        detect(both, ProjectType.GO)


def test_image_project_needs_no_containerfile() -> None:
    assert detect(tree(package__json="{}"), ProjectType.IMAGE).template == ""


@pytest.mark.parametrize(
    ("found", "command"),
    [
        (tree(package__json=package(main="lib/x.js")), '["node", "lib/x.js"]'),
        (tree(package__json=package(scripts={"start": "node x.js"})), '["node", "x.js"]'),
        (
            tree(package__json=package(scripts={"start": "NODE_ENV=x node x.js"})),
            '["npm", "run", "start"]',
        ),
        (tree(package__json="{}", server__js=""), '["node", "server.js"]'),
        (
            tree(package__json="{}", Procfile="web: node x.js --port $PORT\n"),
            '["sh", "-c", "exec node x.js --port $PORT"]',
        ),
        (
            tree(
                pyproject__toml='[project]\nname="x"\ndependencies=["fastapi[standard]>=0.1"]\n',
                app___main__py="api: FastAPI = FastAPI()\n",
            ),
            '["sh", "-c", "exec uvicorn app.main:api --host 0.0.0.0 --port $PORT"]',
        ),
        (tree(requirements__txt="", main__py="print()"), '["python", "main.py"]'),
        (tree(go__mod="go 1.24", main__go=""), '["/app"]'),
    ],
)
def test_how_a_project_is_started_is_told_from_its_files(found: SourceTree, command: str) -> None:
    assert detect(found).values["command"] == command


def test_commands_that_are_given_win() -> None:
    commands = Commands(build="make page", start="node other.js && true")
    found = detect(tree(package__json=package(main="x.js")), None, commands)
    assert found.values["build"] == "RUN make page"
    assert json.loads(found.values["command"]) == ["sh", "-c", "node other.js && true"]


@pytest.mark.parametrize(
    ("texts", "tag"),
    [
        ({}, "24-slim"),
        ({"__nvmrc": "v22.3.0\n"}, "22-slim"),
        ({"engines": ">=18"}, "24-slim"),
        ({"engines": ">=26"}, "26-slim"),
        ({"engines": "^20.1"}, "20-slim"),
        ({"engines": "22.x"}, "22-slim"),
    ],
)
def test_node_version_is_the_one_that_the_project_asks_for(texts: dict[str, str], tag: str) -> None:
    asked = {"node": texts.pop("engines")} if "engines" in texts else {}
    found = detect(tree(package__json=package(main="x.js", engines=asked), **texts))
    assert found.values["tag"] == tag


def test_node_without_corepack_in_its_image_gets_it() -> None:
    found = detect(tree(package__json=package(main="x", packageManager="pnpm@10"), __nvmrc="26"))
    assert "npm install --global corepack@" in found.values["setup"]


@pytest.mark.parametrize(
    ("asked", "tag"),
    [(">=3.11", "3.13-slim"), (">=3.10,<3.13", "3.12-slim"), ("==3.12.*", "3.12-slim")],
)
def test_python_version_is_one_that_the_project_allows(asked: str, tag: str) -> None:
    text = f'[project]\nname = "x"\nrequires-python = "{asked}"\n'
    assert detect(tree(pyproject__toml=text, main__py="")).values["tag"] == tag


def test_poetry_installs_what_there_is_to_install() -> None:
    text = "[tool.poetry.dependencies]\npython = '^3.11'\n"
    more = {"poetry__lock": "", "main__py": ""}
    assert detect(tree(pyproject__toml=text, **more)).values["dependencies"] == ""
    found = detect(tree(pyproject__toml=text + "flask = '*'\n", **more))
    assert "poetry install --only main" in found.values["dependencies"]


def test_next_that_is_exported_is_a_static_site() -> None:
    text = package(dependencies={"next": "15"}, scripts={"build": "next build"})
    found = detect(tree(package__json=text, next__config__js="x = {output: 'export'}"))
    assert (found.type, found.values["root"]) == ("static", "out")


def test_line_of_an_empty_placeholder_goes_away() -> None:
    assert rendered("a\n@gone@\n\nb @kept@\n", {"gone": "", "kept": "c"}) == "a\n\nb c\n"


def test_links_in_a_folder_are_not_looked_at(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(package(main="x.js"))
    source = tmp_path / "source"
    source.mkdir()
    (source / "package.json").symlink_to(secret)
    (source / "cmd").symlink_to(tmp_path)
    assert SourceFolders().read(source) == SourceTree(frozenset(), {})


def test_file_that_is_there_is_never_replaced_nor_a_link_followed(tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text("mine\n")
    (tmp_path / ".containerignore").symlink_to(tmp_path / "elsewhere")
    texts = {"Containerfile": "theirs", ".containerignore": "theirs", ".mcp.json": "{}"}
    assert SourceFolders().write_missing(tmp_path, texts) == [tmp_path / ".mcp.json"]
    assert (tmp_path / "Containerfile").read_text() == "mine\n"
    assert not (tmp_path / "elsewhere").exists()
