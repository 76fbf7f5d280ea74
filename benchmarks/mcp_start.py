"""Start and warm calls of the MCP server over stdio, beside a bare `MCPServer` with one tool.

    .venv/bin/python -m benchmarks.mcp_start

Measures spawn to the answer to `tools/list`, the latency of a warm call, and closing standard
input to the end of the process. The two servers take turns, so that both see the same load.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

BARE = """
from mcp.server import MCPServer
server = MCPServer("bare", log_level="WARNING")

@server.tool()
async def echo(text: str) -> str:
    return text

server.run()
"""
CODEB = (sys.executable, "-m", "codeb_mcp")
BARE_SERVER = (sys.executable, "-c", BARE)


@dataclass(frozen=True, slots=True)
class Timing:
    """One run, in milliseconds: start to `tools/list`, each warm call, end of input to exit."""

    start: float
    calls: tuple[float, ...]
    leave: float


class Session:
    """A client that is no more than its pipes, so that the server alone is measured."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._stdin, self._stdout = stdin, stdout
        self._number = 0

    def send(self, method: str, **more: Any) -> None:
        """Send one message."""
        message = {"jsonrpc": "2.0", "method": method, **more}
        self._stdin.write(json.dumps(message).encode() + b"\n")
        self._stdin.flush()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        self._number += 1
        self.send(method, id=self._number, params=params)
        while line := self._stdout.readline():
            answer: dict[str, Any] = json.loads(line)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer
        raise RuntimeError("the server ended")


def measured(command: Sequence[str], tool: str, arguments: dict[str, str], calls: int) -> Timing:
    """Start a server, list its tools, call one of them `calls` times, and let it go."""
    with tempfile.TemporaryDirectory() as home:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "CODEB_HOME": home},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        session = Session(process.stdin, process.stdout)
        client = {"name": "benchmark", "version": "1"}
        session.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client)
        session.send("notifications/initialized")
        session.ask("tools/list")
        start = time.perf_counter() - begin
        session.ask("tools/call", name=tool, arguments=arguments)
        times = []
        for _ in range(calls):
            begin = time.perf_counter()
            answer = session.ask("tools/call", name=tool, arguments=arguments)
            times.append((time.perf_counter() - begin) * 1000)
            assert not answer["result"].get("isError"), answer
        begin = time.perf_counter()
        process.stdin.close()
        process.wait(timeout=30)
        leave = time.perf_counter() - begin
        process.stdout.close()
    return Timing(start * 1000, tuple(times), leave * 1000)


def row(name: str, codeb: Sequence[float], bare: Sequence[float]) -> str:
    """One line of the table: medians, the least of each in brackets, and their ratio."""
    ours, theirs = statistics.median(codeb), statistics.median(bare)
    return (
        f"{name:22} {ours:8.1f} ({min(codeb):.1f}) ms {theirs:8.1f} ({min(bare):.1f}) ms"
        f" {ours / theirs:6.2f}"
    )


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--calls", type=int, default=50)
    options = arguments.parse_args()
    codeb, bare = [], []
    for _ in range(options.runs):
        codeb.append(measured(CODEB, "list_projects", {}, options.calls))
        bare.append(measured(BARE_SERVER, "echo", {"text": "x"}, options.calls))
    print(f"median (least) of {options.runs}     codeb               bare MCPServer    ratio")
    print(row("spawn to tools/list", [t.start for t in codeb], [t.start for t in bare]))
    print(row("warm call", *([ms for t in ts for ms in t.calls] for ts in (codeb, bare))))
    print(row("end of input to exit", [t.leave for t in codeb], [t.leave for t in bare]))


if __name__ == "__main__":
    main()
