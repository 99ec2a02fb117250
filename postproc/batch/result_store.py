"""All inputs of a run: what the case folders' caches know is taken from there, the rest is judged, and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from postproc.batch.cache import Cache
from postproc.batch.job import Done, Job, Judged, unreadable
from postproc.capture.discovery import Source
from postproc.runtime.errors import CaptureError
from postproc.runtime.worker_pool import WorkerDiedError, cores, over_processes
from postproc.verdicts.reconcile_result import Reconciled

Runner = Callable[[Job, Sequence[Source]], Iterable[tuple[int, Done | WorkerDiedError]]]
Report = Callable[[int], None]  # told how many inputs are done


@dataclass
class Archive:
    """The caches of the case folders that inputs come from; none where nothing is to be kept."""

    caches: dict[Path, Cache] = field(default_factory=dict)

    @classmethod
    def open(cls, sources: Sequence[Source], settings: str) -> Archive:
        """With a cache for each case folder."""
        cases = dict.fromkeys(source.case for source in sources if source.case is not None)
        return cls({case: Cache.open(case, settings) for case in cases})

    @property
    def troubles(self) -> list[str]:
        """Why results cannot be kept, where they cannot."""
        return [cache.trouble for cache in self.caches.values() if cache.trouble]

    def judge(self, sources: Sequence[Source], job: Job, runner: Runner, report: Report) -> list[Judged]:
        """What comes of each source, in order. Raises what stops all work, such as TsharkError."""
        known = {index: judged for index, source in enumerate(sources) if (judged := self._known(source))}
        report(len(known))
        left = [index for index in range(len(sources)) if index not in known]
        for place, done in runner(job, [sources[index] for index in left]):
            index = left[place]
            known[index] = self._kept(sources[index], done)
            report(len(known))
        for case, cache in self.caches.items():
            cache.forget_missing({source.name for source in sources if source.case == case})
            cache.gather()
        return [known[index] for index in range(len(sources))]

    def find_pair(self, source: Source, key: str) -> Reconciled | None:
        """What the cache of the source's case knows of two captures that were compared."""
        cache = self.caches.get(source.case) if source.case else None
        return cache.find_pair(key) if cache and key else None

    def store_pair(self, source: Source, key: str, said: Reconciled) -> None:
        """Keep what came of comparing two captures."""
        if key and source.case in self.caches:
            self.caches[source.case].store_pair(key, said)

    def _known(self, source: Source) -> Judged | None:
        cache = self.caches.get(source.case) if source.case else None
        return (cache.find(source) or cache.find_content(source)) if cache else None

    def _kept(self, source: Source, done: Done | WorkerDiedError) -> Judged:
        if isinstance(done, WorkerDiedError):
            reason = "the process that read it came to a sudden end"
            return unreadable(source, CaptureError(str(source.path), reason, "out of memory, perhaps: try --jobs 1"))
        if source.case in self.caches:
            self.caches[source.case].store(source, done)
        return done.judged


# What a process of its own must have to read, in bytes, to be worth the second or so that it takes to start; and how
# many bytes opening a file counts as.
_WORTH_A_PROCESS, _OPENING = 40_000_000, 1_500_000


def on_this_machine(jobs: int) -> Runner:
    """Over `jobs` processes; 0: over as many as there are cores and work for."""

    def run(job: Job, sources: Sequence[Source]) -> Iterator[tuple[int, Done | WorkerDiedError]]:
        return over_processes(job, sources, jobs or min(cores(), _worth(sources)))

    return run


def _worth(sources: Sequence[Source]) -> int:
    sizes = (_OPENING + (source.path.stat().st_size if source.path.exists() else 0) for source in sources)
    return 1 + sum(sizes) // _WORTH_A_PROCESS
