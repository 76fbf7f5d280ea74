"""The hooks of a git repository."""

from pathlib import Path

from codeb_mcp.adapters.process import run
from codeb_mcp.errors import HostNotReady, InvalidRequest


class GitHooks:
    """Implements `Hooks`."""

    async def folder(self, repository: Path) -> Path:
        """Where git looks for hooks: its own folder, or `core.hooksPath`."""
        argv = ("git", "-C", str(repository), "rev-parse", "--git-path", "hooks")
        found = await run(argv, check=False)
        if found.returncode != 0:
            raise InvalidRequest(
                f"{repository} is in no git repository",
                hint="git init, or name another folder with --repo",
                code="no_repository",
            )
        return (repository / found.stdout.strip()).absolute()

    def read(self, path: Path) -> str | None:
        """A hook's text; None where there is none."""
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None

    def write(self, path: Path, text: str) -> None:
        """Write an executable hook."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)
        except OSError as error:
            raise HostNotReady(
                f"{path} cannot be written: {error.strerror}",
                hint="make it writable",
                code="hook_unwritable",
            ) from None
