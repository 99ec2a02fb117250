"""Warnings and the progress bar of a run on stderr: the bar shows rate and time left, if stderr is a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from postproc.cli.messages import messages, print_message
from postproc.runtime.read_position import ReadPosition

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

_POLL_S = 0.2
_MEGABYTE = 1_000_000


class TerminalMonitor:
    """The Monitor (case/run.py) of the command line."""

    def warn(self, message: str) -> None:
        """Print a message on stderr."""
        print_message(message)

    def progress(
        self, task: str, total: int, file: Path | None = None
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Show a progress bar; see `progress` and, for one large `file`, `byte_progress`."""
        return progress(task, total) if file is None else byte_progress(task, file)


@contextmanager
def progress(task: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yields a function that takes how many of `total` steps are done. Shows nothing if stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich import progress as bars  # slow to import: to report an unchanged case takes less time

    with _bar(bars.MofNCompleteColumn(), bars.TextColumn("{task.fields[rate]}")) as bar:
        task_id = bar.add_task(task, total=total, rate="")

        def report(done: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task_id, completed=done, rate=f"{speed:.1f}/s" if speed else "")

        yield report


@contextmanager
def byte_progress(task: str, file: Path) -> Iterator[Callable[[int], None]]:
    """The same for the one step of reading `file`: shows how much of it has been read."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich import progress as bars  # slow to import

    position, ended = ReadPosition(file), threading.Event()
    with _bar(bars.TaskProgressColumn(), bars.TextColumn("{task.fields[read]}")) as bar:
        task_id = bar.add_task(task, total=1.0, read="")

        def follow() -> None:
            while not ended.wait(_POLL_S):
                read = f"{position.bytes_read() / _MEGABYTE:,.1f} of {position.size / _MEGABYTE:,.1f} MB"
                bar.update(task_id, completed=position.done(), read=read)

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield lambda done: None
        finally:
            ended.set()
            follower.join()


def _bar(*columns: ProgressColumn) -> Progress:
    from rich import progress as bars

    return bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        *columns,
        bars.TextColumn("time left"),
        bars.TimeRemainingColumn(),
        console=messages(),
        transient=True,
    )
