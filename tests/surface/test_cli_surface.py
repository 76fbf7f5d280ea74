"""`codeb` and `codeb-mcp` as a person meets them: help, JSON, exit codes."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codeb_mcp.cli.app import app
from codeb_mcp.cli.progress import watched
from codeb_mcp.cli.spelling import as_commands
from codeb_mcp.cli.waiting import with_seconds
from codeb_mcp.services.deployments import OnProgress, Progress
from tests.surface.golden_files import assert_golden

COMMANDS = (
    (),
    ("init",),
    ("list",),
    ("status",),
    ("deploy",),
    ("rollback",),
    ("history",),
    ("open",),
    ("db",),
    ("db", "create"),
    ("db", "list"),
    ("db", "status"),
    ("db", "shell"),
    ("db", "url"),
    ("db", "remove"),
    ("env",),
    ("env", "set"),
    ("env", "unset"),
    ("env", "list"),
    ("env", "import"),
    ("config",),
    ("config", "set"),
    ("config", "show"),
    ("run",),
    ("job",),
    ("job", "add"),
    ("job", "list"),
    ("job", "remove"),
    ("job", "run"),
    ("remove",),
    ("login",),
    ("logout",),
    ("domain",),
    ("domain", "add"),
    ("domain", "list"),
    ("domain", "remove"),
    ("ssl",),
    ("ssl", "status"),
    ("ssl", "renew"),
    ("preview",),
    ("preview", "list"),
    ("preview", "remove"),
    ("preview", "prune"),
    ("reconcile",),
    ("gc",),
    ("logs",),
    ("heal",),
    ("guard",),
    ("ports",),
    ("ports", "allocate"),
    ("ports", "release"),
    ("registry",),
    ("registry", "export"),
    ("registry", "import"),
    ("registry", "audit"),
    ("local",),
    ("server",),
    ("server", "setup"),
    ("server", "check"),
)


PLAIN = {"COLUMNS": "100", "TERM": "dumb", "TERMINAL_WIDTH": "100"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def run(
    *argv: str, home: Path, module: str = "codeb_mcp.cli", stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *argv],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "CODEB_HOME": str(home),
            **PLAIN,
        },
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_of_every_command_is_that_of_the_golden_file() -> None:
    texts = []
    for command in COMMANDS:
        # in this process: a new one for each command would take a second each
        shown = CliRunner().invoke(app, [*command, "--help"], env=PLAIN, prog_name="codeb")
        assert shown.exit_code == 0, shown.output
        lines = (line.rstrip() for line in shown.output.splitlines())
        texts.append(f"$ codeb {' '.join((*command, '--help'))}\n" + "\n".join(lines) + "\n")
    assert_golden("codeb_help.txt", "\n".join(texts))


def test_help_of_the_server_is_that_of_the_golden_file(home: Path) -> None:
    completed = run("serve", "--help", home=home, module="codeb_mcp")
    assert completed.returncode == 0
    assert_golden("codeb_mcp_help.txt", completed.stdout)


def test_project_is_registered_listed_exported_and_imported(home: Path, tmp_path: Path) -> None:
    made = run("init", "shop", "--type", "node", "--json", home=home)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["project"] == "shop"
    listed = json.loads(run("list", "--json", home=home).stdout)
    assert [project["name"] for project in listed["projects"]] == ["shop"]
    port = json.loads(run("ports", "allocate", "shop", "--json", home=home).stdout)
    assert port["ports"] == [port["port"], port["port"] + 300]
    exported = run("registry", "export", home=home).stdout
    other = tmp_path / "other"
    assert run("registry", "import", "-", home=other, stdin=exported).returncode == 0
    imported = json.loads(run("registry", "export", home=other).stdout)
    assert imported["projects"]["shop"] == json.loads(exported)["projects"]["shop"]
    again = run("registry", "import", "-", home=other, stdin=exported)
    assert again.returncode == 2
    assert "next: export it first" in again.stderr


def test_audit_names_the_caller_and_the_outcome(home: Path) -> None:
    run("init", "shop", home=home)
    run("init", "shop", "--type", "image", home=home)
    entries = json.loads(run("registry", "audit", "--json", home=home).stdout)
    assert [entry["outcome"] for entry in entries] == ["project_exists", "ok"]
    assert all(entry["actor"].startswith("cli:") for entry in entries)


def test_variable_is_set_from_standard_input_and_listed_without_its_value(home: Path) -> None:
    run("init", "shop", "--require", "TOKEN", home=home)
    listed = json.loads(run("env", "list", "shop", "--json", home=home).stdout)
    assert listed["variables"] == [{"name": "TOKEN", "required": True, "set": False}]
    changed = run("env", "set", "shop", "TOKEN", home=home, stdin="hunter2secret\n")
    assert changed.returncode == 0, changed.stderr
    assert "hunter2secret" not in changed.stdout + changed.stderr
    assert (home / "env" / "shop-staging.env").read_text() == "TOKEN=hunter2secret\n"
    refused = run("env", "set", "shop", "TOKEN=hunter3", home=home)
    assert refused.returncode == 2
    assert "hunter3" not in refused.stderr


def test_init_writes_the_client_configuration_once(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "index.html").write_text("hello")
    assert run("init", "shop", "--source", str(folder), home=home).returncode == 0
    written = json.loads((folder / ".mcp.json").read_text())
    assert written["mcpServers"]["codeb"]["command"] == "codeb-mcp"
    (folder / ".mcp.json").write_text("mine")
    assert run("init", "shop-two", "--source", str(folder), home=home).returncode == 0
    assert (folder / ".mcp.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("argv", "exit_code", "said"),
    [
        (("deploy", "nobody", "--image", "localhost/app"), 2, "there is no project nobody"),
        (("deploy", "../x"), 2, "project name '../x' is not valid"),
        (("status", "nobody"), 2, "there is no project nobody"),
        (("logs", "nobody"), 2, "there is no project nobody"),
        (("history", "nobody"), 2, "there is no project nobody"),
        (("open", "nobody"), 2, "there is no project nobody"),
        (("ports", "release", "nobody"), 2, "there is no project nobody"),
        (("registry", "import", "/nonexistent"), 2, "cannot be read"),
        (("heal", "--analyze", "/nonexistent"), 2, "cannot be read"),
        (("heal",), 2, "can read failure logs"),
        (("init", "a" * 300), 2, "300 characters"),
        (("init", "x", "--source", "/nonexistent"), 2, "is not a folder"),
        (("registry", "import", "/\x1b]0;title\x07"), 2, "cannot be read"),
    ],
)
def test_bad_request_exits_2_and_says_what_next(
    home: Path, argv: tuple[str, ...], exit_code: int, said: str
) -> None:
    completed = run(*argv, home=home)
    assert completed.returncode == exit_code, completed.stdout + completed.stderr
    assert said in completed.stderr
    assert "next:" in completed.stderr
    assert "Traceback" not in completed.stderr
    assert "\x1b" not in completed.stderr


@pytest.mark.parametrize(
    "argv",
    [
        ("remove", "shop"),
        ("preview", "remove", "shop", "pr-1"),
        ("preview", "prune"),
        ("registry", "import", "-", "--replace"),
        ("local", "stop", "--containers"),
    ],
)
def test_what_destroys_is_refused_without_a_terminal_unless_it_is_confirmed(
    home: Path, argv: tuple[str, ...]
) -> None:
    run("init", "shop", home=home)
    exported = run("registry", "export", home=home).stdout
    refused = run(*argv, home=home, stdin=exported)
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert "was not confirmed" in refused.stderr
    assert "--yes" in refused.stderr
    assert run("registry", "export", home=home).stdout == exported


def test_project_without_environments_is_removed_once_it_is_confirmed(home: Path) -> None:
    run("init", "shop", home=home)
    assert run("remove", "shop", "--plan", home=home).returncode == 0
    removed = json.loads(run("remove", "shop", "--yes", "--json", home=home).stdout)
    assert removed == {"project": "shop", "removed": True, "environments": []}
    assert json.loads(run("list", "--json", home=home).stdout)["projects"] == []
    assert run("remove", "shop", "--yes", home=home).returncode == 2


@pytest.mark.parametrize(
    ("argv", "filled"),
    [
        (["deploy", "shop", "--wait"], ["deploy", "shop", "--wait", "600"]),
        (["deploy", "--wait", "--json", "shop"], ["deploy", "--wait", "600", "--json", "shop"]),
        (["deploy", "shop", "--wait", "5"], ["deploy", "shop", "--wait", "5"]),
        (["deploy", "shop", "--wait", "0.5"], ["deploy", "shop", "--wait", "0.5"]),
        (["deploy", "shop"], ["deploy", "shop"]),
    ],
)
def test_wait_without_seconds_waits_the_usual_time(argv: list[str], filled: list[str]) -> None:
    assert with_seconds(argv) == filled


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--ttl", "soon", "is not a length of time"),
        ("--idempotency-key", "two words", "idempotency key 'two words' is not valid"),
        ("--wait", "9999", "Invalid value"),
    ],
)
def test_bad_option_of_a_deploy_is_refused(home: Path, option: str, value: str, said: str) -> None:
    run("init", "shop", home=home)
    refused = run("deploy", "shop", "--image", "localhost/app", option, value, home=home)
    assert refused.returncode == 2
    assert said in refused.stderr


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("deploy project=shop environment=pr-7 first", "codeb deploy shop --env pr-7 first"),
        ("read_logs project=shop release=3", "codeb logs shop --release 3"),
        ("make it with init_project name=shop", "make it with codeb init shop"),
        ("set tls = off in config.toml", "set tls = off in config.toml"),
    ],
)
def test_hint_names_the_command_not_the_tool(hint: str, said: str) -> None:
    assert as_commands(hint) == said


def test_hint_of_a_refusal_can_be_typed(home: Path) -> None:
    refused = run("status", "shop", home=home)
    assert "next: make it with codeb init shop" in refused.stderr


def test_long_work_prints_plain_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def work(on_progress: OnProgress) -> str:
        await on_progress(Progress(0, 2, "start [bold]release[/] 1"))
        await on_progress(Progress(1, 2, "check it"))
        return "done"

    assert watched(work, quiet=False) == "done"
    assert capsys.readouterr().err == "[0/2] start [bold]release[/] 1\n[1/2] check it\n"
    assert watched(work, quiet=True) == "done"
    assert capsys.readouterr().err == ""


def test_long_work_shows_a_bar_on_a_terminal() -> None:
    """In a process of its own, on a pseudo-terminal."""
    code = (
        "from codeb_mcp.cli.progress import watched\n"
        "from codeb_mcp.services.deployments import Progress\n"
        "async def work(tell):\n"
        "    await tell(Progress(0, 2, 'start it'))\n"
        "    await tell(Progress(1, 2, 'check it'))\n"
        "watched(work, quiet=False)\n"
    )
    leader, follower = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "100"}
    subprocess.run(
        [sys.executable, "-c", code],
        stderr=follower,
        env=environment,
        cwd=Path(__file__).parents[2],
        check=True,
        timeout=60,
    )
    os.close(follower)
    shown = os.read(leader, 65_536).decode()
    os.close(leader)
    assert "✓" in shown
    assert "start it" in shown
    assert "━" in shown
    assert "1/2" in shown


def test_error_is_json_when_json_is_asked_for(home: Path) -> None:
    completed = run("status", "nobody", "--json", home=home)
    assert completed.returncode == 2
    error = json.loads(completed.stdout)["error"]
    assert (error["code"], error["exitCode"], error["retryable"]) == ("unknown_project", 2, False)


def test_bad_setting_names_the_key_and_the_file(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text('runtime = "docker"\n')
    completed = run("list", home=home)
    assert completed.returncode == 2
    assert "setting 'runtime' is not valid" in completed.stderr
    assert "config.toml" in completed.stderr


def test_failure_log_is_analyzed_from_a_file_a_folder_and_standard_input(
    home: Path, tmp_path: Path
) -> None:
    text = "src/a.ts(3,5): error TS2322: no; token=hunter2secret\n"
    log = tmp_path / "logs" / "1_build.txt"
    log.parent.mkdir()
    log.write_text(text)
    for argv, stdin in (((str(log),), ""), ((str(log.parent),), ""), (("-",), text)):
        completed = run("heal", "--analyze", *argv, "--json", home=home, stdin=stdin)
        assert completed.returncode == 0, completed.stderr
        assert "hunter2secret" not in completed.stdout
        (incident,) = json.loads(completed.stdout)["incidents"]
        assert (incident["type"], incident["file"], incident["line"]) == (
            "type_error",
            "src/a.ts",
            3,
        )
        assert incident["healable"] is True


def test_log_without_a_failure_exits_0(home: Path) -> None:
    completed = run("heal", "--analyze", "-", "--json", home=home, stdin="all good\n")
    assert completed.returncode == 0
    assert json.loads(completed.stdout)["incidents"] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_offered(home: Path, shell: str) -> None:
    codeb = Path(sys.executable).parent / "codeb"
    completed = subprocess.run(
        [codeb],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "_CODEB_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "_CODEB_COMPLETE" in completed.stdout
