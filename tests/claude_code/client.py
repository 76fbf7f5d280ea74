"""Installs the real Claude Code once per version and runs it headless, away from the network."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from filelock import FileLock

from .messages_api import MessagesApi

PACKAGE = "@anthropic-ai/claude-code"
VERSION = "2.1.330"
_INSTALL_SECONDS = 280  # 70 MB come over the network; a test may take 300 s altogether


class ClaudeCodeFailed(AssertionError):
    """Claude Code could not be installed, did not end in time, or ended without a result."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended: `json` is the result object Claude Code printed."""

    json: dict[str, Any]
    stderr: str

    @property
    def text(self) -> str:
        """The assistant's last words, or the error's."""
        return str(self.json.get("result", ""))

    @property
    def is_error(self) -> bool:
        """Whether Claude Code itself calls the run an error (an API error, too many turns)."""
        return bool(self.json["is_error"])

    @property
    def permission_denials(self) -> list[str]:
        """Names of the tools that were called without being allowed."""
        return [denial["tool_name"] for denial in self.json["permission_denials"]]


@dataclass(frozen=True, slots=True)
class ClaudeCode:
    """An installed Claude Code: `node` and the package's launcher."""

    node: Path
    launcher: Path

    @classmethod
    def install(cls, node: Path, npm: Path) -> Self:
        """Install the pinned version below the cache, unless it is there already.

        The cache is `$CODEB_CACHE_DIR/claude-code`, by default `~/.cache/codeb-mcp/claude-code`.
        """
        default = Path("~/.cache/codeb-mcp").expanduser()
        cache = Path(os.environ.get("CODEB_CACHE_DIR", default), "claude-code")
        cache.mkdir(parents=True, exist_ok=True)
        target = cache / VERSION
        with FileLock(cache / "install.lock"):
            if not target.is_dir():
                _install_into(target, npm)
        return cls(node, target / "node_modules" / PACKAGE / "cli-wrapper.cjs")

    def run(
        self,
        prompt: str,
        mcp_config: dict[str, Any],
        *,
        allowed_tools: list[str],
        api: MessagesApi,
        cwd: Path,
        timeout: float = 120,
    ) -> Result:
        """Give one prompt and wait for the end of the conversation, at most `timeout` seconds.

        `mcp_config` is the file of `--mcp-config`: `{"mcpServers": {NAME: {"command": …}}}`.
        Its servers inherit the empty environment too: name what they need under `env`.
        """
        with tempfile.TemporaryDirectory(prefix="claude-code-") as home:
            config = Path(home, "mcp.json")
            config.write_text(json.dumps(mcp_config))
            command = [str(self.node), str(self.launcher), "-p", prompt]
            command += ["--mcp-config", str(config), "--strict-mcp-config"]
            command += ["--allowedTools", ",".join(allowed_tools)]
            command += ["--output-format", "json"]
            environment = _environment(home, api, timeout)
            stdout, stderr = _communicate(command, environment, cwd, timeout)
        return _result(stdout, stderr)


def require_claude_code() -> ClaudeCode:
    """Claude Code, installed if need be; without node and npm the test is skipped.

    Where every test must run (`CI` or `CODEB_REQUIRE_SYSTEM` is set) it fails instead.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return ClaudeCode.install(Path(node), Path(npm))
    reason = "needs node and npm (apt-get install nodejs npm) to run the real Claude Code"
    if os.environ.get("CI") or os.environ.get("CODEB_REQUIRE_SYSTEM"):
        pytest.fail(reason)
    pytest.skip(reason)


def _install_into(target: Path, npm: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="new-") as scratch:
        place = Path(scratch, "installed")
        place.mkdir()
        # The package's install script only copies the program; without it no foreign code runs
        # at install time, and the launcher finds the program by itself.
        command = [str(npm), "install", "--prefix", str(place), "--ignore-scripts"]
        command += ["--no-audit", "--no-fund", f"{PACKAGE}@{VERSION}"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
        )
        if done.returncode != 0:
            raise ClaudeCodeFailed(f"npm could not install {PACKAGE}@{VERSION}:\n{done.stderr}")
        place.rename(target)  # atomic: an interrupted install leaves nothing that looks complete


def _environment(home: str, api: MessagesApi, timeout: float) -> dict[str, str]:
    return {
        "HOME": home,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "ANTHROPIC_BASE_URL": api.base_url,
        "ANTHROPIC_API_KEY": "made-up",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        # With tool search, MCP tools are hidden from the request until they are searched for;
        # a test wants to see them, and their schemas, in the first request.
        "ENABLE_TOOL_SEARCH": "false",
        "MCP_CONNECTION_NONBLOCKING": "0",
        # In milliseconds. Only `timeout` shall bound a run, on a busy machine too.
        "MCP_TIMEOUT": str(int(timeout * 1000)),
        "MCP_TOOL_TIMEOUT": str(int(timeout * 1000)),
    }


def _communicate(
    command: list[str], environment: dict[str, str], cwd: Path, timeout: float
) -> tuple[str, str]:
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=cwd,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        # The launcher, Claude Code and its MCP servers are one process group.
        os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
        raise ClaudeCodeFailed(
            f"Claude Code did not end within {timeout:g} s\nstdout: {stdout}\nstderr: {stderr}"
        ) from None


def _result(stdout: str, stderr: str) -> Result:
    try:
        document = json.loads(stdout)
    except ValueError:
        raise ClaudeCodeFailed(
            f"Claude Code ended without a result\nstdout: {stdout}\nstderr: {stderr}"
        ) from None
    return Result(json=document, stderr=stderr)
