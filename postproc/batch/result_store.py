"""The results of all inputs of a run: from the caches of case folders where they are known, else judged and stored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from postproc.batch.cache import Cache
from postproc.batch.job import CaptureResult, Job, StampedResult, unreadable
from postproc.capture.discovery import Source
from postproc.runtime.errors import CaptureError
from postproc.runtime.worker_pool import WorkerDiedError, cores, map_over_processes
from postproc.verdicts.reconcile_result import ReconcileResult

Runner = Callable[[Job, Sequence[Source]], Iterable[tuple[int, StampedResult | WorkerDiedError]]]
ReportProgress = Callable[[int], None]  # gets the number of inputs that are done


def cases_of(sources: Iterable[Source]) -> list[Path]:
    """The case folders of the sources, each once."""
    return [*dict.fromkeys(source.case for source in sources if source.case is not None)]


def cache_base(case: Path, cache_dir: Path | None) -> Path:
    """The folder that holds the cache of a case (`cache.FOLDER`): the case, or one of its own in `cache_dir`."""
    if cache_dir is None:
        return case
    whole = case.resolve()
    return cache_dir / f"{whole.name[:_NAME_SHOWN]}-{hashlib.sha256(os.fsencode(whole)).hexdigest()[:16]}"


_NAME_SHOWN = 50  # characters of the name of a case


@dataclass
class ResultStore:
    """The caches of the case folders of the inputs; none where results are not cached."""

    caches: dict[Path, Cache] = field(default_factory=dict)

    @classmethod
    def open(cls, sources: Sequence[Source], settings: str, cache_dir: Path | None = None) -> ResultStore:
        """A store with the cache of each case folder; see `cache_base`."""
        return cls({case: Cache.open(cache_base(case, cache_dir), settings) for case in cases_of(sources)})

    @property
    def write_problems(self) -> list[str]:
        """Why results cannot be stored, where that is so."""
        return [cache.write_problem for cache in self.caches.values() if cache.write_problem]

    @property
    def damaged(self) -> int:
        """How many stored results could not be read."""
        return sum(cache.damaged for cache in self.caches.values())

    def judge(self, sources: Sequence[Source], job: Job, runner: Runner, report: ReportProgress) -> list[CaptureResult]:
        """The result of each source, in order. Raises errors that stop all work, such as TsharkError."""
        results = {index: result for index, source in enumerate(sources) if (result := self._find(source))}
        report(len(results))
        left = [index for index in range(len(sources)) if index not in results]
        for place, stamped in runner(job, [sources[index] for index in left]):
            index = left[place]
            results[index] = self._store(sources[index], stamped)
            report(len(results))
        for case, cache in self.caches.items():
            cache.forget_missing({source.name for source in sources if source.case == case})
            cache.write_combined()
        return [results[index] for index in range(len(sources))]

    def find_pair(self, source: Source, key: str) -> ReconcileResult | None:
        """The stored comparison of two captures, from the cache of the source's case."""
        cache = self.caches.get(source.case) if source.case else None
        return cache.find_pair(key) if cache and key else None

    def store_pair(self, source: Source, key: str, result: ReconcileResult) -> None:
        """Store the comparison of two captures; `write_pairs` writes it at the latest."""
        if key and source.case in self.caches:
            self.caches[source.case].store_pair(key, result)

    def write_pairs(self, contents: Set[str]) -> None:
        """Write the comparisons that were stored to the caches, without those of captures with other contents."""
        for cache in self.caches.values():
            cache.write_pairs(contents)

    def _find(self, source: Source) -> CaptureResult | None:
        cache = self.caches.get(source.case) if source.case else None
        return (cache.find(source) or cache.find_content(source)) if cache else None

    def _store(self, source: Source, stamped: StampedResult | WorkerDiedError) -> CaptureResult:
        if isinstance(stamped, WorkerDiedError):
            return unreadable(source, died(source))
        if source.case in self.caches:
            self.caches[source.case].store(source, stamped)
        return stamped.result


def died(source: Source) -> CaptureError:
    """The error of an input that killed the process that worked on it."""
    hint = "perhaps out of memory: try --jobs 1; if it happens again, please report it as a bug of rstorigin"
    return CaptureError(source.label, "the process that read it died", hint)


# A process takes about a second to start. It is worth that for so many bytes to read; opening a file counts as bytes.
_WORTH_A_PROCESS, _OPENING = 40_000_000, 1_500_000


def on_this_machine(jobs: int) -> Runner:
    """Runs jobs in `jobs` processes; 0: in as many as there are cores and work for."""

    def run(job: Job, sources: Sequence[Source]) -> Iterator[tuple[int, StampedResult | WorkerDiedError]]:
        return map_over_processes(job, sources, jobs or min(cores(), _worth(sources)))

    return run


def _worth(sources: Sequence[Source]) -> int:
    sizes = (_OPENING + (source.path.stat().st_size if source.path.exists() else 0) for source in sources)
    return 1 + sum(sizes) // _WORTH_A_PROCESS
