"""A file of its own for each input: one behind a URL is fetched, a member of a zip archive is unpacked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from postproc.capture import archive, remote
from postproc.capture.discovery import Source
from postproc.capture.file_type import FileType, file_type_of
from postproc.runtime.errors import CaptureError
from postproc.runtime.temp_files import temporary_folder


@contextmanager
def local_copy(source: Source) -> Iterator[Source]:
    """The source as a file on this machine: a copy, deleted after the block, or the source as it is.

    Raises CaptureError. One that is raised in the block calls a copy by the label of the source.
    """
    with _copied(source) as copy:
        try:
            yield copy
        except CaptureError as error:
            (error.problem,) = copy.labelled([error.problem])
            raise


@contextmanager
def _copied(source: Source) -> Iterator[Source]:
    if source.url is None and source.member is None:
        yield source
        return
    with temporary_folder() as folder:
        copy = Path(folder) / "capture"
        if source.url is not None:
            remote.fetch(source.url, copy)
        elif source.member is not None:
            archive.unpack(source.path, source.member, copy, source.label)
        file_type = file_type_of(copy)
        if file_type is FileType.ARCHIVE:
            raise CaptureError(source.label, "is a zip archive", "unpack it on this machine, and name the file")
        yield replace(source, path=copy, file_type=file_type, url=None, member=None, given=source.label)
