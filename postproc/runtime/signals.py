"""How the program ends early.

An interrupt (Ctrl-C) or a request to end (SIGTERM) ends it without a traceback, even while it still loads. Once a
command runs, both pass through all `finally` blocks: no tshark, no worker and no temporary file is left behind.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from _thread import (  # Thread.start takes locks that the interrupted code may hold
    get_ident,
    interrupt_main,
    start_new_thread,
)
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Never

MASKS = hasattr(signal, "pthread_sigmask")  # not Windows
Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM  # the exit status that shells use for them


@contextmanager
def ending_in_order() -> Iterator[None]:
    """In the block, an interrupt raises KeyboardInterrupt and SIGTERM raises SystemExit. Neither can get lost."""
    hook, sys.unraisablehook = sys.unraisablehook, _not_lost
    before = set_handlers({signal.SIGTERM: _exit, signal.SIGINT: signal.default_int_handler})
    try:
        yield
    finally:
        set_handlers(before)
        sys.unraisablehook = hook


def set_handlers(handlers: Mapping[signal.Signals, Handler]) -> dict[signal.Signals, Handler]:
    """Set the handlers; return the previous ones.

    A signal that is ignored stays ignored: shells start background jobs that way.
    """
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in handlers.items():
        if before[number] != signal.SIG_IGN:
            signal.signal(number, handler)
    return before


@contextmanager
def first_interrupt(act: Callable[[], object]) -> Iterator[None]:
    """In the block, the first interrupt only calls `act`; a second one raises KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def once(number: int, frame: FrameType | None) -> None:
        set_handlers({signal.SIGINT: signal.default_int_handler})
        act()

    before = set_handlers({signal.SIGINT: once})
    try:
        yield
    finally:
        set_handlers(before)


@contextmanager
def signals_held(*numbers: signal.Signals, masked: bool = True) -> Iterator[None]:
    """Holds back signals until the end of the block; in other threads than the main one it has nothing to do.

    With `masked`, processes started in it never get them unless they unblock them, as they inherit the mask. The
    handlers have to wait as well, since a signal may go to another of our threads, for which Python still interrupts
    the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    handlers = set_handlers(dict.fromkeys(numbers, lambda number, _: held.append(number)))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers) if masked and MASKS else ()
    try:
        yield
    finally:
        if masked and MASKS:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        set_handlers(handlers)
        for number in held:
            signal.raise_signal(number)


def end_at_once(number: int, frame: FrameType | None) -> Never:
    """The handler while there is nothing to clean up."""
    os._exit(128 + number)


def _exit(number: int, frame: FrameType | None) -> Never:
    sys.exit(128 + number)


def _not_lost(unraisable: sys.UnraisableHookArgs) -> None:
    """Send a signal again that came in a `__del__` or a weak reference's callback, where Python drops exceptions."""
    number = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}.get(unraisable.exc_type)
    if number is None:
        sys.__unraisablehook__(unraisable)
    else:
        start_new_thread(_send_again, (number, get_ident()))  # raised here it would be dropped again


def _send_again(number: signal.Signals, thread: int) -> None:
    time.sleep(0.01)
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(thread, number)  # wakes the thread if it waits
    else:  # Windows
        interrupt_main(number)
