"""Text of packets is judged like the capture that it was made of, in any layout; what it lacks stays missing."""

from __future__ import annotations

import gzip
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import CookedLinux, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw
from scapy.utils import rdpcap, wrpcap
from support.command_line import CAPTURES, FORGED, GENUINE, LAB, SITUATIONS, capture, run, verdicts
from support.packet_text import needs_tcpdump, tcpdump, written

from postproc.capture.file_type import FileType, file_type_of
from postproc.capture.text import text_reader

pytestmark = needs_tcpdump

ALL = sorted((*LAB.glob("*.pcap"), *SITUATIONS.glob("*.pcap")))

# tcpdump prints 28 bytes of what a reset says, and no Ethernet trailer.
LONGER_CAUSES = {"big-ip-cause.pcap", "diagnostic-payload.pcap"}
TRAILERS = "f5-ethernet-trailer.pcap"

Rows = list[dict[str, str]]


def compared(rows: Rows, *without: str) -> Rows:
    """The rows without what text cannot hold: tcpdump prints no packet that an ICMPv6 error quotes.

    Of such an error, text shows who sent it, and its verdict is `unclear`. `without` are more columns.
    """
    return [
        {name: row[name] for name in ("frame", "time", "src", "dst", "hop_limit")}
        if row["kind"] == "icmp" and ":" in row["src"]
        else {name: value for name, value in row.items() if name not in without}
        for row in rows
    ]


def without_times(rows: Rows) -> Rows:
    """The rows without their times, of which the date may be missing."""
    return [row | {"time": ""} for row in compared(rows)]


@pytest.mark.parametrize("options", ["-nn -vv -tttt -S -e", "-nn -v -tt"])
@pytest.mark.parametrize("path", [path for path in ALL if path.name != TRAILERS], ids=lambda path: path.name)
def test_text_is_judged_like_its_capture(tmp_path: Path, path: Path, options: str) -> None:
    text = written(tmp_path, tcpdump(path, options))
    without = ("cause",) if path.name in LONGER_CAUSES else ()
    assert compared(verdicts(text), *without) == compared(verdicts(path), *without)


def test_these_captures_are_all_that_tcpdump_reads() -> None:
    assert len(ALL) > 40
    assert [path.name for path in CAPTURES.glob("situations/*.cap")] == ["netscaler-policy.cap"]  # nstrace


def test_an_icmpv6_error_of_a_text_is_unclear(tmp_path: Path) -> None:
    text = written(tmp_path, tcpdump(LAB / "04_icmp.client.pcap", "-nn -v -tt"))
    found = {row["verdict"] for row in verdicts(text) if row["kind"] == "icmp" and ":" in row["src"]}
    assert found == {"unclear"}


@pytest.mark.parametrize(
    "options", ["-nn -v", "-n -vvv -#", "-nn -v -ttt", "-nn -v -ttttt", "-nn -vv -x", "-nn -v -A -S"]
)
@pytest.mark.parametrize(
    "path", [FORGED, SITUATIONS / "firewall-refuses.pcap", LAB / "03_reject_midstream_r1.client.pcap"]
)
def test_every_option_of_tcpdump_gives_the_same_verdicts(tmp_path: Path, path: Path, options: str) -> None:
    text = written(tmp_path, tcpdump(path, options))
    assert without_times(verdicts(text)) == without_times(verdicts(path))


def in_a_mail(text: str) -> str:
    quoted = "".join(f"> > {line}" for line in text.splitlines(keepends=True))
    return f"Hello,\n\nwe see resets, can you look?\n\n{quoted}\n-- \nA. N. Engineer\n"


def wrapped(text: str) -> str:
    return "".join(f"{line}\n" for each in text.splitlines() for line in textwrap.wrap(each.expandtabs(), 78) or [""])


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: textwrap.indent(text, "      "),
        lambda text: re.sub(r"^\s+", "", text, flags=re.MULTILINE),
        lambda text: "".join(f"\x1b[32m{line}\x1b[0m\n" for line in text.splitlines()),
        lambda text: text.replace("\n", "\n    "),
        wrapped,
        in_a_mail,
    ],
    ids=["crlf", "indented", "indentation lost", "colours", "first line not indented", "wrapped", "mail"],
)
def test_every_layout_gives_the_same_verdicts(tmp_path: Path, changed: Callable[[str], str]) -> None:
    text = written(tmp_path, changed(tcpdump(FORGED, "-nn -v -tt")))
    assert verdicts(text) == verdicts(FORGED)


def test_compressed_text_is_read(tmp_path: Path) -> None:
    path = tmp_path / "packets.txt.gz"
    path.write_bytes(gzip.compress(tcpdump(GENUINE, "-nn -v -tt").encode()))
    assert file_type_of(path) is FileType.PACKET_TEXT
    assert verdicts(path) == verdicts(GENUINE)


def test_text_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_reader, "_ROWS", 3)
    text = written(tmp_path, tcpdump(GENUINE, "-nn -v -tt"))
    assert verdicts(text) == verdicts(GENUINE)


def recoded(path: Path, target: Path, change: Callable[[Packet], Packet]) -> Path:
    """The capture `path` with every packet changed, at the same times."""
    packets = []
    for packet in rdpcap(str(path)):
        changed = change(packet)
        changed.time = packet.time
        packets.append(changed)
    wrpcap(str(target), packets)
    return target


@pytest.mark.parametrize(
    "change",
    [
        lambda packet: Ether(src=packet.src, dst=packet.dst) / Dot1Q(vlan=7) / packet.payload,
        lambda packet: CookedLinux(proto=0x0800 if IP in packet else 0x86DD) / packet.payload,
    ],
    ids=["vlan", "any"],
)
@pytest.mark.parametrize("options", ["-nn -v -tt", "-nn -vv -tt -e"])
def test_other_link_layers(tmp_path: Path, change: Callable[[Packet], Packet], options: str) -> None:
    path = recoded(FORGED, tmp_path / "other.pcap", change)
    assert verdicts(written(tmp_path, tcpdump(path, options))) == verdicts(path)


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 8, 13, 20])
@pytest.mark.parametrize("path", [GENUINE, SITUATIONS / "nat-expires-sessions.pcap"])
def test_text_that_is_cut_accuses_nobody_falsely(tmp_path: Path, path: Path, cut: int) -> None:
    """Without -S, resets whose numbers cannot be compared are left out, and the program says so."""
    packets = list(rdpcap(str(path)))[cut:]
    if not packets:
        pytest.skip("shorter than that")
    wrpcap(str(tmp_path / "cut.pcap"), packets)
    whole = {row["frame"]: row["verdict"] for row in verdicts(tmp_path / "cut.pcap")}
    for options in ("-nn -v -tt -#", "-nn -v -tt -# -S"):
        lines = tcpdump(path, options).splitlines(keepends=True)
        begin = next(at for at, line in enumerate(lines) if re.match(rf"\s*{cut + 1}\s", line))
        text = written(tmp_path, "".join(lines[begin:])[:-30])
        found = {str(int(row["frame"]) - cut): row["verdict"] for row in verdicts(text)}
        accused = {frame for frame, verdict in found.items() if "forged" in verdict}
        assert accused <= {frame for frame, verdict in whole.items() if "forged" in verdict}
        if "-S" in options:
            assert found.items() <= whole.items()
        missing = whole.keys() - found.keys() - {str(len(packets))}  # the last packet is cut
        assert not missing or ("-S" not in options and "left out" in run("summarize", text).stderr)


def test_text_without_times_says_what_that_costs(tmp_path: Path) -> None:
    text = written(tmp_path, tcpdump(LAB / "02_reject_syn_r1.client.pcap", "-nn -v -t"))
    result = run("summarize", text)
    assert "no reset can be judged by its time (run tcpdump without -t" in result.stderr
    genuine = {row["frame"] for row in verdicts(LAB / "02_reject_syn_r1.client.pcap") if "genuine" in row["verdict"]}
    assert not [row for row in verdicts(text) if row["frame"] in genuine and "forged" in row["verdict"]]


def test_what_is_not_understood_is_counted_and_safe_to_show(tmp_path: Path) -> None:
    text = tcpdump(FORGED, "-nn -v -tt")
    hostile = "\x1b]0;title\x07what \u202eis this\x9b31m\n"
    result = run("summarize", written(tmp_path, hostile + text + "second\nthird\nfourth\n"))
    assert (
        "4 lines not understood, first: \\x1b]0;title\\x07what \\u202eis this\\x9b31m | second | third ("
        in result.stderr
    )
    assert result.exit_code == 1
    assert verdicts(tmp_path / "packets.txt") == verdicts(FORGED)


def test_a_broken_packet_is_counted_and_the_others_are_read(tmp_path: Path) -> None:
    text = tcpdump(FORGED, "-nn -v -tt")
    broken = text.replace("ttl 64", "ttl 640", 1)
    result = run("summarize", written(tmp_path, broken))
    assert "1 packet not understood" in result.stderr
    assert len(verdicts(tmp_path / "packets.txt")) == 3


def test_a_payload_that_looks_like_packets_is_no_packet(tmp_path: Path) -> None:
    forged = tcpdump(FORGED, "-nn -v").encode()
    web = IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=80, dport=4000, flags="PA")
    path = capture(tmp_path / "web.pcap", [Ether() / web / Raw(b"HTTP/1.1 200 OK\r\n" + forged)])
    text = written(tmp_path, tcpdump(path, "-nn -v"))
    assert "Flags [R" in text.read_text()
    assert verdicts(text) == []
    assert "1 reset" not in run("summarize", text).stdout


def test_packets_in_packets(tmp_path: Path) -> None:
    inner = IP(src="10.0.0.1", dst="10.0.0.2", ttl=9) / TCP(sport=80, dport=4000, flags="RA", seq=7, ack=8)
    outer = IP(src="192.0.2.1", dst="192.0.2.2", ttl=60)
    error = outer / ICMP(type=3, code=1) / IP(src="192.0.2.2", dst="192.0.2.9", ttl=3) / TCP(sport=4, dport=5)
    path = capture(tmp_path / "tunnel.pcap", [Ether() / outer / inner, Ether() / error])
    text = written(tmp_path, tcpdump(path, "-nn -v -tt -S"))
    assert verdicts(text) == verdicts(path)
    assert [(row["kind"], row["hop_limit"], row["quoted_hop_limit"]) for row in verdicts(text)] == [
        ("rst", "9", ""),
        ("icmp", "60", "3"),
    ]


def test_a_tunnel_over_udp_is_counted(tmp_path: Path) -> None:
    vxlan = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=5, dport=4789) / VXLAN(vni=1)
    path = capture(tmp_path / "vxlan.pcap", [Ether() / vxlan / Ether() / IP() / TCP(flags="R")])
    result = run("summarize", written(tmp_path, tcpdump(path, "-nn -v -tt")))
    assert "1 packet with another packet inside, which is not read" in result.stderr


@pytest.mark.parametrize("command", ["export"])
def test_commands_that_need_the_capture_say_so(tmp_path: Path, command: str) -> None:
    text = written(tmp_path, tcpdump(FORGED, "-nn -v"))
    result = run(command, text)
    assert result.exit_code == 2
    assert "is text of packets, not a capture" in result.stderr


def test_notes_without_packets_stay_a_text_file(tmp_path: Path) -> None:
    text = written(tmp_path, "12:00:00.000000 the IP address > 5 changed: see below\n")
    assert file_type_of(text) is FileType.TEXT
