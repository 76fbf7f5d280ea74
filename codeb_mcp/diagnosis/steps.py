"""Which step of a pipeline a line belongs to, which one failed, with what exit code."""

import re
from dataclasses import dataclass

from codeb_mcp.diagnosis.lines import Line
from codeb_mcp.diagnosis.window import Window

_ENDED = re.compile(
    r"Process completed with exit code (-?\d+)"
    r"|(?:Bash|PowerShell|Cmd\.exe|The process '.{1,300}') (?:exited|failed) with (?:exit )?code '?(-?\d+)"
    r"|ERROR: Job failed: (?:exit code|exit status|command terminated with exit code) (\d+)"
    r"|ERROR: Job failed: .{0,80}exit(?:ed with)? (?:code|status) (\d+)"
    r"|[Tt]he command \"?.{1,500}?\"? (?:failed and )?exited with (?:status )?(\d+)"
    r"|The command exited with status (-?\d+)"
    r"|[Ee]xited with code (?:exit status )?(\d+)$"
    r"|script returned exit code (\d+)"
    r"|Your build exited with (\d+)"
)
_SAID = re.compile(
    r"(?:exit(?:ed)?(?: with)? ?(?:code|status)?:?|exit (?:code|status)|returned(?: a)? non-zero(?: code)?:?|"
    r"code:|ELIFECYCLE.{0,40}code) ?'?\(?(\d{1,3})\b"
)
_COMMAND = re.compile(r"(?:\[command\]|\$ |\+ |> )(?!\S+@\d)(?P<command>\S.{0,300})")
_TRAVIS = re.compile(r"The command \"(?P<command>.{1,500}?)\" (?:failed and )?exited with")
_NOT_A_NAME = frozenset(("UNKNOWN STEP",))


@dataclass(slots=True)
class Step:
    """One command of a pipeline. `failed` when the CI system said so itself."""

    number: int
    name: str | None = None
    command: str | None = None
    job: str | None = None
    failed: bool = False
    exit_code: int | None = None


class Steps:
    """Follows the marks of CI systems, line by line."""

    def __init__(self) -> None:
        self.current = Step(0)
        self.failed: list[Step] = []
        self.marked: list[Step] = []
        """Steps with an error mark, as actions make them that fail without an exit code."""
        self.said_code: int | None = None
        self._view: tuple[str, str] = ("", "")

    def see(self, line: Line, window: Window) -> bool:
        """Take note of a line in its order; whether it ends a step as failed."""
        self._follow_view(line)
        if line.mark == "group" and line.text.startswith("Run "):
            self._begin(line.text, _script(window, line.number))
        elif line.mark == "section" and line.text.startswith("Starting: "):
            self._begin(line.text[10:], None)
        elif found := _ENDED.search(line.text):
            code = next((int(group) for group in found.groups() if group), None)
            return bool(code) and self._fail(line, window, code)
        elif found := _SAID.search(line.text):
            self.said_code = int(found[1]) or self.said_code
        if line.mark == "error" and self.current not in self.marked[-1:]:
            self.marked.append(self.current)
        return False

    def last_through(self, text: bytes) -> bool:
        """Whether no line of `text` names another step than the current one."""
        if not self._view[0]:
            return True
        return text.count("\t".join((*self._view, "")).encode()) >= text.count(b"\n")

    def _follow_view(self, line: Line) -> None:
        if not line.job or (line.job, line.step) == self._view:
            return
        self._view = (line.job, line.step)
        named = line.step not in _NOT_A_NAME
        command = line.step[4:] if line.step.startswith("Run ") else None
        self._begin(line.step if named else None, command)

    def _begin(self, name: str | None, command: str | None) -> None:
        same = self._view[1] == self.current.name and self.current.command is None
        job = self._view[0] or None
        if same and name and self.current.name:
            self.current.command = command
            return
        if self._view[1] and self._view[1] not in _NOT_A_NAME:
            name = self._view[1]
        self.current = Step(self.current.number + 1, name, command, job)

    def _fail(self, line: Line, window: Window, code: int | None) -> bool:
        step = self.current
        step.exit_code = code if step.exit_code is None else step.exit_code
        if (found := _TRAVIS.search(line.text)) and step.command is None:
            step.command = found["command"]
        step.command = step.command or command_before(window, line.number)
        if step.failed:
            return False
        step.failed = True
        self.failed.append(step)
        return True

    @property
    def exit_code(self) -> int | None:
        """That of the first step that failed; else the last one that anything reported."""
        return self.failed[0].exit_code if self.failed else self.said_code


def _script(window: Window, number: int) -> str | None:
    """The lines that GitHub shows between a step's name and its shell; an action has none."""
    said: list[str] = []
    for line in window.after(number, 12):
        if line.mark or line.text.startswith(("shell: ", "env:", "with:")):
            break
        said.append(line.text.strip())
    return "; ".join(said)[:300] or None


def command_before(window: Window, number: int) -> str | None:
    """The nearest command that was echoed before a line, as shells and npm do."""
    for line in window.before(number, 120):
        if found := _COMMAND.match(line.text):
            return found["command"]
    return None
