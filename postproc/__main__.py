"""The entry point: signal handlers first, then the command line."""

from __future__ import annotations

import gc
import signal

from postproc.runtime.signals import end_at_once, set_handlers


def main() -> None:
    """Run the command line."""
    # Not SIG_DFL: on import, Polars wraps a handler around the one that it finds, which would swallow the signal.
    # Nor an exception: libraries that are being imported turn it into another one, or lose it.
    set_handlers(dict.fromkeys((signal.SIGINT, signal.SIGTERM), end_at_once))
    gc.disable()  # imported modules stay: looking for garbage among them takes a tenth of the time
    from postproc.cli.app import app  # most of the first half second

    gc.freeze()
    gc.enable()
    app()


if __name__ == "__main__":
    main()
