"""How far a run has come, on stderr: a bar with rate and time left, where a person is looking."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from postproc.cli.messages import messages


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function to be told how many of `total` are done. Shows nothing where stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    console = messages()
    from rich import progress as bars  # only here: an unchanged case is told of sooner than this is imported

    shown = bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TextColumn("time left"),
        bars.TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with shown:
        task = shown.add_task(what, total=total, rate="")

        def report(done: int) -> None:
            speed = shown.tasks[0].speed
            shown.update(task, completed=done, rate=f"{speed:.1f}/s" if speed else "")

        yield report
