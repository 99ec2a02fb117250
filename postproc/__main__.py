"""Where the program begins: signal handlers first, then the command line."""

from __future__ import annotations

import gc
import signal

from postproc.runtime.signals import end_at_once, handle


def main() -> None:
    """Run the command line."""
    # Not SIG_DFL: Polars, when imported, lays a handler over what it finds, which would swallow the signal.
    # Nor an exception: libraries that are just being imported make others of it, or lose it.
    handle(dict.fromkeys((signal.SIGINT, signal.SIGTERM), end_at_once))
    gc.disable()  # what is imported stays: looking for garbage in it takes a tenth of the time
    from postproc.cli.app import app  # takes most of the first half second

    gc.freeze()
    gc.enable()
    app()


if __name__ == "__main__":
    main()
