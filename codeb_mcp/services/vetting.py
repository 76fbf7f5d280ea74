"""Vetting a change: the guard's verdict on a diff, an edit or a repository."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Protocol

from pydantic import Field

from codeb_mcp.errors import InvalidRequest
from codeb_mcp.guard.allowances import PATH, Allowance, parse_allowances
from codeb_mcp.guard.diff import parse_diff
from codeb_mcp.guard.rules import Rule, Rules, load_rules
from codeb_mcp.guard.sides import Whole
from codeb_mcp.guard.verdict import Finding, Verdict, judge
from codeb_mcp.services.views import View

MOST_FILES = 300
"""Files of one diff whose whole text is read; the rest are judged by their hunks."""


class Repository(Protocol):
    """A version-controlled folder, read only."""

    async def start_of(self, folder: Path, base: str) -> str:
        """The commit that a change against `base` began at. InvalidRequest: no such commit."""

    async def diff(self, folder: Path, start: str, *, staged: bool) -> str:
        """The unified diff since `start`, of the index when `staged`."""

    async def file(self, folder: Path, revision: str, path: str) -> str | None:
        """A file of a commit, or of the index when `revision` is empty."""

    def on_disk(self, folder: Path, path: str) -> str | None:
        """A file as it lies in the folder."""


class FindingView(View):
    """One finding; `line` is in the new file, or in the old one for what was taken out."""

    rule: str
    severity: str = Field(description="block, or review: a person decides")
    path: str
    line: int
    text: str
    why: str
    instead: str = Field(description="the honest way")

    @classmethod
    def of(cls, finding: Finding) -> "FindingView":
        """The view of `finding`."""
        return cls(
            rule=finding.rule,
            severity=finding.severity.value,
            path=finding.path,
            line=finding.line,
            text=finding.text,
            why=finding.why,
            instead=finding.instead,
        )


class VerdictView(View):
    """The guard's verdict. It is about the diff with this SHA-256, and no other."""

    verdict: str = Field(description="allow, review (a person decides) or block")
    diff_sha256: str
    findings: list[FindingView]

    @classmethod
    def of(cls, verdict: Verdict) -> "VerdictView":
        """The view of `verdict`."""
        return cls(
            verdict=verdict.decision.value,
            diff_sha256=verdict.diff_sha256,
            findings=[FindingView.of(each) for each in verdict.findings],
        )


class Vetting:
    """The guard as a use case."""

    def __init__(
        self,
        rule_texts: Callable[[], Mapping[str, str]],
        repository: Repository,
        today: Callable[[], date],
    ) -> None:
        self._rule_texts = rule_texts
        self._repository = repository
        self._today = today

    def over(self, repository: Repository) -> "Vetting":
        """The same guard, reading another repository."""
        other = Vetting(self._rule_texts, repository, self._today)
        other.__dict__["rules"] = self.rules
        return other

    @cached_property
    def rules(self) -> Rules:
        """The rules, read once."""
        return load_rules(self._rule_texts())

    def explain(self, rule_id: str) -> Rule:
        """One rule. InvalidRequest names the rules that there are."""
        return self.rules.get(rule_id)

    def vet_text(self, diff: str, wholes: Mapping[str, Whole] | None = None) -> VerdictView:
        """The verdict on a diff alone."""
        return VerdictView.of(judge(diff, self.rules, wholes=wholes))

    async def vet(
        self,
        diff: str | None,
        folder: Path | None = None,
        base: str = "HEAD",
        *,
        staged: bool = False,
    ) -> VerdictView:
        """The verdict on `diff`, or on what changed in `folder` since `base`.

        With a folder the files are read whole, and the exceptions of its `base` count.
        """
        if folder is None:
            if diff is None:
                raise InvalidRequest(
                    "there is nothing to judge", hint="pass --diff FILE, or --repo DIR"
                )
            return self.vet_text(diff)
        start = await self._repository.start_of(folder, base)
        text = diff
        if text is None:
            text = await self._repository.diff(folder, start, staged=staged)
        wholes = await self._wholes(text, folder, start, staged)
        allowances = await self._allowances(folder, start)
        return VerdictView.of(
            judge(text, self.rules, wholes=wholes, allowances=allowances, today=self._today())
        )

    async def _allowances(self, folder: Path, start: str) -> Sequence[Allowance]:
        text = await self._repository.file(folder, start, PATH)
        return parse_allowances(text, self._today()) if text else ()

    async def _wholes(self, diff: str, folder: Path, start: str, staged: bool) -> dict[str, Whole]:
        wholes: dict[str, Whole] = {}
        for change in parse_diff(diff)[:MOST_FILES]:
            old = new = None
            if change.old_path and not change.binary:
                old = await self._repository.file(folder, start, change.old_path)
            if change.new_path and not change.binary:
                new = (
                    await self._repository.file(folder, "", change.new_path)
                    if staged
                    else self._repository.on_disk(folder, change.new_path)
                )
            wholes[change.path] = Whole(old, new)
        return wholes
