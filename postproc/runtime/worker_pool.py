"""Runs a task over many inputs in several processes. Yields results as they come, and leaves no process behind."""

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

from postproc.runtime.gc_pause import gc_paused
from postproc.runtime.signals import MASKS, TERMINATED, end_at_once, ending_in_order, signals_held

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_WAITING = 2  # inputs handed out per process: it never waits for the next, and its death affects few

_ENDING = (signal.SIGINT, signal.SIGTERM)  # a worker leaves SIGINT to us, and unblocks SIGTERM once it can end

_POLARS_THREADS = "POLARS_MAX_THREADS"  # read by Polars when it is imported


class WorkerDiedError(Exception):
    """The process that worked on an input died, most likely for lack of memory."""


def map_over_processes(
    task: Callable[[_Item], _Result], items: Sequence[_Item], processes: int
) -> Iterator[tuple[int, _Result | WorkerDiedError]]:
    """The index and the result of each item, in the order in which they are done.

    With one process or one item, the work is done in this process. `task` is sent to every process once. When an item
    kills its process, its result is a WorkerDiedError, and the other results are not lost.
    """
    if processes <= 1 or len(items) <= 1:
        for index, item in enumerate(items):
            yield index, task(item)
        return
    left = dict(enumerate(items))
    suspects: dict[int, _Item] = {}  # in work when a process died: each gets a process of its own
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
    """`handed_out` holds the items in work; those that are left there after BrokenProcessPool are not done.

    The garbage collector pauses until the last result, in the caller, too, which gathers the results.
    """
    waiting = iter(list(items.items()))
    futures: dict[Future[_Result], int] = {}
    with gc_paused(), _pool(task, processes) as pool:  # results are many small objects

        def hand_out() -> None:
            for index, item in waiting:
                handed_out[index] = item
                with signals_held(*_ENDING):
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
        with _pool(task, 1) as pool, signals_held(*_ENDING):
            future: Future[_Result] = pool.submit(_work, item)
        return future.result()
    except BrokenProcessPool:
        return WorkerDiedError()


@contextmanager
def _pool(task: Callable[[Any], Any], processes: int) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes are killed, with all that they do, if the block is left early."""
    start = multiprocessing.get_context("fork" if _may_fork() else "spawn")
    pool = ProcessPoolExecutor(processes, start, initializer=_start_worker, initargs=(task,))
    try:
        with _threads_shared(processes):
            yield pool
        pool.shutdown()
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        pool.shutdown(cancel_futures=True)
        raise


def _may_fork() -> bool:
    """Whether processes may start as copies of this one with all its imports, half a second faster.

    A copy of a process with more threads, as Polars starts them, can hang on their locks. Only Linux is safe enough.
    """
    return sys.platform == "linux" and "polars" not in sys.modules and threading.active_count() == 1


@contextmanager
def _threads_shared(processes: int) -> Iterator[None]:
    """Processes started in the block share the cores. Polars would start as many threads as cores in each."""
    if _POLARS_THREADS in os.environ:
        yield
        return
    os.environ[_POLARS_THREADS] = str(max(cores() // processes, 1))
    try:
        yield
    finally:
        del os.environ[_POLARS_THREADS]


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_task: Callable[[Any], Any]  # of this worker process


def _start_worker(task: Callable[[Any], Any]) -> None:
    """Make this process a worker. It ends on SIGTERM, and with its parent however that ends."""
    global _task
    _task = task
    gc.enable()  # the parent, of which this may be a copy, is `gc_paused`
    signal.signal(signal.SIGTERM, end_at_once)  # not an exception: before the work nobody catches it
    if MASKS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # it may have come before the handler was set
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
    except SystemExit:  # else it would become the result, and the worker would start the next item
        os._exit(TERMINATED)
