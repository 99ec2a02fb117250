"""A task over many inputs, on several processes: results as they come, and an end that leaves nothing behind."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from postproc.runtime.gc_pause import uncollected
from postproc.runtime.signals import TERMINATED, end_at_once, ending_in_order, handle

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_WAITING = 2  # inputs handed out for each process: it never waits for the next, and few are lost when it dies

_ENDING = (signal.SIGINT, signal.SIGTERM)  # a worker leaves the first to us, and unblocks the second once it can end
_MASKS = hasattr(signal, "pthread_sigmask")  # not Windows

_POLARS_THREADS = "POLARS_MAX_THREADS"  # read by Polars when it is imported


class WorkerDiedError(Exception):
    """The process that worked on an input came to an end: out of memory, most likely."""


def over_processes(
    task: Callable[[_Item], _Result], items: Sequence[_Item], processes: int
) -> Iterator[tuple[int, _Result | WorkerDiedError]]:
    """The index of each item with what `task` makes of it, in the order in which they are done.

    With one process or one item, the work is done in this one. `task` is sent once to every process. When an item
    takes its process down, its result is a WorkerDiedError, and the others are not lost.
    """
    if processes <= 1 or len(items) <= 1:
        for index, item in enumerate(items):
            yield index, task(item)
        return
    left = dict(enumerate(items))
    suspects: dict[int, _Item] = {}  # at work when a process died: from now on one at a time
    while left:
        try:
            for index, result in _over_pool(task, left, min(processes, len(left)), suspects):
                del left[index]
                yield index, result
        except BrokenProcessPool:
            for index, item in suspects.items():
                yield index, _alone(task, item)
                del left[index]
            suspects.clear()


def _over_pool(
    task: Callable[[_Item], _Result], items: dict[int, _Item], processes: int, handed_out: dict[int, _Item]
) -> Iterator[tuple[int, _Result]]:
    """`handed_out` holds what is being worked on; what remains there after BrokenProcessPool was not finished.

    No garbage is collected until the last result, not in the caller either, which gathers the results.
    """
    waiting = iter(list(items.items()))
    futures: dict[Future[_Result], int] = {}
    with uncollected(), _pool(task, processes) as pool:  # results are many small objects

        def hand_out() -> None:
            for index, item in waiting:
                handed_out[index] = item
                with held_back(*_ENDING):
                    futures[pool.submit(_work, item)] = index
                if len(futures) >= processes * _WAITING:
                    return

        hand_out()
        while futures:
            for future in wait(futures, return_when=FIRST_COMPLETED).done:
                result = future.result()
                index = futures.pop(future)
                del handed_out[index]
                yield index, result
            hand_out()


def _alone(task: Callable[[_Item], _Result], item: _Item) -> _Result | WorkerDiedError:
    try:
        with _pool(task, 1) as pool, held_back(*_ENDING):
            future: Future[_Result] = pool.submit(_work, item)
        return future.result()
    except BrokenProcessPool:
        return WorkerDiedError()


@contextmanager
def _pool(task: Callable[[Any], Any], processes: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that are ended with all they do if the block is left early."""
    start = multiprocessing.get_context("fork" if _may_fork() else "spawn")
    pool = ProcessPoolExecutor(processes, start, initializer=_begin, initargs=(task,))
    try:
        with _threads_shared_out(processes):
            yield pool
        pool.shutdown()
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        pool.shutdown(cancel_futures=True)
        raise


def _may_fork() -> bool:
    """Whether processes may begin as copies of this one, with all that it has imported, half a second sooner.

    A copy of one that has other threads, as Polars starts them, can hang on what these held. Of systems we trust Linux.
    """
    return sys.platform == "linux" and "polars" not in sys.modules and threading.active_count() == 1


@contextmanager
def _threads_shared_out(processes: int) -> Iterator[None]:
    """Processes started in the block share the cores: Polars would start as many threads as there are, in each."""
    if _POLARS_THREADS in os.environ:
        yield
        return
    os.environ[_POLARS_THREADS] = str(max(cores() // processes, 1))
    try:
        yield
    finally:
        del os.environ[_POLARS_THREADS]


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def held_back(*numbers: signal.Signals) -> Iterator[None]:
    """Signals that we see only after the block, and processes started in it never, unless they unblock them.

    To be used in the main thread. The mask is what processes inherit; as a signal then comes to another of our
    threads, for which Python interrupts the main one all the same, the handlers have to wait as well.
    """
    held: list[int] = []
    handlers = handle(dict.fromkeys(numbers, lambda number, _: held.append(number)))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers) if _MASKS else ()
    try:
        yield
    finally:
        if _MASKS:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        handle(handlers)
        for number in held:
            signal.raise_signal(number)


_task: Callable[[Any], Any]  # of this worker process


def _begin(task: Callable[[Any], Any]) -> None:
    """Make this process a worker, which ends when told to, and with its parent however that ended."""
    global _task
    _task = task
    gc.enable()  # a copy of a process that is `uncollected`
    signal.signal(signal.SIGTERM, end_at_once)  # not an exception: until there is work, nobody is there to catch it
    if _MASKS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # we may have been told before we were there
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _work(item: Any) -> Any:
    try:
        with ending_in_order():
            return _task(item)
    except SystemExit:  # else it would be sent back as the result, and the next item begun
        os._exit(TERMINATED)
