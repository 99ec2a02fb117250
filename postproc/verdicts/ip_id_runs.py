"""IP-ID runs: resets whose IP IDs count up, as those of one device do, whichever senders they name.

The plugin does the same in Lua (generator/templates/state/ip_id_runs.lua.j2), function by function.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from heuristics.engine_limits import OWN_RUN, REMEMBERED_RUNS
from heuristics.rulebook.model import Thresholds
from postproc.flows.addresses import network
from postproc.flows.state import Reset

_Key = TypeVar("_Key", bound=Hashable)


class IpIdSample(NamedTuple):
    """The fields of a reset that show which counter its IP ID comes from."""

    ip_id: int
    hop_limit: int
    src: str


@dataclass(slots=True)
class IpIdRun:
    """Resets that arrive with one hop limit and whose IP IDs count up. `senders` are the addresses that they name."""

    hop_limit: int
    last_id: int
    senders: set[str] = field(default_factory=set)

    @property
    def networks(self) -> int:
        """How many different networks the senders belong to."""
        return len({network(sender) for sender in self.senders} - {None})


def ip_id_sample(reset: Reset) -> IpIdSample | None:
    """None if the IP ID says nothing: it is missing, 0, or the sender's own next."""
    packet, id_step = reset.packet, reset.id_step
    if packet.hop_limit is None or not packet.ip_id or (id_step is not None and 1 <= id_step <= OWN_RUN):
        return None
    return IpIdSample(packet.ip_id, packet.hop_limit, packet.src)


def ip_id_runs(samples: Iterable[tuple[_Key, IpIdSample]], thresholds: Thresholds) -> dict[_Key, IpIdRun]:
    """The run that each sample belongs to, by the sample's key. The samples are in the order of time."""
    runs: dict[_Key, IpIdRun] = {}
    recent: list[IpIdRun] = []
    for key, sample in samples:
        run = _continued_run(sample, recent, thresholds) or IpIdRun(sample.hop_limit, sample.ip_id)
        run.last_id = sample.ip_id
        run.senders.add(sample.src)
        recent = [*(other for other in recent if other is not run), run][-REMEMBERED_RUNS:]
        runs[key] = run
    return runs


def _continued_run(sample: IpIdSample, recent: Sequence[IpIdRun], thresholds: Thresholds) -> IpIdRun | None:
    """The run that the sample continues. A duplicate of the run's last packet has the same IP ID."""
    for run in reversed(recent):
        step = (sample.ip_id - run.last_id) & 0xFFFF
        follows = 1 <= step <= thresholds.run_step or (step == 0 and sample.src in run.senders)
        if run.hop_limit == sample.hop_limit and follows:
            return run
    return None
