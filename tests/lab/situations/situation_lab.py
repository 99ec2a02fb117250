"""What the situations between real kernels have in common: the path, the lab, and the writing of captures and rows."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..capture import Frame, write_pcap
from ..lab import Lab
from ..labels import events
from ..packets import ICMPV6, read_frame
from ..topology import Plan, Topology
from . import Judgement, Row

PLAN = Plan(
    seed=0,
    routers=6,
    profile="spread",
    delays=(0.0, 0.003, 0.0, 0.006, 0.0, 0.006, 0.0),
    hop_limits={"client": 64, "server": 64},
    device=3,
    client4="192.0.2",
    server4="203.0.113",
    links4="198.51.100",
    hosts=(10, 20),
    site="2001:db8:7",
)
NEIGHBOUR_DISCOVERY = range(133, 138)  # ICMPv6 types, RFC 4861


@dataclass(frozen=True)
class Situation:
    """One capture. `device`: the number of the router that plays it; `judgements` by mechanism."""

    name: str
    about: str
    run: Callable[[SituationLab], None]
    side: str
    device: int
    hop_limits: Mapping[str, int]
    judgements: Mapping[str, Judgement] = field(repr=False)


SITUATIONS: list[Situation] = []


def situation(
    name: str, side: str, device: int = 3, hop_limits: Mapping[str, int] | None = None, **judgements: Judgement
) -> Callable[[Callable[[SituationLab], None]], Callable[[SituationLab], None]]:
    """Register a situation, described by its docstring. Judgements are named by the mechanisms of the labels."""

    def register(run: Callable[[SituationLab], None]) -> Callable[[SituationLab], None]:
        about = " ".join((run.__doc__ or "").split())
        SITUATIONS.append(Situation(name, about, run, side, device, hop_limits or {}, judgements))
        return run

    return register


class SituationLab(Lab):
    """A lab that keeps one side's capture, without ARP and neighbour discovery, and what the labels say of it."""

    def __init__(self, topology: Topology, situation: Situation, out: Path) -> None:
        """Prepare without variations of the hosts and without other traffic."""
        super().__init__(topology, situation.name, situation.about, out, situation.device, plain=True)
        self.situation = situation
        self.rows: list[Row] = []

    def port(self, number: int, **mechanisms: str) -> int:
        """Port `number`, with the mechanism by who sends."""
        for by, mechanism in mechanisms.items():
            self.note(number, by, mechanism)
        return number

    def write(self) -> None:
        """Write the capture; raises RuntimeError where the labels are doubtful or a mechanism has no judgement."""
        situation = self.situation
        name = f"{situation.name}.pcap"
        taps = self.captured | {situation.side: [frame for frame in self.captured[situation.side] if _kept(frame)]}
        found, problems = events(situation.side, taps, self.setup)
        if problems:
            raise RuntimeError(f"{situation.name}: {'; '.join(problems)}")
        frames: dict[tuple[str, str], list[int]] = defaultdict(list)
        for event in found:
            frames[str(event["origin"]), str(event["mechanism"])].append(int(str(event["frame"])))
        if missing := {mechanism for _, mechanism in frames} ^ situation.judgements.keys():
            raise RuntimeError(f"{situation.name}: not both captured and judged: {', '.join(sorted(missing))}")
        write_pcap(self.out / name, taps[situation.side])
        self.rows = [
            Row(name, tuple(numbers), origin, situation.judgements[mechanism])
            for (origin, mechanism), numbers in frames.items()
        ]


def _kept(frame: Frame) -> bool:
    packet = read_frame(frame.data)
    if packet is None:
        return False
    return packet.protocol != ICMPV6 or (packet.icmp is not None and packet.icmp[0] not in NEIGHBOUR_DISCOVERY)


def make(out: Path) -> list[Row]:
    """Write every capture to `out`; returns the rows of the table."""
    from . import with_kernels  # noqa: F401 (registers the situations)

    rows = []
    for number, each in enumerate(SITUATIONS):
        hosts = (PLAN.hosts[0] + number, PLAN.hosts[1] + number)  # no two captures are about the same hosts
        plan = replace(PLAN, hosts=hosts, hop_limits={**PLAN.hop_limits, **each.hop_limits})
        with tempfile.TemporaryDirectory() as folder, Topology(plan) as topology:
            with SituationLab(topology, each, Path(folder)) as lab:
                each.run(lab)
            (out / f"{each.name}.pcap").write_bytes((Path(folder) / f"{each.name}.pcap").read_bytes())
            rows += lab.rows
        print(f"made {each.name}", flush=True)
    return rows
