"""A text file as UTF-8, for every reader of text: gzip, Zstandard and LZ4 unpacked, UTF-16 decoded, without a BOM."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from postproc.capture.decompress import READ_ERRORS, decompressed
from postproc.capture.file_type import UTF16_MARKS
from postproc.runtime.errors import CaptureError

_BUFFERED = 131_072  # bytes


class TextStream:
    """The bytes of a text in UTF-8. Reading raises CaptureError, which names `file` and ends with `hint`."""

    def __init__(self, content: io.BufferedReader, file: str, hint: str) -> None:
        self._file, self._hint = file, hint
        self._read: Callable[[int], bytes] = content.read
        self._readline: Callable[[int], bytes] = content.readline
        begin = self._safely(content.peek, len(codecs.BOM_UTF8))
        if begin.startswith(UTF16_MARKS):  # `>` in Windows PowerShell 5
            text = io.TextIOWrapper(content, "utf-16", "replace", newline="\n")
            self._read = lambda size: text.read(size).encode("utf-8", "replace")
            self._readline = lambda size: text.readline(size).encode("utf-8", "replace")
        elif begin.startswith(codecs.BOM_UTF8):
            content.read(len(codecs.BOM_UTF8))

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most `size`; of UTF-16, so many characters."""
        return self._safely(self._read, size)

    def readline(self, size: int = -1, /) -> bytes:
        """The next line, at most `size` bytes of it; of UTF-16, so many characters."""
        return self._safely(self._readline, size)

    def _safely(self, read: Callable[[int], bytes], size: int) -> bytes:
        try:
            return read(size)
        except EOFError:
            raise CaptureError(self._file, "the compressed file is cut short", self._hint) from None
        except READ_ERRORS as error:
            raise _unreadable(self._file, error, self._hint) from None


@contextmanager
def text_stream(path: Path, hint: str = "") -> Iterator[TextStream]:
    """The content of a text file. Raises CaptureError, whose messages end with `hint`."""
    file = str(path)
    with ExitStack() as stack:
        try:
            content: Any = stack.enter_context(decompressed(path))
        except READ_ERRORS as error:
            raise _unreadable(file, error, hint) from None
        if not isinstance(content, io.BufferedReader):
            content = io.BufferedReader(content, _BUFFERED)
        yield TextStream(content, file, hint)


def _unreadable(file: str, error: Exception, hint: str) -> CaptureError:
    if isinstance(error, OSError) and error.strerror:
        return CaptureError(file, f"cannot be read: {error.strerror}")
    return CaptureError(file, f"cannot be decompressed: {error}", hint)
