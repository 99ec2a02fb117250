"""The parts of the reader of packet text: whatever the text, it reads or refuses; numbers and times come out right."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heuristics.protocol.tshark_fields import ACK, RST, SYN
from postproc.capture.text import text_reader
from postproc.capture.text.tcpdump.clock import Clock, Meaning, meaning_of, microseconds
from postproc.capture.text.tcpdump.ip_header import NotUnderstoodError
from postproc.capture.text.tcpdump.packet import read_packet
from postproc.capture.text.tcpdump.records import Layout, Unread, layout_of, records
from postproc.capture.text.tcpdump.sequence_numbers import SequenceNumbers
from postproc.capture.text.tcpdump.tcp_header import Segment
from postproc.capture.text.text_reader import read_text
from postproc.runtime.errors import CaptureError

RESET = (
    "IP (tos 0x0, ttl 58, id 15775, offset 0, flags [DF], proto TCP (6), length 54) "
    "203.0.113.24.80 > 192.0.2.14.47502: Flags [R.], cksum 0xcb19 (correct), seq 349:351, ack 20, win 64, "
    "options [nop,nop,TS val 39 ecr 40], length 2 [RST A^B]"
)
V6 = (
    "IP6 (class 0xb8, flowlabel 0x1289a, hlim 58, next-header TCP (6) payload length: 20) "
    "2001:db8::1.80 > 2001:db8::2.9: Flags [R], cksum 0xcb19 (correct), seq 349, win 0, length 0"
)
MASK = 0xFFFFFFFF


def test_one_packet_gives_the_columns_of_an_export() -> None:
    found = read_packet(RESET)
    assert found is not None
    row, segment = found
    assert {name: value for name, value in row.items() if value is not None} == {
        "ip.src": "203.0.113.24",
        "ip.dst": "192.0.2.14",
        "ip.ttl": "58",
        "ip.id": "0x3d9f",
        "ip.proto": "6",
        "ip.flags.df": "1",
        "ip.dsfield": "0x0",
        "tcp.srcport": "80",
        "tcp.dstport": "47502",
        "tcp.hdr_len": "32",
        "tcp.flags": "0x0014",
        "tcp.len": "2",
        "tcp.window_size_value": "64",
        "tcp.option_kind": "1,1,8",
        "tcp.options.timestamp.tsval": "39",
        "tcp.reset_cause": "A\x02",
    }
    assert segment is not None
    assert (segment.seq, segment.ack) == (349, 20)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    for body in (text, f"IP {text}", f"{RESET[:80]}{text}"):
        try:
            read_packet(body)
        except NotUnderstoodError:
            continue


@given(
    st.sampled_from([RESET, V6]),
    st.integers(0, 250),
    st.integers(0, 12),
    st.text("0123456789 .,:()[]>^-abx", max_size=9),
)
def test_a_packet_with_a_mistake_is_read_or_refused(packet: str, at: int, removed: int, added: str) -> None:
    try:
        found = read_packet(packet[:at] + added + packet[at + removed :])
    except NotUnderstoodError:
        return
    for name, value in found[0].items() if found else ():
        if name in ("ip.ttl", "ipv6.hlim") and value is not None:
            assert 0 <= int(value) <= 255
        if name.endswith("port") and value is not None:
            assert 0 <= int(value) <= 65_535


@given(st.lists(st.text(max_size=60), max_size=12))
def test_every_line_is_part_of_a_packet_or_counted(lines: list[str]) -> None:
    single = [line.replace("\n", " ").replace("\r", " ") for line in lines]
    unread = Unread()
    found = list(records([f"00:00:01.000000 {RESET}", *single], Layout(timed=True, indent=0), unread))
    assert found[0].body == RESET
    prose = [line for line in single if line.strip() and not line.startswith(" ")]
    assert unread.count + len(found) - 1 <= len(single)
    assert unread.count or len(found) > 1 or not [line for line in prose if line.isalpha()]


def printed(segments: list[Segment], *, absolute: bool, verbose: bool) -> list[Segment]:
    """What tcpdump prints of the segments of one conversation (print-tcp.c)."""
    bases: dict[str, int] | None = None
    result = []
    for each in segments:
        assert each.seq is not None
        seq, ack, peer = each.seq, each.ack, "b" if each.src == "a" else "a"
        if not absolute and each.flags & ACK and ack is not None:
            if bases is None or each.flags & SYN:
                bases = {each.src: seq, peer: (ack - 1) & MASK}
            else:
                seq, ack = (seq - bases[each.src]) & MASK, (ack - bases[peer]) & MASK
        shown = verbose or each.length or each.flags & (SYN | RST | 1)
        result.append(
            segment(each.src, seq if shown else None, ack if each.flags & ACK else None, each.flags, each.length)
        )
    return result


def segment(src: str, seq: int | None, ack: int | None, flags: int, length: int) -> Segment:
    """A segment between the hosts `a` and `b`."""
    ports = {"a": 1, "b": 2}
    dst = "b" if src == "a" else "a"
    return Segment(src, ports[src], dst, ports[dst], flags, seq, ack, 64, length, 20, None, None, None)


@given(
    isns=st.tuples(st.integers(2, MASK), st.integers(2, MASK)),  # relative to 0 or 1 looks like absolute
    steps=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([0, 0, 1, 1460])), max_size=12),
    reset=st.sampled_from([RST, RST | ACK]),
    absolute=st.booleans(),
    verbose=st.booleans(),
)
def test_relative_numbers_are_undone(
    isns: tuple[int, int], steps: list[tuple[str, int]], reset: int, absolute: bool, verbose: bool
) -> None:
    following = {"a": (isns[0] + 1) & MASK, "b": (isns[1] + 1) & MASK}
    segments = [
        segment("a", isns[0], None, SYN, 0),
        segment("b", isns[1], following["a"], SYN | ACK, 0),
        segment("a", following["a"], following["b"], ACK, 0),
    ]
    for src, length in steps:
        segments.append(segment(src, following[src], following["b" if src == "a" else "a"], ACK, length))
        following[src] = (following[src] + length) & MASK
    segments.append(segment("b", following["b"], following["a"] if reset & ACK else None, reset, 0))
    numbers = SequenceNumbers()
    undone = [numbers.absolute(each) for each in printed(segments, absolute=absolute, verbose=verbose)]
    assert undone == [(each.seq, each.ack) for each in segments]


def test_a_bare_reset_in_a_conversation_with_unknown_numbers_is_left_out() -> None:
    numbers = SequenceNumbers()
    assert numbers.absolute(segment("a", 1, 1, ACK, 100)) == (1, 1)
    assert numbers.absolute(segment("b", 1, 101, ACK, 100)) == (1, 101)
    assert numbers.absolute(segment("b", 3_000_000_000, None, RST, 0)) is None
    assert numbers.absolute(segment("b", 101, 101, RST | ACK, 0)) == (101, 101)


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("1795221581.721585", 1_795_221_581_721_585),
        ("2026-11-21 00:39:41.721585", 1_795_221_581_721_585),
        ("2026-11-21 00:39:41.721585999", 1_795_221_581_721_585),
        ("2026-13-21 00:39:41.721585", None),
        ("00:00:01.5", 1_500_000),
        ("", None),
    ],
)
def test_times(text: str, time_us: int | None) -> None:
    assert microseconds(text) == time_us


def test_time_of_day_goes_on_over_midnight() -> None:
    clock = Clock(Meaning.OF_DAY)
    times = [clock.time_us(text) for text in ("23:59:59.000000", "23:59:58.900000", "00:00:01.000000")]
    assert times == [86_399_000_000, 86_398_900_000, 86_401_000_000]


@pytest.mark.parametrize(
    ("times", "meaning"),
    [
        ([0, 5, 3, 9], Meaning.DIFFERENCE),
        ([0, 1, 2, 3], Meaning.UNKNOWN),
        (list(range(10)), Meaning.OF_DAY),
        ([7, 2, 9, 1, 8, 2], Meaning.DIFFERENCE),
        ([7, 8, 9], Meaning.OF_DAY),
    ],
)
def test_differences_of_times_are_told_from_times(times: list[int], meaning: Meaning) -> None:
    assert meaning_of(f"00:00:00.{time:06}" for time in times) is meaning


def test_the_layout_is_that_of_most_packets() -> None:
    lines = [f"00:00:01.000000 {RESET}", *[f"    00:00:02.000000 {RESET}"] * 3]
    layout = layout_of(lines)
    assert layout == Layout(timed=True, indent=4)
    assert len(list(records(lines, layout, Unread()))) == 4


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_reader, "_LONGEST_LINE", 1000)
    path = tmp_path / "packets.txt"
    path.write_text(f"00:00:01.000000 {RESET}\n{'x' * 5000}\n")
    with pytest.raises(CaptureError, match="has a line of more than"):
        list(read_text(path, None, []))


def test_reading_holds_a_few_packets_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_reader, "_ROWS", 10)
    path = tmp_path / "packets.txt"
    path.write_text(f"00:00:01.000000 {RESET}\n" * 95)
    frames = read_text(path, None, [])
    assert [frame.height for frame in islice(frames, 3)] == [10, 10, 10]
    assert sum(frame.height for frame in frames) == 65
