"""How the program ends before its time.

An interrupt (ctrl-C) or a request to end (SIGTERM) ends it without a traceback, also while it is still loading. Once a
command runs, both go through all `finally`: no tshark, no worker and no temporary file is left behind.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from _thread import (  # Thread.start takes locks that what was interrupted may hold
    get_ident,
    interrupt_main,
    start_new_thread,
)
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Never

Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM  # the exit status that shells use for them


@contextmanager
def ending_in_order() -> Iterator[None]:
    """In the block an interrupt is a KeyboardInterrupt and a request to end a SystemExit, neither of which is lost."""
    hook, sys.unraisablehook = sys.unraisablehook, _not_lost
    before = handle({signal.SIGTERM: _exit, signal.SIGINT: signal.default_int_handler})
    try:
        yield
    finally:
        handle(before)
        sys.unraisablehook = hook


def handle(handlers: Mapping[signal.Signals, Handler]) -> dict[signal.Signals, Handler]:
    """Set them, and tell what stood there. What is ignored stays so: thus shells start what runs in the background."""
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in handlers.items():
        if before[number] != signal.SIG_IGN:
            signal.signal(number, handler)
    return before


def end_at_once(number: int, frame: FrameType | None) -> Never:
    """What to do on a signal as long as there is nothing to clean up."""
    os._exit(128 + number)


def _exit(number: int, frame: FrameType | None) -> Never:
    sys.exit(128 + number)


def _not_lost(unraisable: sys.UnraisableHookArgs) -> None:
    """A signal that came in a `__del__` or a weak reference's callback, where exceptions are dropped, comes again."""
    number = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}.get(unraisable.exc_type)
    if number is None:
        sys.__unraisablehook__(unraisable)
    else:
        start_new_thread(_send_again, (number, get_ident()))  # from here it would be dropped once more


def _send_again(number: signal.Signals, thread: int) -> None:
    time.sleep(0.01)
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(thread, number)  # wakes it if it waits
    else:  # Windows
        interrupt_main(number)
