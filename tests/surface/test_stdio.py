"""Standard input and output: the real server process, spoken to line by line."""

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from codeb_mcp.adapters.registry import SqlRegistry
from tests.surface.processes import (
    SERVER,
    Era,
    StdioServer,
    environment,
    stdio_server,
    unanswering_host,
)

HUGE = "x" * 10_000_000
LONGEST_ANSWER = 2_000


@pytest.fixture
def errors(tmp_path: Path) -> Path:
    """Where the server's standard error goes."""
    return tmp_path / "errors"


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_client_lists_and_calls_tools(tmp_path: Path, era: Era) -> None:
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    command, *arguments = SERVER
    parameters = StdioServerParameters(command=command, args=arguments, env=environment(tmp_path))
    async with Client(stdio_client(parameters), mode=era) as client:
        assert "deploy" in {tool.name for tool in (await client.list_tools()).tools}
        made = await client.call_tool("init_project", {"project": "shop"})
        assert not made.is_error


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b'{"jsonrpc": "1.0"}',
        b"[" * 100_000,
    ],
    ids=lambda line: ascii(line[:12]),
)
async def test_line_that_is_no_message_does_not_end_the_server(
    tmp_path: Path, errors: Path, line: bytes
) -> None:
    async with stdio_server(tmp_path, errors) as server:
        await server.write(line + b"\n")
        assert (await server.call("list_projects"))["structuredContent"] == {"projects": []}
        assert await server.leave() == 0


async def test_end_of_input_ends_the_server_and_leaves_no_children(
    tmp_path: Path, errors: Path
) -> None:
    async with stdio_server(tmp_path, errors) as server:
        await server.call("list_projects")
        group = server.process.pid
        assert await server.leave(2.0) == 0
        assert written(errors) == ""
        assert children_of(group) == []


async def test_end_of_input_in_mid_call_ends_the_server(tmp_path: Path, errors: Path) -> None:
    with unanswering_host(tmp_path) as variables:
        async with stdio_server(tmp_path, errors, variables=variables) as server:
            await begin_a_long_call(server, tmp_path)
            assert await server.leave(3.0) == 0
        assert "Traceback" not in written(errors)


async def test_client_that_is_killed_in_mid_call_takes_the_server_with_it(
    tmp_path: Path, errors: Path
) -> None:
    with unanswering_host(tmp_path) as variables:
        async with stdio_server(tmp_path, errors, variables=variables) as server:
            await begin_a_long_call(server, tmp_path)
            assert server.process.stdout is not None
            await server.process.stdout.aclose()
            assert await server.leave(3.0) == 0
        assert "Traceback" not in written(errors)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_signal_ends_the_server_with_its_input_open(
    tmp_path: Path, errors: Path, sent: signal.Signals, code: int
) -> None:
    async with stdio_server(tmp_path, errors) as server:
        await server.call("list_projects")
        server.process.send_signal(sent)
        with anyio.fail_after(3):
            assert await server.process.wait() == code
        assert "Traceback" not in written(errors)


async def test_signal_in_mid_call_lets_the_call_record_its_end(
    tmp_path: Path, errors: Path
) -> None:
    with unanswering_host(tmp_path) as variables:
        async with stdio_server(tmp_path, errors, variables=variables) as server:
            await begin_a_long_call(server, tmp_path)
            server.process.terminate()
            with anyio.fail_after(3):
                assert await server.process.wait() == 0
    registry = SqlRegistry(tmp_path / "registry.db", lambda: datetime.now(UTC))
    newest, *_ = await registry.audit_trail()
    assert (newest.action, newest.outcome) == ("deploy", "cancelled")


async def test_file_as_input_is_read_to_its_end(tmp_path: Path) -> None:
    ended = await anyio.run_process(SERVER, input=None, env=environment(tmp_path), check=False)
    assert (ended.returncode, ended.stdout) == (0, b"")


async def test_cancelled_call_stops_and_the_next_one_is_answered(
    tmp_path: Path, errors: Path
) -> None:
    with unanswering_host(tmp_path) as variables:
        async with stdio_server(tmp_path, errors, variables=variables) as server:
            call = await begin_a_long_call(server, tmp_path)
            await server.send("notifications/cancelled", params={"requestId": call})
            assert not (await server.call("list_projects")).get("isError")
            # the environment is free again: the same call is let in, and waits as the first did
            await begin_a_long_call(server, tmp_path)
            assert (await server.call("list_projects"))["structuredContent"]["projects"]
            assert all(message.get("id") != call for message in server.notifications)
            await server.leave(3.0)


HUGE_CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("init_project", {"project": HUGE}),
    ("init_project", {"project": "a", "repository": HUGE}),
    ("init_project", {"project": "a", "port": HUGE}),
    ("init_project", {"project": "a", "env_vars": [1] * 200_000}),
    ("deploy", {"project": "a", "image": HUGE}),
    ("deploy", {"project": "a", "source": "/" + HUGE}),
    ("deploy", {"project": "a", "image": "a", "plan_digest": HUGE}),
    ("read_logs", {"project": "a", "contains": HUGE}),
    ("read_logs", {"project": {HUGE: HUGE}}),
    ("create_dns", {"name": "a.example", "content": HUGE}),
    ("list_projects", {HUGE: 1}),
    (HUGE, {}),
)
HUGE_REQUESTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("prompts/get", {"name": HUGE}),
    ("prompts/get", {"name": "deploy_staging", "arguments": {HUGE: "x"}}),
    ("resources/read", {"uri": "codeb://" + HUGE}),
    ("resources/read", {"uri": "codeb://registry/" + HUGE}),
    (HUGE, {}),
    ("tools/call", {"name": HUGE, "arguments": HUGE}),
)


async def test_huge_argument_is_refused_without_being_echoed(tmp_path: Path, errors: Path) -> None:
    async with stdio_server(tmp_path, errors) as server:
        for tool, arguments in HUGE_CALLS:
            text = await server.refusal(tool, **arguments)
            assert len(text) < LONGEST_ANSWER, (tool[:20], str(arguments)[:40])
            assert "next: " in text
        assert await server.leave() == 0
    assert written(errors) == ""


async def test_huge_request_gets_a_short_error(tmp_path: Path, errors: Path) -> None:
    async with stdio_server(tmp_path, errors) as server:
        for method, params in HUGE_REQUESTS:
            answer = await server.ask(method, **params)
            assert len(str(answer["error"])) < LONGEST_ANSWER, (method[:20], str(params)[:40])
        assert await server.leave() == 0
    assert len(written(errors)) < LONGEST_ANSWER


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("deploy", {}, "project is missing"),
        ("deploy", {"project": "a", "dry_run": "maybe"}, "dry_run: "),
        ("deploy", {"project": "a", "dry_rnu": True}, "deploy does not take 'dry_rnu'"),
        ("read_logs", {"project": "a", "lines": "many"}, "not 'many'"),
        ("launch", {}, "there is no tool 'launch'"),
    ],
)
async def test_wrong_arguments_are_told_in_words_that_help(
    tmp_path: Path, errors: Path, tool: str, arguments: dict[str, Any], told: str
) -> None:
    async with stdio_server(tmp_path, errors) as server:
        text = await server.refusal(tool, **arguments)
        assert told in text
        assert "next: " in text
        assert "pydantic" not in text


async def test_only_messages_reach_standard_output(tmp_path: Path, errors: Path) -> None:
    """A library that prints or warns, when loaded or in a call, must not get into the messages."""
    program = (
        "import builtins, sys, warnings\n"
        "load = builtins.__import__\n"
        "def loud(name, *rest):\n"
        "    if name == 'sqlalchemy': print('at the start')\n"
        "    return load(name, *rest)\n"
        "builtins.__import__ = loud\n"
        "from codeb_mcp.__main__ import main\n"
        "sys.exit(main([]))\n"
    )
    await check_only_messages(tmp_path, errors, program, "at the start")
    program = (
        "import sys, warnings\n"
        "from codeb_mcp.services.projects import Projects\n"
        "original = Projects.list\n"
        "async def list(self):\n"
        "    print('in a call'); warnings.warn('a warning'); sys.stdout.write('more')\n"
        "    return await original(self)\n"
        "Projects.list = list\n"
        "from codeb_mcp.__main__ import main\n"
        "main([])\n"
    )
    await check_only_messages(tmp_path, errors, program, "in a call", "a warning")


async def check_only_messages(home: Path, errors: Path, program: str, *told: str) -> None:
    """Run a server by a program that prints: every line of its output is read as a message."""
    variables = {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "always"}
    command = (sys.executable, "-c", program)
    async with stdio_server(home, errors, command=command, variables=variables) as server:
        assert not (await server.call("list_projects")).get("isError")
        assert await server.leave() == 0
        assert server.unread == b""
    assert all(text in written(errors) for text in told), written(errors)


def written(errors: Path) -> str:
    """What the server wrote to standard error."""
    return errors.read_text(errors="replace")


async def begin_a_long_call(server: StdioServer, home: Path) -> int:
    """Start a deploy that waits for a system that never answers; its request id."""
    await server.call("init_project", project="shop")
    call = await server.begin("tools/call", name="deploy", arguments=DEPLOY)
    with anyio.fail_after(10):
        while not list((home / "run").rglob("*.lock")):
            await anyio.sleep(0.02)
    return call


DEPLOY = {"project": "shop", "image": "localhost/x"}


def children_of(pid: int) -> list[int]:
    """Processes that `pid` started, by their session: those of a dead parent are found too."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != pid:
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if pid in (int(fields[1]), int(fields[2])):
                found.append(int(folder.name))
    return found
