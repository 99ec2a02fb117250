"""The forms of packet text, each printed by one tool, and which of them a text has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from postproc.capture.text import nmap_trace
from postproc.capture.text.hexdump import Dump
from postproc.capture.text.packet_logs.filterlog import FILTERLOG
from postproc.capture.text.packet_logs.netfilter import NETFILTER
from postproc.capture.text.reading import Reading, Row
from postproc.capture.text.tcpdump import rows as tcpdump
from postproc.capture.text.tshark import details
from postproc.capture.text.tshark import rows as packet_list

Lines = Iterable[str]


@dataclass(frozen=True, slots=True)
class Form:
    """How one tool prints packets, in lines.

    `packets_in` counts the packets of this form in the first lines of a text; `rows` reads a text that begins with
    these. `hop_limits` says how to print hop limits, where they may be missing. Where most packets have their bytes
    printed too (`has_dumps`), `dumps` reads these instead.
    """

    name: str
    packets_in: Callable[[Sequence[str]], int]
    rows: Callable[[Lines, Sequence[str], Reading], Iterator[Row]]
    hop_limits: str = ""
    has_dumps: Callable[[Sequence[str]], bool] = lambda _: False
    dumps: Callable[[Lines, Sequence[str], Reading], Iterator[Dump]] | None = None


FORMS = (
    Form(
        name="tcpdump",
        packets_in=tcpdump.packets_in,
        rows=tcpdump.rows,
        hop_limits="run tcpdump with -nnvv",
        has_dumps=tcpdump.has_dumps,
        dumps=tcpdump.dumps,
    ),
    Form(
        name="packet list",
        packets_in=packet_list.packets_in,
        rows=packet_list.rows,
        hop_limits=packet_list.HOP_LIMITS,
        has_dumps=packet_list.has_dumps,
        dumps=packet_list.dumps,
    ),
    Form(name="tshark -V", packets_in=details.packets_in, rows=details.rows),
    Form(name="nmap --packet-trace", packets_in=nmap_trace.packets_in, rows=nmap_trace.rows),
    Form(name="netfilter", packets_in=NETFILTER.packets_in, rows=NETFILTER.rows),
    Form(name="filterlog", packets_in=FILTERLOG.packets_in, rows=FILTERLOG.rows),
)


def form_of(sample: Sequence[str]) -> Form | None:
    """The form of most packets in the first lines of a text, None where there are none."""
    counts = {form.name: form.packets_in(sample) for form in FORMS}
    best = max(FORMS, key=lambda form: counts[form.name])
    return best if counts[best.name] else None
