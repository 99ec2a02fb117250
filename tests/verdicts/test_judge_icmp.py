"""ICMP errors: an example for every entry of the rulebook, and the origin of every labelled error."""

from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import polars as pl
import pytest
from support import frames
from support.command_line import LAB
from support.judged_by_hand import judged_reset
from support.parity import compare, differences, export, listed, postproc_rows, run_plugin, system_wireshark

from heuristics.observables.icmp_vocabulary import ICMP_OBSERVABLES
from heuristics.protocol.icmp_codes import ICMP_MEANINGS, IcmpClass, icmp_meaning
from heuristics.protocol.tshark_fields import ACK, SYN
from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult
from postproc.capture.discovery import Source
from postproc.capture.file_type import FileType
from postproc.capture.packet_table import normalise
from postproc.capture.reader import read_packets
from postproc.capture.tshark.program import find_tshark
from postproc.report import formats as outputs
from postproc.report.screen import Screen
from postproc.report.summary import summarise
from postproc.report.summary_sections import Layout
from postproc.verdicts.icmp_observables import observe_errors
from postproc.verdicts.judge_icmp import judged_errors
from postproc.verdicts.result_row import JudgedReset

RULEBOOK = load()
CLIENT, HOST, ROUTER = "192.0.2.2", "203.0.113.2", "198.51.100.1"
CLIENT6, HOST6, ROUTER6 = "2001:db8:1::2", "2001:db8:5::2", "2001:db8:23::2"
HOST_HOPS = 59  # the host is 5 hops away
SECOND = 1_000_000_000


def packet(src: str, dst: str, protocol: int, payload: bytes, hop_limit: int) -> frames.Datagram:
    source, target = ip_address(src), ip_address(dst)
    if source.version == 4:
        return frames.ipv4(source.packed, target.packed, protocol, payload, ttl=hop_limit)
    return frames.ipv6(source.packed, target.packed, protocol, payload, hop_limit=hop_limit)


def probe(hop_limit: int, dst: str = HOST, src: str = CLIENT, port: int = 5001) -> frames.Datagram:
    return packet(src, dst, frames.UDP, frames.udp(40000, port, b"probe"), hop_limit)


def syn(hop_limit: int, dst: str = HOST, src: str = CLIENT, port: int = 5001) -> frames.Datagram:
    return packet(src, dst, frames.TCP, frames.tcp(40001, port, 1000, 0, SYN, 64240), hop_limit)


def error(
    src: str, hop_limit: int, quoted: frames.Datagram | bytes, kind: tuple[int, int], dst: str = ""
) -> frames.Datagram:
    v6 = ":" in src
    message = frames.icmp(*kind, bytes(quoted))
    return packet(src, dst or (CLIENT6 if v6 else CLIENT), frames.ICMPV6 if v6 else frames.ICMP, message, hop_limit)


def shown(src: str = HOST, dst: str = CLIENT, hop_limit: int = HOST_HOPS, count: int = 4) -> list[frames.Datagram]:
    """Authentic packets of a host."""
    segment = frames.tcp(443, 50000, 1, 1, ACK, 500)
    return [packet(src, dst, frames.TCP, segment, hop_limit)] * count


def written(path: Path, packets: Iterable[frames.Datagram | float]) -> Path:
    """A capture of `packets` at intervals of a millisecond. A number is a pause of so many seconds."""
    records, now_ns = [], 1_700_000_000 * SECOND
    for each in packets:
        if isinstance(each, int | float):
            now_ns += int(each * SECOND)
            continue
        now_ns += SECOND // 1000
        data = frames.link_frame(frames.RAW, each)
        records.append(frames.Record(now_ns, data, len(data)))
    path.write_bytes(frames.pcap(records, frames.RAW))
    return path


def judged(capture: Path) -> list[JudgedReset]:
    table = read_packets(Source(capture, capture.name, FileType.CAPTURE), find_tshark(), whole=True).table
    return list(judged_errors(capture.name, table, RULEBOOK))


PORT, PORT6, ADMIN, HOST_UNREACHABLE = (3, 3), (1, 4), (3, 13), (3, 1)

# By entry of the rulebook: the packets of a capture that ends with an error, which that entry judges.
EXAMPLES: dict[str, list[frames.Datagram | float]] = {
    "unspecified_source": [
        probe(64, HOST6, CLIENT6),
        error("::", 64, probe(64, HOST6, CLIENT6), (1, 1), CLIENT6),
    ],
    "no_quote": [error(ROUTER, 62, b"\x45\x00", PORT)],
    "not_its_packet": [error(ROUTER, 62, probe(62, src="192.0.2.77"), PORT)],
    "undefined": [error(ROUTER, 62, probe(62), (3, 99))],
    "starts_from_sixty": [*shown(hop_limit=55), probe(64), error(HOST, 250, probe(HOST_HOPS), PORT)],
    "in_the_hosts_name": [*shown(), probe(64), error(HOST, 64, probe(63), PORT)],
    "never_came_near": [*shown(), probe(64), error(HOST, HOST_HOPS, probe(64), PORT)],
    "short_of_the_host": [*shown(), probe(64), error(HOST, HOST_HOPS, probe(62), PORT)],
    "host_out_of_place": [*shown(), probe(64), error(HOST, 62, probe(HOST_HOPS), PORT)],
    "one_hop_off": [*shown(), probe(64), error(HOST, HOST_HOPS + 1, probe(HOST_HOPS), PORT)],
    "host_itself": [*shown(), probe(64), error(HOST, HOST_HOPS, probe(HOST_HOPS), PORT)],
    "host_itself_near": [*shown(hop_limit=63), probe(64), error(HOST, 63, probe(63), PORT)],
    "host_unseen": [probe(64), error(HOST, HOST_HOPS, probe(HOST_HOPS), PORT)],
    "host_unknown": [probe(64), error(HOST, HOST_HOPS, probe(HOST_HOPS - 1), ADMIN)],
    "source_out_of_place": [*shown(ROUTER, hop_limit=60), probe(64), error(ROUTER, 64, probe(63), (11, 1))],
    "prohibited": [probe(64), error(ROUTER, 62, probe(61), ADMIN)],
    "port_refused_for_host": [*shown(), probe(64), error(ROUTER, 64, probe(63), PORT)],
    "tcp_port_refused": [syn(64), error(ROUTER, 62, syn(62), PORT)],
    "port_refused_on_the_way": [probe(64), error(ROUTER, 62, probe(61), PORT)],
    "port_by_another_address": [probe(64), error(ROUTER, 62, probe(62), PORT)],
    "policy_as_unreachable": [*shown(), probe(64), error(ROUTER, 64, probe(63), HOST_UNREACHABLE)],
    "policy_as_unreachable_too": [
        probe(64, port=5002),
        error(ROUTER, 62, probe(61, port=5002), ADMIN),
        probe(64),
        error(ROUTER, 62, probe(61), HOST_UNREACHABLE),
    ],
    "policy_as_unreachable_later": [
        *shown(),
        60,
        probe(64),
        error(ROUTER, 64, probe(63), HOST_UNREACHABLE),
        60,
        *shown(),
    ],
    "unreachable": [*shown(), 60, probe(64), error(ROUTER, 60, probe(HOST_HOPS), HOST_UNREACHABLE)],
    "hops_used_up": [probe(3), error(ROUTER, 62, probe(1), (11, 0))],
    "on_the_way": [probe(64), error(ROUTER, 62, probe(62), (3, 4))],
}


def test_every_entry_has_an_example() -> None:
    of_text = {"no_hop_limit"}  # a capture has hop limits: tests/capture/test_text_forms.py
    assert list(EXAMPLES) == [entry.id for entry in RULEBOOK.icmp if entry.id not in of_text]


def agreed(capture: Path) -> pl.DataFrame:
    """The packets table of `capture`; asserts that both engines judge it alike."""
    raw, run = export(capture, system_wireshark()), run_plugin(capture, system_wireshark(), RULEBOOK)
    assert (run.errors, run.stderr) == ((), "")
    found = differences(capture.name, run.rows, postproc_rows(raw, RULEBOOK))
    assert not found, listed(found)
    return normalise(raw)


@pytest.mark.parametrize("entry", EXAMPLES)
def test_an_entry_judges_its_example(entry: str, tmp_path: Path) -> None:
    found = list(judged_errors("example", agreed(written(tmp_path / "example.pcap", EXAMPLES[entry])), RULEBOOK))[-1]
    assert found.row.evidence == (entry,)
    assert "unknown" not in found.words[0] or entry in ("no_quote", "undefined")
    assert bool(found.row.reason) == (found.row.verdict == "unclear")


def labelled() -> list[Path]:
    return [
        labels
        for labels in sorted(LAB.rglob("*.labels.json"))
        if any(event["kind"] == "icmp_error" for event in json.loads(labels.read_text(encoding="utf-8"))["events"])
    ]


@pytest.mark.parametrize("labels", labelled(), ids=lambda labels: labels.name.partition(".labels")[0])
def test_the_origin_of_every_labelled_error_is_right(labels: Path) -> None:
    events = json.loads(labels.read_text(encoding="utf-8"))["events"]
    truth = {event["frame"]: event["origin"] for event in events if event["kind"] == "icmp_error"}
    rows = {
        error.row.frame: error.row for error in judged(labels.with_name(labels.name.replace("labels.json", "pcap")))
    }
    assert {frame: row.origin for frame, row in rows.items()} == truth
    assert {row.verdict for row in rows.values()} <= {"genuine", "likely genuine"}


def test_the_pan_os_bug_is_named_with_the_versions_that_fix_it(tmp_path: Path) -> None:
    found = judged(written(tmp_path / "pan.pcap", EXAMPLES["unspecified_source"]))[-1]
    assert found.row.origin == "middlebox"
    assert all(version in found.words[0] for version in ("PAN-OS", "10.2.8", "11.0.3", "11.1.0"))
    assert "Palo Alto" in (found.row.device or "")


def test_both_hop_limits_and_the_probe_are_shown(tmp_path: Path) -> None:
    row = judged(written(tmp_path / "probe.pcap", EXAMPLES["in_the_hosts_name"]))[-1].row
    assert (row.kind, row.verdict, row.hop_limit, row.quoted_hop_limit) == ("icmp", "forged", 64, 63)
    assert (row.src, row.sport, row.dst, row.dport) == (HOST, 40000, CLIENT, 5001)
    assert row.flow == f"ip.addr == {CLIENT} && ip.addr == {HOST} && udp.port == 40000 && udp.port == 5001"


def test_the_stage_of_the_rejected_flow_is_known(tmp_path: Path) -> None:
    assert judged(written(tmp_path / "syn.pcap", EXAMPLES["tcp_port_refused"]))[-1].row.stage == "post-syn"


def test_a_redirect_rejects_nothing(tmp_path: Path) -> None:
    assert judged(written(tmp_path / "redirect.pcap", [probe(64), error(ROUTER, 64, probe(63), (5, 1))])) == []


# The quoted packet is not the second header of the frame, or it is cut.
TUNNELLED = error(ROUTER, 62, probe(61), PORT)
ODD: dict[str, tuple[list[frames.Datagram | float], tuple[int | None, str, int, int]]] = {
    "eight bytes of TCP": ([error(ROUTER, 62, bytes(syn(61))[:28], PORT)], (61, "tcp", 40001, 5001)),
    "no transport header": ([error(ROUTER, 62, bytes(syn(61))[:20], PORT)], (61, "tcp", 0, 0)),
    "in GRE": (
        [packet(ROUTER, CLIENT, frames.GRE, frames.gre(0x0800, bytes(TUNNELLED)), 200)],
        (61, "udp", 40000, 5001),
    ),
    "in VXLAN": (
        [
            packet(
                ROUTER,
                CLIENT,
                frames.UDP,
                frames.udp(50000, frames.VXLAN_PORT, frames.vxlan(frames.ethernet(0x0800, bytes(TUNNELLED)))),
                200,
            )
        ],
        (61, "udp", 40000, 5001),
    ),
    "IPv6 in IPv4": (
        [packet(ROUTER, CLIENT, frames.IPV6_IN_IP, bytes(error(ROUTER6, 62, probe(61, HOST6, CLIENT6), PORT6)), 200)],
        (61, "udp", 40000, 5001),
    ),
    "quotes a ping": (
        [error(ROUTER, 62, packet(CLIENT, HOST, frames.ICMP, frames.icmp(8, 0, b"ping"), 61), PORT)],
        (61, "icmp", 0, 0),
    ),
    "quotes a tunnel": (
        [error(ROUTER, 62, packet(CLIENT, HOST, frames.IPV4_IN_IP, bytes(syn(9)), 61), PORT)],
        (61, "other", 0, 0),
    ),
    "quotes extension headers": (
        [
            error(
                ROUTER6,
                62,
                packet(
                    CLIENT6,
                    HOST6,
                    frames.HOP_BY_HOP,
                    frames.extension(
                        frames.HOP_BY_HOP,
                        frames.DESTINATION_OPTIONS,
                        frames.extension(frames.DESTINATION_OPTIONS, frames.TCP, frames.tcp(7, 8, 1, 0, SYN, 9)),
                    ),
                    61,
                ),
                PORT6,
            )
        ],
        (61, "tcp", 7, 8),
    ),
    "multi-part (RFC 4884)": (
        [error(ROUTER, 62, bytes(probe(61)).ljust(128, b"\0") + b"\x20\0\0\0\0\x08\x01\x01\x00\x01\x01\x01", (11, 0))],
        (61, "udp", 40000, 5001),
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_quotes_are_read_alike(name: str, tmp_path: Path) -> None:
    packets, expected = ODD[name]
    table = agreed(written(tmp_path / "odd.pcap", packets))
    row = list(judged_errors("odd", table, RULEBOOK))[-1].row
    observation = next(observe_errors(table, RULEBOOK))[1]
    assert (row.quoted_hop_limit, observation["quoted_protocol"], row.sport, row.dport) == expected
    assert row.hop_limit == 62


def test_the_observables_are_exactly_the_vocabulary(tmp_path: Path) -> None:
    capture = written(tmp_path / "names.pcap", EXAMPLES["host_itself"])
    table = read_packets(Source(capture, capture.name, FileType.CAPTURE), find_tshark(), whole=True).table
    observation = next(observe_errors(table, RULEBOOK))[1]
    assert observation.keys() == {observable.name for observable in ICMP_OBSERVABLES}


def test_every_code_of_the_standards_has_a_name() -> None:
    assert {code for version, type_, code in ICMP_MEANINGS if (version, type_) == (4, 3)} == set(range(16))
    assert {code for version, type_, code in ICMP_MEANINGS if (version, type_) == (6, 1)} == set(range(9))
    prohibited = {key for key, meaning in ICMP_MEANINGS.items() if meaning.icmp_class is IcmpClass.PROHIBITED}
    assert prohibited == {(4, 3, 9), (4, 3, 10), (4, 3, 13), (6, 1, 1), (6, 1, 5), (6, 1, 6)}
    assert icmp_meaning(4, 3, 99) == (IcmpClass.UNKNOWN, "type 3 code 99")


def test_an_overlay_comes_first(tmp_path: Path) -> None:
    overlay = tmp_path / "mine.toml"
    overlay.write_text(
        '[[icmp]]\nid = "ours"\nwhen = "hop_limit == 62"\nverdict = "genuine"\norigin = "middlebox"\nsuspicion = 1\n'
        'say = "our firewall, {distance} hops away"\nreference = "Change ticket 4711"\n'
        '[[icmp]]\nid = "prohibited"\nsuspicion = 4\n',
        encoding="utf-8",
    )
    rulebook = load(overlays=[overlay])
    assert rulebook.icmp[0].id == "ours"
    assert {entry.id: entry.suspicion for entry in rulebook.icmp}["prohibited"] == 4
    capture = written(tmp_path / "ours.pcap", EXAMPLES["on_the_way"])
    found = compare(capture, system_wireshark(), rulebook)
    assert not found, listed(found)


def test_a_summary_counts_resets_and_errors_apart_and_shows_where_the_rejector_sits(tmp_path: Path) -> None:
    errors = tuple(judged(written(tmp_path / "forged.pcap", EXAMPLES["in_the_hosts_name"])))
    summary = summarise([CaptureResult("forged.pcap", 6, (judged_reset(),), (), errors=errors)], RULEBOOK, 10)
    assert (summary.totals.resets, summary.totals.icmp_errors) == (1, 1)
    assert [row.kind for row in summary.rows] == ["icmp", "rst"]
    layout = Layout(wide=True)
    for text in (
        outputs.table(summary, RULEBOOK, layout, Screen(None)),
        outputs.markdown(summary, RULEBOOK, layout),
    ):
        assert f"rejected by {HOST}, 0 hops away, the probe to {HOST} had travelled 1 hop" in text
        assert "1 ICMP error: 1 sent by firewalls or other devices in between; 1 of them in a host's name" in text
        assert "1 reset, 1 ICMP error" in text
    content = json.loads(outputs.whole_json(summary))
    assert content["by_rejector"][0]["distances"] == [0]
    assert content["icmp_errors"][0]["rejection"] == {"name": "port unreachable", "target": HOST, "travelled": 1}
