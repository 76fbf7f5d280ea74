"""Moves a branch and its checked-out folder to another commit, so that a kill leaves no half.

A note says beforehand from where to where. Whoever comes next finishes what the branch says:
it is moved in one step, and the files follow it.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from codeb_mcp.adapters.files import write_atomic
from codeb_mcp.adapters.git_plumbing import Git
from codeb_mcp.errors import Refused, SystemFailed


@dataclass(frozen=True, slots=True)
class Landing:
    """The way to one branch; `checked_out` is it too where the folder shows it, else None."""

    git: Git
    checked_out: str | None
    branch: str | None

    async def move(self, old: str, new: str) -> None:
        """Move the branch from `old` to `new`. Refused when it is elsewhere, or files differ."""
        if self.checked_out is None:
            await self._move_reference(old, new)
            return
        if await self.git.reference(self.checked_out) != old:
            raise _moved(self.checked_out)
        note = self._note()
        write_atomic(note, json.dumps({"old": old, "new": new, "branch": self.checked_out}))
        try:
            await self._move_files(old, new)
            await self._move_reference(old, new)
        except BaseException:
            if await self.git.reference(self.checked_out) == old:
                await self._settle(old, new, old)
            raise
        finally:
            note.unlink(missing_ok=True)

    async def recover(self) -> None:
        """Finish a move that was cut off."""
        note = self._note()
        if self.checked_out is None or not note.exists():
            return
        said = json.loads(note.read_text())
        (self.git.own / "index.lock").unlink(missing_ok=True)
        if said["branch"] == self.checked_out:
            here = await self.git.reference(self.checked_out)
            if here is not None and here in (said["old"], said["new"]):
                await self._settle(said["old"], said["new"], here)
        note.unlink()

    def _note(self) -> Path:
        return self.git.own / "codeb-heal-landing.json"

    async def _move_files(self, old: str, new: str) -> None:
        with suppress(SystemFailed):  # files were changed, which the next step looks at
            await self.git.out("update-index", "-q", "--refresh")
        try:
            await self.git.out("read-tree", "-m", "-u", old, new)
        except SystemFailed as error:
            raise Refused(
                f"the fix changes files that were changed by others: {error.message[-200:]}",
                hint="commit or put away the changes in the project's folder",
                code="changed_by_others",
            ) from None

    async def _move_reference(self, old: str, new: str) -> None:
        reference = f"refs/heads/{self.branch}"
        here = await self.git.reference(str(self.branch))
        try:
            arguments = ("-m", "codeb heal", reference, new, here or "0" * 40)
            if here not in (None, old):
                raise _moved(str(self.branch))
            await self.git.out("update-ref", *arguments)
        except SystemFailed:
            raise _moved(str(self.branch)) from None

    async def _settle(self, old: str, new: str, wanted: str) -> None:
        """Give the files in which the two commits differ the contents of `wanted`.

        A file that holds neither was changed by a person, and is left alone.
        """
        listed = await self.git.out("diff", "--no-renames", "--name-only", "-z", old, new, "--")
        for path in (each for each in listed.split("\0") if each):
            versions = [await self._blob(each, path) for each in (old, new)]
            if await self._here(path) not in versions:
                continue
            if await self._blob(wanted, path) is None:
                await self.git.out("rm", "-q", "-f", "--ignore-unmatch", "--", path)
            else:
                await self.git.out("checkout", "-q", wanted, "--", path)

    async def _blob(self, commit: str, path: str) -> str | None:
        listed = await self.git.out("ls-tree", "-z", commit, "--", path)
        return listed.split()[2] if listed else None

    async def _here(self, path: str) -> str | None:
        if not (self.git.work / path).is_file():
            return None
        return (await self.git.out("hash-object", "--", path)).strip()


def _moved(branch: str) -> Refused:
    return Refused(
        f"the branch {branch} has moved since the heal began",
        hint="heal again: the newest commit may fail otherwise, or not at all",
        code="branch_moved",
    )
