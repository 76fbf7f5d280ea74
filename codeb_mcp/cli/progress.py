"""Long work, watched: a bar on a terminal, a line per step elsewhere."""

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from codeb_mcp.cli.output import err, run, text
from codeb_mcp.services.deployments import OnProgress, Progress, ignore_progress

T = TypeVar("T")


def watched(work: Callable[[OnProgress], Awaitable[T]], *, quiet: bool) -> T:
    """Do the work and show on standard error how far it is, unless `quiet`."""
    if quiet:
        return run(partial(work, ignore_progress))
    if not sys.stderr.isatty():
        return run(partial(work, _print_line))
    with Bar(
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=err,
        transient=True,
    ) as bar:
        return run(partial(work, _Shown(bar).show))


async def _print_line(progress: Progress) -> None:
    what = progress.detail or progress.message
    err.print(f"[{progress.done}/{progress.total}] {text(what)}", soft_wrap=True)


class _Shown:
    """Steps that are done stay above the bar."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)
        self._before = ""

    async def show(self, progress: Progress) -> None:
        """What goes on now."""
        message = text(progress.message)
        if self._before not in ("", message):
            self._bar.console.print(f"[green]✓[/] {self._before}")
        self._before = message
        detail = f" [dim]{text(progress.detail[:60])}[/]" if progress.detail else ""
        self._bar.update(
            self._task,
            completed=progress.done,
            total=progress.total,
            description=f"{message}{detail}",
        )
