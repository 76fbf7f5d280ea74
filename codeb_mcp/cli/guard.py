"""`codeb guard`."""

import json as json_format
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from codeb_mcp.cli.output import Json, emit, err, out, run, text
from codeb_mcp.cli.reports import annotations, sarif
from codeb_mcp.errors import InvalidRequest
from codeb_mcp.services.commit_hook import install_commit_hook
from codeb_mcp.services.edit_hook import hook_answer
from codeb_mcp.services.vetting import VerdictView
from codeb_mcp.wiring import open_hooks, open_vetting

REJECTED = 3

DiffFile = Annotated[
    str | None, typer.Option("--diff", metavar="FILE", help="A unified diff; - is standard input.")
]
Repo = Annotated[
    Path | None, typer.Option(help="The repository: judge its changes, or read more context.")
]
Base = Annotated[str, typer.Option(help="What the changes of --repo are compared with.")]
Staged = Annotated[bool, typer.Option("--staged", help="Judge what is staged, for a commit hook.")]
Strict = Annotated[bool, typer.Option("--strict", help="Leave with 3 for review too.")]
Explain = Annotated[str | None, typer.Option(metavar="RULE", help="Explain one rule and stop.")]
Annotate = Annotated[
    bool, typer.Option("--annotate", help="Also print GitHub's annotations of lines.")
]
InstallHook = Annotated[
    bool, typer.Option("--install-hook", help="Make it the repository's pre-commit hook.")
]
Hook = Annotated[bool, typer.Option("--hook", help="Answer a PreToolUse hook of Claude Code.")]


def guard(
    diff: DiffFile = None,
    repo: Repo = None,
    base: Base = "HEAD",
    staged: Staged = False,
    strict: Strict = False,
    explain: Explain = None,
    sarif_file: Annotated[
        Path | None, typer.Option("--sarif", metavar="FILE", help="Also write SARIF.")
    ] = None,
    annotate: Annotate = False,
    hook: Hook = False,
    install_hook: InstallHook = False,
    within: Annotated[
        Path | None, typer.Option(help="With --hook: deny what lies outside of this folder.")
    ] = None,
    json: Json = False,
) -> None:
    """Judge a change: does it remove the cause of a failure, or only its sign?

    Leaves with 0 when it may go on or a person decides, 3 when it is blocked, 2 when the diff
    cannot be read.
    """
    if explain is not None:
        _explain(explain, json)
        return
    if hook:
        _answer_hook(within)
        return
    if install_hook:
        _install_hook((repo or Path()).absolute())
        return
    verdict = _judged(diff, repo, base, staged)
    emit(verdict, json, lambda: _show(verdict))
    if annotate:
        # with --json, standard output is one document; GitHub reads both streams
        (sys.stderr if json else sys.stdout).write(annotations(verdict))
    if sarif_file is not None:
        sarif_file.write_text(sarif(verdict, open_vetting().rules), encoding="utf-8")
    if verdict.verdict == "block" or (strict and verdict.verdict == "review"):
        raise typer.Exit(REJECTED)


def _judged(diff: str | None, repo: Path | None, base: str, staged: bool) -> VerdictView:
    folder = repo
    if diff is None and folder is None:
        folder = Path()
    content = None if diff is None else _read(diff)
    return run(lambda: open_vetting().vet(content, folder, base, staged=staged))


def _read(diff: str) -> str:
    try:
        data = sys.stdin.buffer.read() if diff == "-" else Path(diff).read_bytes()
    except OSError as error:
        raise InvalidRequest(
            f"{diff} cannot be read: {error.strerror}", hint="pass a file, or - for standard input"
        ) from error
    return data.decode("utf-8", "surrogateescape")


def _answer_hook(within: Path | None) -> None:
    def read(path: Path) -> str | None:
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    sys.stdout.write(hook_answer(sys.stdin.read(), open_vetting(), read, within))


def _install_hook(repository: Path) -> None:
    program = shutil.which("codeb") or str(Path(sys.argv[0]).absolute())
    path, written = run(lambda: install_commit_hook(open_hooks(), repository, program))
    out.print(f"[green]✓[/] {'wrote' if written else 'is there:'} {text(path)}", soft_wrap=True)


def _show(verdict: VerdictView) -> None:
    colour = {"allow": "green", "review": "yellow", "block": "red"}
    for each in verdict.findings:
        shade = colour[each.severity]
        out.print(
            f"[{shade}]{each.severity}[/] {text(each.path)}:{each.line} [dim]{text(each.rule)}[/]",
            soft_wrap=True,
        )
        out.print(f"  {text(each.text)}", soft_wrap=True)
        out.print(f"  [dim]{text(each.why)}[/]", soft_wrap=True)
        out.print(f"  instead: {text(each.instead)}", soft_wrap=True)
    out.print(f"[{colour[verdict.verdict]}]{verdict.verdict}[/]")
    if verdict.verdict == "block":
        err.print("[dim]codeb guard --explain RULE says more[/]")


def _explain(rule_id: str, as_json: bool) -> None:
    rule = open_vetting().explain(rule_id)
    examples = {
        verdict: [e.new for e in rule.examples if e.verdict == verdict]
        for verdict in ("block", "review", "allow")
    }
    if as_json:
        document = {
            "rule": rule.id,
            "severity": rule.severity.value,
            "title": rule.title,
            "why": rule.why,
            "instead": rule.instead,
            "examples": examples,
        }
        sys.stdout.write(json_format.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return
    out.print(f"[bold]{rule.id}[/]: {text(rule.title)}")
    out.print(f"why: {text(rule.why)}", soft_wrap=True)
    out.print(f"instead: {text(rule.instead)}", soft_wrap=True)
    for verdict, found in examples.items():
        for each in found:
            out.print(f"[dim]{verdict}:[/]")
            out.print("\n".join(f"  {text(line)}" for line in each.split("\n")))
