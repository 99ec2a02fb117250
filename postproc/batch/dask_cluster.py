"""The job on a Dask cluster: a scheduler that exists, or one that is started here.

Workers read captures by the same path as this machine, or by URL. Each result returns as one row of Parquet. A worker
that dies costs time only: Dask gives its captures to others, until one capture has killed several workers.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from heuristics.errors import RstoriginError, visible
from postproc.batch.cache_key import program_hash
from postproc.batch.job import Job, Stamp, StampedResult, unreadable
from postproc.batch.parquet_rows import STORED, one_row, row_of
from postproc.batch.result_codec import from_row, to_row
from postproc.capture.discovery import Source
from postproc.capture.tshark.program import Tshark, Version, find_tshark
from postproc.runtime.errors import TsharkError
from postproc.runtime.failures import input_failure
from postproc.runtime.signals import signals_held
from postproc.runtime.worker_pool import WorkerDiedError, cores

LOCAL = "local"
_CONNECT_S = 20


class ClusterError(RstoriginError):
    """A cluster that cannot be used. Its text says what to do."""


@dataclass(frozen=True)
class Cluster:
    """A connection. `version` is that of the tshark on all workers, None where none of them has one."""

    client: Any
    version: Version | None

    def run(self, job: Job, sources: Sequence[Source]) -> Iterator[tuple[int, StampedResult | WorkerDiedError]]:
        """A Runner (result_store.py). Raises ClusterError."""
        from distributed import KilledWorker, as_completed

        # As a task, not as data: if the worker that holds it dies, the scheduler lets another make it again.
        sent = self.client.submit(_itself, replace(job, tshark=None), pure=False)
        shared = [source if source.url else replace(source, path=source.path.resolve()) for source in sources]
        futures = self.client.map(_work, shared, job=sent, pure=False)
        index_of = {future.key: index for index, future in enumerate(futures)}
        for future in as_completed(futures, loop=self.client.loop):  # type: ignore[no-untyped-call]
            index = index_of[future.key]
            try:
                row, stamp = future.result()
            except KilledWorker:
                yield index, WorkerDiedError()
                continue
            except Exception as error:  # what a worker raises outside the job
                yield index, _failed(sources[index], error)
                continue
            yield index, _received(row, stamp, sources[index])


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The cluster at `address`, or for "local" a new one with this machine's cores. Raises ClusterError."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ClusterError("Dask is not installed: pip install 'rstorigin[cluster]'") from None
    connect, start_here = cast("Any", Client), cast("Any", LocalCluster)  # Dask has no type hints
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # failures show in the results
    with ExitStack() as stack:
        try:
            with signals_held(signal.SIGINT):  # else each of its processes prints a traceback
                if address == LOCAL:
                    local = start_here(cores(), threads_per_worker=1, dashboard_address=None, host="127.0.0.1")
                    address = stack.enter_context(local)
                client = stack.enter_context(connect(address, timeout=_CONNECT_S, set_as_default=False))
        except (OSError, ValueError, TypeError) as error:
            raise ClusterError(visible(f"no Dask scheduler at {address}: {error}; start one: dask scheduler")) from None
        yield Cluster(client, _common_version(client))


def _common_version(client: Any) -> Version | None:
    """The version of the workers' tshark. Raises ClusterError where the workers would not all judge alike."""
    answers = client.run(_identity, on_error="return")
    known = {worker: answer for worker, answer in answers.items() if not isinstance(answer, Exception)}
    for error in answers.values():
        # An OSError means that the worker is gone. A worker without our packages raises other errors.
        if isinstance(error, Exception) and not isinstance(error, OSError):
            raise ClusterError(visible(f"a worker cannot run rstorigin: {error}; install it there"))
    if not known:
        raise ClusterError("the cluster has no workers: start some: dask worker ADDRESS")
    different = [worker for worker, (program, _) in known.items() if program != program_hash()]
    if different:
        raise ClusterError(visible(f"another rstorigin than here on {', '.join(different)}: install the same one"))
    versions = {version for _, version in known.values()}
    if len(versions) > 1:
        found = ", ".join(f"{worker}: {version}" for worker, (_, version) in known.items())
        raise ClusterError(visible(f"the workers have different tsharks ({found}): install the same one"))
    version: Version | None = versions.pop()
    return version


def _identity() -> tuple[str, Version | None]:
    found = _tshark()
    return program_hash(), found.version if found else None


def _tshark() -> Tshark | None:
    try:
        return find_tshark()
    except TsharkError:
        return None


def _itself(job: Job) -> Job:
    return job


def _work(source: Source, job: Job) -> tuple[bytes, Stamp | None]:
    """Runs on a worker: judges one source with that machine's tshark."""
    found, options = _tshark(), job.options
    tshark = found and replace(found, decode_as=options.decode_as, timeout_s=options.tshark_timeout_s)
    stamped = replace(job, tshark=tshark)(source)
    return one_row(to_row(source.name, stamped), STORED), stamped.stamp


def _received(row: bytes, stamp: Stamp | None, source: Source) -> StampedResult:
    try:
        return StampedResult(from_row(row_of(row, STORED), source), stamp)
    except ValueError as error:
        return _failed(source, error)


def _failed(source: Source, error: Exception) -> StampedResult:
    return StampedResult(unreadable(source, input_failure(source.label, error)))
