"""Text of kernel traces -> events: as tracefs, perf script, trace-cmd report and our bpftrace program print them.

The tracepoints print one payload, whatever the tool: `src=A:P dest=B:Q`, or `sport= dport= saddr= daddr= saddrv6=
daddrv6=` (tcp_receive_reset, and older kernels). tcp_send_reset has a reason from Linux 6.10 on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from postproc.runtime.clock import seconds_to_us
from postproc.runtime.errors import CaptureError
from postproc.session_log.text_lines import text_lines

_EVENT = re.compile(
    r"(?:^|\s)(?:(\d+\.\d+):?\s+)(?:\w+:)?(tcp_send_reset|tcp_receive_reset|kfree_skb|nf_send_reset6?):\s+(.*)"
)
_ENDPOINTS = re.compile(r"\bsrc=(\S+):(\d+) dest=(\S+):(\d+)")
_PAIR = re.compile(r"\b(\w+)=(\S+)")
# trace-cmd report prints the bytes of an address where it cannot follow the kernel's own format.
_ARRAY = re.compile(r"\b([sd]addr(?:_?v6)?)=ARRAY\[([0-9a-f]{2}(?:, [0-9a-f]{2})*)\]")
_REASON = re.compile(r"\breason[=:]\s*(\w+)")
_POINTERS = re.compile(r"\btcp:tcp_\w+_reset\(.*saddr: 0x")  # perf trace prints where the address is, not which it is
_REASON_NAMES = re.compile(r"^# reset reasons:((?: \d+=\w+)+)\s*$")
_LOST = re.compile(r"\bLOST\b.*\d", re.IGNORECASE)
# include/net/tcp_states.h of Linux
_STATES = dict(
    enumerate(
        (
            *("TCP_ESTABLISHED", "TCP_SYN_SENT", "TCP_SYN_RECV", "TCP_FIN_WAIT1", "TCP_FIN_WAIT2", "TCP_TIME_WAIT"),
            *("TCP_CLOSE", "TCP_CLOSE_WAIT", "TCP_LAST_ACK", "TCP_LISTEN", "TCP_CLOSING", "TCP_NEW_SYN_RECV"),
        ),
        start=1,
    )
)
_AF_INET, _IPV6_BYTES = 2, 16  # of Linux; the length of an IPv6 address
_NO_REASON = ("NOT_SPECIFIED",)

End = tuple[str, int]


class Kind(StrEnum):
    """What the kernel did."""

    SENT = "tcp_send_reset"
    RECEIVED = "tcp_receive_reset"
    FIREWALL = "nf_send_reset"


@dataclass(frozen=True, slots=True)
class KernelEvent:
    """A reset that the kernel sent or received, by the clock of the trace (us), from `src` to `dst`.

    `reason` is why it was sent, `drop_reason` why the packet that it answers was dropped; empty where not printed.
    """

    kind: Kind
    time_us: int
    src: End
    dst: End
    state: str = ""
    reason: str = ""
    drop_reason: str = ""


@dataclass(slots=True)
class KernelTrace:
    """The events of a trace, and the times of its first and its last line that has one (us).

    `lost`: the trace itself says that events are missing. `has_drops`: it holds dropped packets with a reason, and
    `firewall_drops_us` are the times of those that the host's own firewall dropped (it does so when it rejects).
    `not_understood` counts lines that name an event and hold no addresses, `first_bad` is the number of the first.
    """

    events: list[KernelEvent] = field(default_factory=list)
    first_us: int | None = None
    last_us: int | None = None
    lost: bool = False
    has_drops: bool = False
    firewall_drops_us: list[int] = field(default_factory=list)
    not_understood: int = 0
    first_bad: int = 0

    @property
    def hosts(self) -> frozenset[str]:
        """The addresses of the host where the trace was taken, as far as it shows them."""
        return frozenset(event.dst[0] if event.kind is Kind.RECEIVED else event.src[0] for event in self.events)


def read_trace(path: Path) -> KernelTrace:
    """The events of a trace. Raises CaptureError where the file is none."""
    trace = KernelTrace()
    names: dict[str, str] = {}
    drops: dict[str, tuple[int, int]] = {}  # skb -> index and time of the reset that answers it
    with text_lines(path) as batches:
        for lines in batches:
            for number, text in enumerate(lines.texts, lines.first):
                _take(trace, number, text, names, drops)
    if trace.first_us is None:
        raise CaptureError(
            str(path), "holds no event of resets", "rstorigin kernel-trace --print shows how to take one"
        )
    return trace


def _take(trace: KernelTrace, number: int, text: str, names: dict[str, str], drops: dict[str, tuple[int, int]]) -> None:
    found = _EVENT.search(text)
    if found is None:
        if _POINTERS.search(text):
            _bad(trace, number)
        trace.lost = trace.lost or bool(_LOST.search(text))
        if listed := _REASON_NAMES.match(text):
            names.update(re.findall(r"(\d+)=(\w+)", listed[1]))
        return
    time_us = seconds_to_us(found[1])
    trace.first_us = time_us if trace.first_us is None else min(trace.first_us, time_us)
    trace.last_us = time_us if trace.last_us is None else max(trace.last_us, time_us)
    values, reason = dict(_PAIR.findall(found[3])), _REASON.search(found[3])
    why = names.get(reason[1], reason[1]) if reason else ""
    if found[2] == "kfree_skb":
        trace.has_drops = trace.has_drops or bool(why)
        if why == "NETFILTER_DROP":
            trace.firewall_drops_us.append(time_us)
        _add_drop(trace, values.get("skbaddr", ""), time_us, why, drops)
        return
    ends = _ends(found[3], values)
    if ends is None:
        _bad(trace, number)
        return
    kind = Kind.FIREWALL if found[2].startswith("nf_") else Kind(found[2])
    src, dst = ends if kind is not Kind.RECEIVED else ends[::-1]  # that tracepoint names the socket's own end first
    trace.events.append(
        KernelEvent(kind, time_us, src, dst, _state(values.get("state", "")), "" if why in _NO_REASON else why)
    )
    if kind is Kind.SENT:
        drops[values.get("skbaddr", "")] = len(trace.events) - 1, time_us


def _state(text: str) -> str:
    """The name of a state of TCP, which perf prints as a number."""
    number = re.fullmatch(r"0x([0-9a-f]{1,2})", text)
    return _STATES.get(int(number[1], 16), text) if number else text


def _bad(trace: KernelTrace, number: int) -> None:
    trace.not_understood += 1
    trace.first_bad = trace.first_bad or number


_DROPPED_WITHIN_US = 1000  # the kernel frees the packet just after it has answered it


def _add_drop(trace: KernelTrace, skb: str, time_us: int, why: str, drops: dict[str, tuple[int, int]]) -> None:
    """Give the reset that answers the packet `skb` the reason for which the packet is dropped."""
    index, sent_us = drops.pop(skb, (-1, 0))
    if index >= 0 and time_us - sent_us <= _DROPPED_WITHIN_US and why not in _NO_REASON:
        event = trace.events[index]
        trace.events[index] = KernelEvent(
            event.kind, event.time_us, event.src, event.dst, event.state, event.reason, why
        )


def _ends(payload: str, values: dict[str, str]) -> tuple[End, End] | None:
    """The two ends that an event names, the first one first; None where it holds no addresses."""
    arrays = {name.replace("_", ""): bytes.fromhex(text.replace(",", "")) for name, text in _ARRAY.findall(payload)}
    if arrays:
        ends = _of_bytes("s", arrays, values), _of_bytes("d", arrays, values)
        return (ends[0], ends[1]) if ends[0] and ends[1] else None
    if found := _ENDPOINTS.search(payload):
        pairs = (found[1], found[2]), (found[3], found[4])
    else:
        # Of a flow over IPv6, saddr and daddr hold no address; the others hold IPv4 too, as ::ffff:A.B.C.D.
        src, dst = values.get("saddrv6", ""), values.get("daddrv6", "")
        pairs = (src, values.get("sport", "")), (dst, values.get("dport", ""))
    try:
        first, second = ((_address(address), int(port)) for address, port in pairs)
    except ValueError:
        return None
    return first, second


def _of_bytes(end: str, arrays: dict[str, bytes], values: dict[str, str]) -> End | None:
    """One end: a struct sockaddr (Linux 6.1 and later), or an address beside its port."""
    address = arrays.get(f"{end}addr", b"")
    try:
        if len(address) > _IPV6_BYTES:
            family, port = int.from_bytes(address[:2], "little"), int.from_bytes(address[2:4])
            return _address(str(ip_address(address[4:8] if family == _AF_INET else address[8:24]))), port
        return _address(str(ip_address(arrays.get(f"{end}addrv6", address)))), int(values.get(f"{end}port", ""))
    except ValueError:
        return None


def _address(text: str) -> str:
    address = ip_address(text.strip("[]"))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def reasons(event: KernelEvent) -> Iterator[str]:
    """What the kernel says about why it sent a reset, in words."""
    if event.kind is Kind.FIREWALL:
        yield "rejected by the host's own firewall (netfilter)"
    if event.reason:
        yield _WORDS.get(event.reason, event.reason)
    if event.drop_reason and event.drop_reason != event.reason:
        yield f"it answers a packet dropped as {event.drop_reason}"


# include/net/rstreason.h and include/net/dropreason-core.h of Linux
_WORDS = {
    "NO_SOCKET": "no socket for the packet: a closed port, or a connection that the host no longer has (NO_SOCKET)",
    "TCP_INVALID_ACK_SEQUENCE": "an acknowledgement number out of range (TCP_INVALID_ACK_SEQUENCE)",
    "TCP_RFC7323_PAWS": "an old timestamp (TCP_RFC7323_PAWS)",
    "TCP_TOO_OLD_ACK": "an acknowledgement far too old (TCP_TOO_OLD_ACK)",
    "TCP_ACK_UNSENT_DATA": "an acknowledgement of data that was never sent (TCP_ACK_UNSENT_DATA)",
    "TCP_FLAGS": "wrong flags (TCP_FLAGS)",
    "TCP_OLD_ACK": "an old acknowledgement (TCP_OLD_ACK)",
    "TCP_ABORT_ON_DATA": "data came after the application had closed (TCP_ABORT_ON_DATA)",
    "TCP_TIMEWAIT_SOCKET": "the connection was in TIME_WAIT (TCP_TIMEWAIT_SOCKET)",
    "INVALID_SYN": "a SYN that does not fit (INVALID_SYN)",
    "TCP_ABORT_ON_CLOSE": "the application closed and left data unread (TCP_ABORT_ON_CLOSE)",
    "TCP_ABORT_ON_LINGER": "the application aborted, or linger timed out (TCP_ABORT_ON_LINGER)",
    "TCP_ABORT_ON_MEMORY": "out of memory (TCP_ABORT_ON_MEMORY)",
    "TCP_STATE": "the state of the connection asks for it (TCP_STATE)",
    "TCP_KEEPALIVE_TIMEOUT": "keepalive probes were not answered (TCP_KEEPALIVE_TIMEOUT)",
    "TCP_DISCONNECT_WITH_DATA": "the application disconnected with data left (TCP_DISCONNECT_WITH_DATA)",
}
