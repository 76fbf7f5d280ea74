"""The fixer `claude`: Claude Code headless, with tools that read and edit, and nothing else."""

import json
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import codeb_mcp
from codeb_mcp.adapters import sandbox_relay
from codeb_mcp.adapters.messages_proxy import MessagesProxy, Upstream, serving
from codeb_mcp.adapters.process import EndedAlone, run_alone
from codeb_mcp.adapters.sandbox import Confined, Sandbox
from codeb_mcp.domain.healing import Effort, FixRequest, Tree
from codeb_mcp.domain.masking import Secret
from codeb_mcp.domain.watching import Told
from codeb_mcp.errors import HostNotReady
from codeb_mcp.planning.heal_request import harmless

TOOLS = "Read,Edit,Grep,Glob"
LONGEST_WORDS = 2_000
_PORT = 8080
"""Of the sandbox, which has a loopback of its own."""


@dataclass(frozen=True, slots=True)
class ClaudeSettings:
    """`program` is the command or its path; without a key there is no fixer."""

    program: str
    model: str | None
    api_url: str
    api_key: Secret | None


class ClaudeFixer:
    """`Fixer` by Claude Code, in a sandbox where there is one."""

    name = "claude"

    def __init__(self, settings: ClaudeSettings, sandbox: Sandbox) -> None:
        self._settings = settings
        self._sandbox = sandbox

    async def ready(self) -> None:
        """Raise HostNotReady when Claude Code or its key is missing."""
        if self._settings.api_key is None:
            raise no_key()
        self._program()

    def _program(self) -> Path:
        found = shutil.which(self._settings.program) or self._settings.program
        if not Path(found).is_file():
            raise HostNotReady(
                f"Claude Code ({self._settings.program}) is not installed",
                hint="npm install -g @anthropic-ai/claude-code, or choose --fixer anthropic",
                code="claude_missing",
            )
        return Path(found)

    async def fix(self, request: FixRequest, tree: Tree, told: Told) -> Effort:
        """One headless session on the tree."""
        key = self._settings.api_key
        assert key is not None  # noqa: S101 - `ready` was asked
        inside = await self._sandbox.works()
        upstream = Upstream(self._settings.api_url, key)
        await told("Claude Code is looking at it")
        async with serving(upstream, request.usd, on_socket=inside) as proxy:
            with tempfile.TemporaryDirectory(prefix="codeb-claude-") as home:
                argv = await self._argv(request, tree, proxy)
                environment = await self._environment(tree, Path(home), proxy)
                ended = await run_alone(
                    argv, env=environment, cwd=tree.folder, seconds=request.seconds
                )
            return _effort(ended, proxy)

    async def _argv(self, request: FixRequest, tree: Tree, proxy: MessagesProxy) -> list[str]:
        program = self._program()
        starts = ["node"] if program.suffix in (".js", ".cjs", ".mjs") else []
        place = await self._sandbox.place(tree)
        command = [*starts, str(program), "-p", request.task]
        command += ["--append-system-prompt", f"{request.instructions}\nThe project is {place}."]
        command += ["--restricted", "--tools", TOOLS, "--allowedTools", TOOLS]
        command += ["--permission-mode", "dontAsk", "--strict-mcp-config"]
        command += ["--settings", json.dumps(_hooks(place)), "--no-session-persistence"]
        command += ["--output-format", "json", "--max-budget-usd", f"{request.usd:.2f}"]
        if self._settings.model:
            command += ["--model", self._settings.model]
        if not await self._sandbox.works():
            return command
        relay = Path(sandbox_relay.__file__)
        outside = [sys.executable, "-I", str(relay), proxy.address, str(_PORT)]
        shown = [*_itself(), *_package(program)]
        more = ["--bind", proxy.address, proxy.address]
        return await self._sandbox.argv(Confined([*outside, *command], tree, shown, more=more))

    async def _environment(self, tree: Tree, home: Path, proxy: MessagesProxy) -> dict[str, str]:
        inside = await self._sandbox.works()
        return {
            **await self._sandbox.environment(tree, home),
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{_PORT}" if inside else proxy.address,
            "ANTHROPIC_API_KEY": proxy.password,
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }


def no_key() -> HostNotReady:
    """There is no key for the API."""
    return HostNotReady(
        "there is no key for the Anthropic API",
        hint="set heal_api_key in config.toml (mode 0600), or the variable ANTHROPIC_API_KEY",
        code="api_key_missing",
    )


def _hooks(place: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "codeb_mcp.cli", "guard", "--hook", "--within", str(place)]
    hook = {"type": "command", "command": shlex.join(command), "timeout": 60}
    return {"hooks": {"PreToolUse": [{"matcher": "*", "hooks": [hook]}]}}


def _itself() -> list[Path]:
    """The Python and the package that the hook runs in."""
    package = Path(codeb_mcp.__file__).parent
    data = [package.parent / name for name in ("prompts", "rules")]
    return [Path(sys.prefix), Path(sys.base_prefix), package, *data]


def _package(program: Path) -> list[Path]:
    """Everything that Claude Code is made of."""
    real = program.resolve()
    for parent in real.parents:
        if parent.name == "node_modules":
            return [parent]
    return [real.parent]


def _effort(ended: EndedAlone, proxy: MessagesProxy) -> Effort:
    spent = proxy.spending.usd
    if ended.returncode is None:
        return Effort(spent, failure="it did not end in time")
    try:
        result = json.loads(ended.stdout)
        said = harmless(str(result.get("result", "")), LONGEST_WORDS)
        failed = bool(result.get("is_error"))
    except (ValueError, AttributeError):
        said = harmless(ended.stderr or ended.stdout, LONGEST_WORDS)
        failed = True
    return Effort(spent, said, failure=proxy.spending.over or said if failed else None)
