"""What the kernel says about resets: recorded traces of a real kernel, and lines as other tools print them."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap, wrpcap
from support.command_line import CAPTURES, FORGED, rows, run

from postproc.kernel_trace.command import Kernel, Tool, command, this_kernel
from postproc.kernel_trace.matching import Shown
from postproc.kernel_trace.trace_text import Kind, read_trace
from postproc.report.kernel_trace import KERNEL_COLUMNS
from postproc.runtime.errors import CaptureError, UsageError

TRACES = CAPTURES / "kernel-traces"
TOOLS = ("tracefs", "perf", "bpftrace")
CLOSED, REJECTED, ABORTED, UNREAD, CLIENT_ABORTS = 81, 23, 80, 8080, 443
KERNEL = Kernel(send_reset=True, receive_reset=True, firewall_drop=12, reasons={1: "NO_SOCKET"}, known=True)


def reconciled(trace: Path, capture: Path) -> list[dict[str, Any]]:
    """The rows of `reconcile --kernel`."""
    result = run("reconcile", "--no-cache", "--kernel", trace, "--format", "json", capture)
    assert result.exit_code == 0, result.stderr
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def port(row: dict[str, Any]) -> int:
    return min(row["sport"], row["dport"], key=lambda number: number > 10_000)


@pytest.mark.parametrize("tool", TOOLS)
def test_what_a_real_kernel_says(tool: str) -> None:
    found = reconciled(TRACES / f"{tool}.txt", TRACES / f"{tool}.pcap")
    assert len(found) == 10
    firewall = "which this trace does not show" if tool == "bpftrace" else "probably its own firewall"
    for row in found:
        if port(row) == REJECTED:
            assert row["kernel"] == "never sent by the kernel"
            assert firewall in row["reason"]
            continue
        assert row["kernel"] == "sent by the kernel"
        assert row["received"]
        assert (row["verdict"], row["origin"]) == ("genuine", "endpoint")
        reasons = {
            CLOSED: {"NO_SOCKET"},
            ABORTED: {"TCP_STATE"},
            UNREAD: {"TCP_TIMEWAIT_SOCKET", "TCP_ABORT_ON_CLOSE"},
            CLIENT_ABORTS: {"TCP_STATE"},
        }
        assert row["kernel_reason"] in reasons[port(row)]
    assert {":" in row["src"] for row in found} == {True, False}


def with_forged(tool: str, folder: Path) -> tuple[Path, int]:
    """The recorded capture with a reset that the server's kernel never sent, just as if it had, and its frame."""
    packets = list(rdpcap(str(TRACES / f"{tool}.pcap")))
    of_flow = [p for p in packets if IP in p and CLIENT_ABORTS in (p[TCP].sport, p[TCP].dport)]
    answer = [p for p in of_flow if p[TCP].sport == CLIENT_ABORTS][-1]
    forged = Ether(answer.build()[:14]) / IP(src=answer[IP].src, dst=answer[IP].dst, ttl=64, flags="DF", id=0)
    forged /= TCP(sport=CLIENT_ABORTS, dport=answer[TCP].dport, flags="R", seq=answer[TCP].seq, window=0)
    forged.time = next(p for p in of_flow if p[TCP].flags.R).time - Decimal("0.002")
    changed = sorted([*packets, forged], key=lambda packet: packet.time)
    path = folder / "with-forged.pcap"
    wrpcap(str(path), changed)
    return path, next(number for number, packet in enumerate(changed, 1) if packet is forged)


def both_verdicts(trace: Path, capture: Path, frame: int) -> tuple[dict[str, Any], str]:
    """The row of a reset, and the verdict that its capture alone gives."""
    (row,) = [row for row in reconciled(trace, capture) if row["frame"] == frame]
    (alone,) = [row for row in rows(capture, "--no-cache") if row["frame"] == str(frame)]
    return row, alone["verdict"]


def test_a_reset_that_the_kernel_never_sent_is_forged(tmp_path: Path) -> None:
    row, alone = both_verdicts(TRACES / "tracefs.txt", *with_forged("tracefs", tmp_path))
    assert alone not in ("forged", "likely forged")
    assert (row["kernel"], row["verdict"], row["origin"]) == ("never sent by the kernel", "forged", "middlebox")


def test_nothing_is_concluded_where_the_firewall_is_not_traced(tmp_path: Path) -> None:
    row, alone = both_verdicts(TRACES / "bpftrace.txt", *with_forged("bpftrace", tmp_path))
    assert row["kernel"] == "never sent by the kernel"
    assert "which this trace does not show" in row["reason"]
    assert row["verdict"] == alone


@pytest.mark.parametrize("change", ["lost", "before"])
def test_nothing_is_concluded_from_a_trace_with_gaps(change: str, tmp_path: Path) -> None:
    lines = (TRACES / "tracefs.txt").read_text(encoding="utf-8").splitlines()
    if change == "lost":
        lines.insert(5, "CPU:1 [LOST 12 EVENTS]")
    else:  # the trace ends before
        lines = lines[:8]
    trace = tmp_path / "trace.txt"
    trace.write_text("\n".join(lines), encoding="utf-8")
    row, alone = both_verdicts(trace, *with_forged("tracefs", tmp_path))
    assert row["kernel"] == "nothing"
    assert row["verdict"] == alone


def traced(folder: Path, *lines: str) -> Any:
    path = folder / "trace.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_trace(path)


def test_lines_as_other_tools_and_older_kernels_print_them(tmp_path: Path) -> None:
    trace = traced(
        tmp_path,
        # trace-cmd report
        "          nginx-812   [003]  1000.000001: tcp_send_reset:       skbaddr=0xffff8881 skaddr=(nil) "
        "src=192.0.2.20:81 dest=192.0.2.10:5000 state=UNKNOWN reason=NO_SOCKET",
        # Linux 4.16 to 5.7: no family, no reason
        "  swapper 0 [001]  1001.5: tcp:tcp_send_reset: sport=81 dport=5001 saddr=192.0.2.20 daddr=192.0.2.10 "
        "saddrv6=::ffff:192.0.2.20 daddrv6=::ffff:192.0.2.10 state=TCP_LISTEN",
        # a function traced by bpftrace or perf probe, with the addresses of the rejected packet's answer
        "1002.000000: nf_send_reset6: src=[2001:db8::1]:23 dest=[2001:db8::2]:5002",
        "1002.5: skb:kfree_skb: skbaddr=0xffff8882 protocol=2048 location=0xffffffff reason: NETFILTER_DROP",
        # Linux 5.17 to 6.9: the reason is that of the packet which is answered
        "x 1 [0] 1003.000000: tcp:tcp_send_reset: skbaddr=0xffff8883 skaddr=(nil) src=192.0.2.20:81 "
        "dest=192.0.2.10:5003 state=UNKNOWN",
        "x 1 [0] 1003.000009: skb:kfree_skb: skbaddr=0xffff8883 protocol=2048 location=tcp_v4_rcv reason: NO_SOCKET",
    )
    assert [(event.kind, event.src, event.dst) for event in trace.events] == [
        (Kind.SENT, ("192.0.2.20", 81), ("192.0.2.10", 5000)),
        (Kind.SENT, ("192.0.2.20", 81), ("192.0.2.10", 5001)),
        (Kind.FIREWALL, ("2001:db8::1", 23), ("2001:db8::2", 5002)),
        (Kind.SENT, ("192.0.2.20", 81), ("192.0.2.10", 5003)),
    ]
    assert [event.time_us for event in trace.events] == [1_000_000_001, 1_001_500_000, 1_002_000_000, 1_003_000_000]
    assert trace.events[3].drop_reason == "NO_SOCKET"
    assert trace.firewall_drops_us == [1_002_500_000]
    assert trace.has_drops


def as_array(data: bytes) -> str:
    return f"ARRAY[{data.hex(' ').replace(' ', ', ')}]"


def test_trace_cmd_prints_bytes_where_it_cannot_format_addresses(tmp_path: Path) -> None:
    v4 = [port.to_bytes(2) + bytes([192, 0, 2, host]) for port, host in ((81, 20), (5000, 10))]
    v6 = [IPv6Address(f"2001:db8::{host}").packed for host in (1, 2)]
    first, second = (as_array(bytes([2, 0]) + each + bytes(20)) for each in v4)
    third, fourth = (
        as_array(bytes([10, 0]) + port.to_bytes(2) + bytes(4) + each + bytes(4))
        for port, each in zip((23, 5002), v6, strict=True)
    )
    head, none = "          <idle>-0     [001]  ", as_array(bytes(4))
    trace = traced(
        tmp_path,
        f"{head}1000.000001: tcp_send_reset:       [FAILED TO PARSE] skbaddr=0xffff8881 skaddr=0x0 state=7 reason=2 "
        f"saddr={first} daddr={second}",
        f"{head}1001.000001: tcp_send_reset:       [FAILED TO PARSE] saddr={third} daddr={fourth}",
        f"{head}1002.000001: tcp_receive_reset:    [FAILED TO PARSE] skaddr=0x0 sport=23 dport=5002 saddr={none} "
        f"daddr={none} saddr_v6={as_array(v6[0])} daddr_v6={as_array(v6[1])} sock_cookie=1",
        f"{head}1003.000001: tcp_send_reset:       [FAILED TO PARSE] saddr={as_array(bytes(3))} daddr={none}",
    )
    assert [(event.kind, event.src, event.dst) for event in trace.events] == [
        (Kind.SENT, ("192.0.2.20", 81), ("192.0.2.10", 5000)),
        (Kind.SENT, ("2001:db8::1", 23), ("2001:db8::2", 5002)),
        (Kind.RECEIVED, ("2001:db8::2", 5002), ("2001:db8::1", 23)),
    ]
    assert (trace.not_understood, trace.first_bad) == (1, 4)


def test_a_trace_may_come_through_a_pipe() -> None:
    arguments = ("reconcile", "--no-cache", "--format", "json", TRACES / "perf.pcap", "--kernel")
    piped = run(*arguments, "-", input=(TRACES / "perf.txt").read_bytes())
    assert piped.exit_code == 0, piped.stderr
    assert piped.stdout == run(*arguments, TRACES / "perf.txt").stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nothing of the kind\n", "holds no event of resets (rstorigin kernel-trace --print shows how to take one)"),
        (b"", "holds no event of resets"),
        (FORGED.read_bytes(), "is a binary file"),
    ],
)
def test_what_is_no_trace_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    path.write_bytes(content)
    with pytest.raises(CaptureError) as raised:
        read_trace(path)
    assert said in str(raised.value)
    assert run("reconcile", "--no-cache", "--kernel", path, FORGED).exit_code == 2


def test_perf_trace_prints_no_addresses(tmp_path: Path) -> None:
    line = (
        "     0.029 python3/16 tcp:tcp_send_reset(skaddr: 0xffff8881, state: 7, saddr: 0x7f7d0187068c, daddr: 0x7f7d)"
    )
    path = tmp_path / "trace.txt"
    path.write_text((TRACES / "perf.txt").read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    result = run("reconcile", "--no-cache", "--kernel", path, TRACES / "perf.pcap")
    assert result.exit_code == 1
    assert "1 event without addresses; the first is line 21 (perf trace prints none: use perf script)" in result.stderr


@pytest.mark.parametrize("format_", ["table", "markdown", "csv", "jsonl", "json"])
def test_every_format(format_: str) -> None:
    shown = run(
        "reconcile", "--no-cache", "--kernel", TRACES / "perf.txt", "--format", format_, TRACES / "perf.pcap"
    ).stdout
    assert "sent by the kernel" in shown


@pytest.mark.parametrize("tool", Tool)
def test_the_command_is_shell_and_names_what_the_kernel_has(tool: Tool) -> None:
    text = command(KERNEL, tool)
    assert "tcp_send_reset" in text
    assert "tcp_receive_reset" in text
    assert "\n" not in text.replace("\\n", "")
    assert ("kfree_skb" in text) == (tool is not Tool.BPFTRACE)
    assert "kfree_skb" not in command(Kernel(True, True, None, {}, True), tool)


def test_an_older_kernel_and_none_at_all(tmp_path: Path) -> None:
    assert this_kernel("6.1.0-18-amd64", (tmp_path,)) == Kernel(True, True, None, {}, False)
    with pytest.raises(UsageError, match=re.escape("Linux 4.16 or newer")):
        command(this_kernel("4.9.0", (tmp_path,)), Tool.TRACEFS)
    assert run("kernel-trace").exit_code == 2


def test_the_columns_in_the_chapter() -> None:
    page = (CAPTURES.parents[1] / "docs" / "kernel-traces.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"<!-- columns of a kernel row.*?-->\n\n`(.*?)`", page, re.DOTALL)
    assert tuple(re.split(r",\s+", listed)) == KERNEL_COLUMNS
    for shown in Shown:
        assert f"\n| {shown} |" in page
