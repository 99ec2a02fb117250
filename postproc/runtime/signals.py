"""How the program ends early.

An interrupt (Ctrl-C) or a request to end (SIGTERM) ends it without a traceback, even while it still loads. Once a
command runs, both pass through all `finally` blocks: no tshark, no worker and no temporary file is left behind.
"""

from __future__ import annotations

import os
import signal
import sys
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
