"""The output of a program, read with patience that ends: a program that prints nothing for too long is killed."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys

_PIECE = 1 << 16  # bytes; what a pipe holds


class PatientPipe:
    """The stdout of `process`, as a stream of bytes.

    Only the time spent waiting for output counts, not that in which nobody reads. Where nothing comes for `timeout_s`
    (0: for ever), the process is killed, the output ends, and `hung` is true. Windows cannot wait for a pipe with a
    limit: there it is for ever.
    """

    def __init__(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        assert process.stdout is not None  # it is a pipe
        self.hung = False
        self._process = process
        self._pipe = process.stdout
        self._timeout_s = timeout_s if timeout_s > 0 and sys.platform != "win32" else None
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """The next `size` bytes, fewer only at the end; all where it is negative."""
        parts, length = [self._rest], len(self._rest)
        while (size < 0 or length < size) and (part := self._next()):
            parts.append(part)
            length += len(part)
        content = b"".join(parts)
        if size < 0:
            size = length
        self._rest = content[size:]
        return content[:size]

    def readline(self) -> bytes:
        """The next line, with its end."""
        content = self._rest
        while b"\n" not in content and (part := self._next()):
            content += part
        line, end, self._rest = content.partition(b"\n")
        return line + end

    def wait(self) -> int:
        """The exit status of the process, for which this waits as long as for output."""
        try:
            return self._process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            self._end()
            return self._process.wait()

    def _next(self) -> bytes:
        if self._timeout_s is not None and not self._comes_within(self._timeout_s):
            self._end()
            return b""
        return os.read(self._pipe.fileno(), _PIECE)

    def _comes_within(self, seconds: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def _end(self) -> None:
        self.hung = True
        self._process.kill()
