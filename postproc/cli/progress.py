"""Warnings and the progress bar of a run on stderr: the bar shows rate and time left, if stderr is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from postproc.cli.messages import messages, print_message


class TerminalMonitor:
    """The Monitor (case/run.py) of the command line."""

    def warn(self, message: str) -> None:
        """Print a message on stderr."""
        print_message(message)

    def progress(self, task: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show a progress bar; see `progress`."""
        return progress(task, total)


@contextmanager
def progress(task: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yields a function that takes how many of `total` steps are done. Shows nothing if stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    console = messages()
    from rich import progress as bars  # slow to import: to report an unchanged case takes less time

    bar = bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TextColumn("time left"),
        bars.TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task_id = bar.add_task(task, total=total, rate="")

        def report(done: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task_id, completed=done, rate=f"{speed:.1f}/s" if speed else "")

        yield report
