"""Where the program begins: an interrupt (ctrl-C) ends it without a traceback, also while it is still loading.

So does a request to end (SIGTERM), through all `finally`: no tshark, no worker and no temporary file is left behind.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM  # the exit status that shells use for them


def main() -> None:
    """Run the command line."""
    # Not SIG_DFL: Polars, when imported, lays a handler over what it finds, which would swallow the signal.
    signal.signal(signal.SIGINT, _end)
    gc.disable()  # what is imported stays: looking for garbage in it takes a tenth of the time
    from postproc.cli import app  # takes most of the first half second

    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        app()
    finally:
        signal.signal(signal.SIGINT, _end)  # nor does the interpreter's own shutdown print one


def _end(signal_number: int, frame: FrameType | None) -> None:
    """There is nothing to clean up."""
    os._exit(INTERRUPTED)
