"""A workplace for heals: a checkout, its bare remote, codeb's folder, and secrets all around."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.claude_code import ClaudeCode, MessagesApi, MessagesRequest, Text, ToolUse, Turn

from .projects import Broken, Edit

PACKAGES = ("typescript@5.9.3", "eslint@9.39.1")
SECRET = "hunter2-correct-horse"
KEY = "sk-ant-api03-the-real-key-of-this-host"


def installed_packages() -> Path:
    """A `node_modules` with the compilers and linters of the projects, installed once."""
    default = Path("~/.cache/codeb-mcp").expanduser()
    cache = Path(os.environ.get("CODEB_CACHE_DIR", default), "healing")
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / "-".join(PACKAGES).replace("@", "_")
    with FileLock(cache / "install.lock"):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                place = Path(scratch, "installed")
                place.mkdir()
                options = ["--ignore-scripts", "--no-audit", "--no-fund"]
                command = ["npm", "install", "--prefix", str(place), *options, *PACKAGES]
                subprocess.run(command, check=True, capture_output=True, timeout=280)
                place.rename(target)
    return target / "node_modules"


def repairs(place: Path, *edits: Edit) -> list[Turn]:
    """A model that looks at each file and edits it, and says so."""
    turns: list[Turn] = []
    for edit in edits:
        path = str(place / edit.path)
        turns += [
            ToolUse("Read", {"file_path": path}),
            ToolUse("Edit", {"file_path": path, "old_string": edit.old, "new_string": edit.new}),
        ]
    return [*turns, Text("The cause is removed.")]


class EndlessApi(MessagesApi):
    """A model that never ends: it looks at the same file for ever."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = str(path)

    def _turn(self, number: int, request: MessagesRequest) -> Text | ToolUse:
        del request
        return ToolUse("Read", {"file_path": self._path, "offset": number})


@dataclass(frozen=True, slots=True)
class Workbench:
    """One broken project, checked out on the branch `feature` of its remote."""

    root: Path
    claude: ClaudeCode

    @property
    def repo(self) -> Path:
        """The checkout."""
        return self.root / "shop"

    @property
    def log(self) -> Path:
        """The failed job's log."""
        return self.root / "ci.log"

    @classmethod
    def of(cls, broken: Broken, root: Path, claude: ClaudeCode, packages: Path) -> "Workbench":
        """The project in a repository, its check run, and what that printed as a log."""
        bench = cls(root, claude)
        for name, text in {**broken.files, ".gitignore": "node_modules/\n.env\n"}.items():
            path = bench.repo / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        workflow = bench.repo / ".github/workflows/ci.yml"
        workflow.parent.mkdir(parents=True)
        workflow.write_text(
            "on: push\njobs:\n  check:\n    runs-on: ubuntu-latest\n    steps:\n"
            f"      - uses: actions/checkout@v5\n      - run: {broken.check}\n"
        )
        (bench.repo / ".env").write_text(f"DATABASE_PASSWORD={SECRET}\n")
        bench.git("init", "-q", "-b", "feature")
        bench.git("config", "user.name", "Kim")
        bench.git("config", "user.email", "kim@shop.example")
        bench.git("config", "http.extraheader", f"AUTHORIZATION: basic {SECRET}")
        bench.git("add", "-A")
        bench.git("commit", "-q", "-m", "Add the shop")
        remote = root / "remote.git"
        subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
        bench.git("remote", "add", "origin", str(remote))
        bench.git("push", "-q", "-u", "origin", "feature")
        if broken.needs_node:
            shutil.copytree(packages, bench.repo / "node_modules", symlinks=True)
        (root / "codeb").mkdir(mode=0o700)
        (root / "codeb/config.toml").write_text(f'heal_api_key = "{KEY}"\n')
        bench.write_log(broken.check)
        return bench

    def write_log(self, check: str, planted: str = "") -> None:
        """Run the check and keep what it prints, as GitHub's runner shows it."""
        done = self._bash(check)
        assert done.returncode != 0, f"{check} does not fail:\n{done.stdout}"
        self.log.write_text(
            f"##[group]Run {check}\n{check}\nshell: /usr/bin/bash -e {{0}}\n##[endgroup]\n"
            f"{planted}{done.stdout}"
            f"##[error]Process completed with exit code {done.returncode}.\n"
        )

    def passes(self, check: str) -> bool:
        """Whether the check passes on what the remote's branch holds."""
        self.git("fetch", "-q", "origin")
        self.git("reset", "-q", "--hard", "origin/feature")
        return self._bash(check).returncode == 0

    def _bash(self, check: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-ec", check],
            cwd=self.repo,
            env={**self._plain(), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def _plain(self) -> dict[str, str]:
        path = f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(self.root), "LANG": "C.UTF-8"}

    def environment(self, api: MessagesApi) -> dict[str, str]:
        """That of the `codeb` that heals."""
        return {
            **self._plain(),
            "CODEB_HOME": str(self.root / "codeb"),
            "CODEB_HEAL_CLAUDE": str(self.claude.launcher),
            "CODEB_HEAL_API_URL": api.base_url,
            "DEPLOY_PASSWORD": SECRET,
        }

    def command(self, *options: str) -> list[str]:
        """The command that heals by the log."""
        heal = [sys.executable, "-m", "codeb_mcp.cli", "heal", "--json", "--log", str(self.log)]
        return [*heal, "--repo", str(self.repo), *options]

    def heal(self, api: MessagesApi, *options: str) -> dict[str, Any]:
        """What `codeb heal --json` prints."""
        done = subprocess.run(
            self.command(*options),
            env=self.environment(api),
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert SECRET not in done.stdout + done.stderr
        assert KEY not in done.stdout + done.stderr
        try:
            document: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"exit {done.returncode}\n{done.stdout}\n{done.stderr}") from None
        assert "error" not in document, document
        return document

    def git(self, *arguments: str) -> str:
        """What git prints in the checkout."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.repo, check=True, capture_output=True, text=True
        )
        return done.stdout

    def remote_branches(self) -> dict[str, str]:
        """The branches of the remote, and where they are."""
        lines = self.git("ls-remote", "--heads", "origin").splitlines()
        return {line.split("refs/heads/")[1]: line.split()[0] for line in lines}

    def state(self) -> tuple[str, str, str, dict[str, str], list[str]]:
        """All that a heal that gives up must leave as it was."""
        return (
            self.git("rev-parse", "HEAD"),
            self.git("status", "--porcelain", "--untracked-files=all"),
            self.git("for-each-ref", "refs/heads", "refs/tags"),
            self.remote_branches(),
            sorted(path.name for path in (self.repo / ".git").iterdir()),
        )
