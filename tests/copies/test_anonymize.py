"""`rstorigin annotate --anonymize`: nobody can be identified, and every verdict stays."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.geneve import GENEVE
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6ND_NS,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw
from support.command_line import LAB, SITUATIONS, capture, run, verdicts
from support.wiresharks import available

from bench.public_captures import captures_of_others
from heuristics.protocol.private_networks import PRIVATE_NETWORKS
from postproc.copies.headers import LINK_TYPES, HeaderRewriter
from postproc.copies.pseudonyms import Pseudonyms

KEY = bytes(range(32))
NAMES = Pseudonyms(KEY)
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/*.pcap"))
OTHERS = captures_of_others()
ADDRESS, OTHER = "198.51.100.77", "203.0.113.99"
ADDRESS6, OTHER6 = "2001:db8:5:6:7:8:9:a", "2001:db8:b:c:d:e:f:1"
MAC, OTHER_MAC = "00:1b:21:aa:bb:cc", "3c:fd:fe:11:22:33"
SECRET = b"password=hunter2"
TRACES = [
    *(ipaddress.ip_address(each).packed for each in (ADDRESS, OTHER, ADDRESS6, OTHER6)),
    *(bytes.fromhex(each.replace(":", "")) for each in (MAC, OTHER_MAC)),
    SECRET,
]


def rewritten(packet: Packet | bytes, link_type: int = 1) -> bytes:
    data = bytearray(bytes(packet))
    HeaderRewriter(NAMES).rewrite(data, link_type)
    return bytes(data)


def anonymized(source: Path, folder: Path, *more: str | Path) -> Path:
    copy = folder / "copy.pcapng"
    result = run("annotate", source, "-o", copy, "--anonymize", *more)
    assert (result.exit_code, result.output) == (0, "")
    return copy


def judged(path: Path) -> list[dict[str, str]]:
    """The rows without addresses."""
    hidden = ("src", "dst", "flow")
    return [{name: value for name, value in row.items() if name not in hidden} for row in verdicts(path)]


# Of each family, with what is special: IPv6, ICMP errors, payloads of resets, a SYN proxy, retransmissions.
@pytest.mark.parametrize(
    "source",
    [
        *EXAMPLES[:4],
        *(SITUATIONS / f"{name}.pcap" for name in ("client-aborts-ipv6", "big-ip-cause", "quantum-insert")),
        LAB / "04_icmp.client.pcap",
        LAB / "05_tcpkill_r1.server.pcap",
    ],
    ids=lambda path: path.stem,
)
def test_all_columns_but_the_addresses_stay(source: Path, tmp_path: Path) -> None:
    found, expected = judged(anonymized(source, tmp_path)), judged(source)
    if source.stem == "big-ip-cause":  # its own words may name rules and servers
        (before,), (after,) = ([row.pop("cause") for row in rows] for rows in (expected, found))
        assert ("TCP RST from remote system" in before, "TCP RST" in after) == (True, False)
    assert found == expected


def test_reasons_in_numbers_stay(tmp_path: Path) -> None:
    source = SITUATIONS / "diagnostic-payload.pcap"
    found = [row["cause"] for row in verdicts(anonymized(source, tmp_path))]
    assert found[3:5] == [row["cause"] for row in verdicts(source)][3:5]


@pytest.mark.skipif(not (OTHERS / "cases").is_dir(), reason="the captures of ../shared are not here")
def test_verdicts_of_captures_of_the_field_stay(tmp_path: Path) -> None:
    """The command compares them itself, and says which differ."""
    found = [path for path in sorted((OTHERS / "cases").glob("*/*.pcap*")) if path.stat().st_size < 1_000_000]
    assert len(found) > 10
    for source in found[::2]:
        anonymized(source, tmp_path)


def test_the_same_checksums_are_right_and_wrong(tmp_path: Path) -> None:
    tcp = Ether() / IP(src=ADDRESS, dst=OTHER) / TCP(sport=1, dport=443, seq=7) / Raw(b"odd")
    udp = Ether() / IPv6(src=ADDRESS6, dst=OTHER6) / UDP(sport=53, dport=53) / Raw(SECRET)
    wrong = tcp.copy()
    wrong[TCP].chksum = 0x1234
    wrong_header = tcp.copy()
    wrong_header[IP].chksum = 0x1234
    unused = udp.copy()
    unused[UDP].chksum = 0
    error = Ether() / IP(src=OTHER, dst=ADDRESS) / ICMP(type=3, code=13) / bytes(tcp[IP])[:28]
    error6 = Ether() / IPv6(src=OTHER6, dst=ADDRESS6) / ICMPv6DestUnreach() / bytes(udp[IPv6])
    source = capture(tmp_path / "in.pcap", [tcp, udp, wrong, wrong_header, unused, error, error6])
    status = [checksums(path) for path in (source, anonymized(source, tmp_path, "--only", "forged"))]
    assert status[0] == status[1]
    assert "1" in {word for line in status[0] for word in line}
    assert "0" in {word for line in status[0] for word in line}


def test_a_checksum_that_a_network_card_completes_stays_the_sum_of_the_pseudo_header() -> None:
    packet = IP(src=ADDRESS, dst=OTHER) / TCP() / Raw(SECRET)

    def pseudo_header(packet: Packet) -> int:
        addresses = ipaddress.ip_address(packet.src).packed + ipaddress.ip_address(packet.dst).packed
        return (int.from_bytes(addresses, "big") + 6 + 20 + len(SECRET)) % 65535

    packet[TCP].chksum = pseudo_header(packet)
    after = IP(rewritten(packet, 101))
    assert after.src != ADDRESS
    assert after[TCP].chksum == pseudo_header(after)


def checksums(path: Path) -> list[list[str]]:
    reader = next(each for each in available() if each.root is None)
    checked = [word for each in ("ip", "tcp", "udp") for word in ("-o", f"{each}.check_checksum:TRUE")]
    names = ("ip", "tcp", "udp", "icmp", "icmpv6")
    shown = [word for each in names for word in ("-e", f"{each}.checksum.status")]
    result = reader.tshark("-r", path, *checked, "-T", "fields", *shown, "-e", "_ws.expert.message")
    assert result.returncode == 0, result.stderr
    return [[re.sub(r"0x[0-9a-f]+", "", word) for word in line.split("\t")] for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    "packet",
    [
        Ether(src=MAC, dst=OTHER_MAC) / IP(src=ADDRESS, dst=OTHER) / TCP() / Raw(SECRET),
        Ether(src=MAC, dst=OTHER_MAC) / Dot1Q() / Dot1Q() / IP(src=ADDRESS, dst=OTHER) / UDP() / Raw(SECRET),
        Ether(src=MAC, dst=OTHER_MAC) / MPLS(s=1) / IP(src=ADDRESS, dst=OTHER) / TCP() / Raw(SECRET),
        Ether(src=MAC, dst=OTHER_MAC) / PPPoE() / PPP() / IP(src=ADDRESS, dst=OTHER) / TCP() / Raw(SECRET),
        Ether(src=MAC) / ARP(hwsrc=MAC, hwdst=OTHER_MAC, psrc=ADDRESS, pdst=OTHER) / Raw(SECRET),
        Ether() / IP(src=ADDRESS, dst=OTHER) / GRE() / IPv6(src=ADDRESS6, dst=OTHER6) / TCP() / Raw(SECRET),
        Ether() / IP() / UDP(dport=4789) / VXLAN() / Ether(src=MAC) / IP(src=ADDRESS, dst=OTHER) / TCP() / Raw(SECRET),
        Ether() / IP() / UDP(dport=6081) / GENEVE() / Ether(src=MAC, dst=OTHER_MAC) / IP(src=ADDRESS) / Raw(SECRET),
        Ether() / IP(proto=4) / IP(src=ADDRESS, dst=OTHER) / UDP(dport=99) / Raw(SECRET),
        Ether() / IP(options=[IPOption_RR(routers=[ADDRESS, OTHER])]) / TCP() / Raw(SECRET),
        Ether() / IP(src=ADDRESS, dst=OTHER, frag=3) / Raw(SECRET),
        Ether() / IP(src=ADDRESS, dst=OTHER, proto=132) / Raw(SECRET),
        Ether() / IP(src=OTHER) / ICMP(type=3, code=1) / IP(src=ADDRESS, dst=OTHER) / TCP() / Raw(SECRET),
        Ether() / IP(src=OTHER) / ICMP(type=5, gw=ADDRESS) / IP(src=ADDRESS, dst=OTHER) / UDP() / Raw(SECRET),
        Ether() / IP(src=OTHER) / ICMP(type=8) / Raw(SECRET),
        Ether() / IPv6(src=ADDRESS6, dst=OTHER6) / IPv6ExtHdrRouting(addresses=[ADDRESS6, OTHER6]) / TCP() / SECRET,
        Ether(src=MAC) / IPv6(src=ADDRESS6) / ICMPv6ND_NS(tgt=OTHER6) / ICMPv6NDOptSrcLLAddr(lladdr=MAC),
        Ether() / IPv6(src=OTHER6) / ICMPv6ND_NS(tgt=ADDRESS6) / ICMPv6NDOptPrefixInfo(prefix=OTHER6),
        Ether() / IP(src=ADDRESS, dst=OTHER) / TCP(flags="R") / Raw(SECRET),
        Ether() / IP(src=ADDRESS) / TCP(options=[(253, SECRET), ("MSS", 1460)]) / Raw(SECRET),
        Ether(src=MAC, dst=OTHER_MAC, type=0x88CC) / Raw(SECRET),
    ],
    ids=lambda packet: "-".join(layer.__name__ for layer in packet.layers() if layer is not Raw),
)
def test_no_trace_stays(packet: Packet) -> None:
    before, after = bytes(packet), rewritten(packet)
    assert len(after) == len(before)
    assert any(trace in before for trace in TRACES)
    assert not [trace for trace in TRACES if trace in after]
    assert rewritten(packet) == after, "the same every time"


def test_nothing_else_of_the_capture_stays(tmp_path: Path) -> None:
    """Names, secrets and comments, which pcapng may hold."""
    from copies.test_annotate import block, interface, option, packet, section

    names = block("<", 4, b"\1\0\x0c\0" + ipaddress.ip_address(ADDRESS).packed + b"host.a\0\0" + bytes(4))
    filtered = block("<", 1, bytes.fromhex("0100000000000000") + option("<", 11, b"\0host a") + option("<", 0, b""))
    private = (1, b"call host.a"), (2, b"\1\0\0\0")
    source = tmp_path / "in.pcapng"
    source.write_bytes(section("<") + interface("<") + filtered + names + packet("<", *private))
    content = anonymized(source, tmp_path).read_bytes()
    for trace in (b"host", b"eth0", b"dumper", b"call"):
        assert trace in source.read_bytes()
        assert trace not in content
    assert option("<", 2, b"\1\0\0\0") in content, "the flags of the packet stay"


def test_what_cannot_be_anonymized_is_not_copied(tmp_path: Path) -> None:
    from copies.test_annotate import block, interface, packet, section

    custom = section("<") + interface("<") + packet("<") + block("<", 0xBAD, b"\1\0\0\0data")
    radio = section("<") + interface("<")[:8] + b"\x7f\0" + interface("<")[10:] + packet("<")
    for content, words in ((custom, "frame 2 is no packet"), (radio, "link type 127 is not one")):
        source, copy = tmp_path / "in.pcapng", tmp_path / "copy.pcapng"
        source.write_bytes(content)
        result = run("annotate", source, "-o", copy, "--anonymize")
        assert result.exit_code == 2
        assert words in result.output
        assert not copy.exists()


def test_one_key_gives_the_same_names_in_every_capture(tmp_path: Path) -> None:
    key, short = tmp_path / "key", tmp_path / "short"
    key.write_bytes(KEY)
    short.write_bytes(b"short")
    client = anonymized(LAB / "01_closed_port.client.pcap", tmp_path, "--key", key)
    first = {row["dst"] for row in verdicts(client)}
    server = anonymized(LAB / "01_closed_port.server.pcap", tmp_path, "--key", key)
    assert {row["dst"] for row in verdicts(server)} == first
    assert {row["dst"] for row in verdicts(anonymized(LAB / "01_closed_port.server.pcap", tmp_path))} != first
    result = run("annotate", EXAMPLES[0], "-o", tmp_path / "x.pcapng", "--anonymize", "--key", short)
    assert result.exit_code == 2
    assert "shorter than 16 bytes" in result.output


ADDRESSES = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))


@given(first=ADDRESSES, data=st.data())
def test_pseudonyms_keep_prefixes_and_ranges(first: bytes, data: st.DataObject) -> None:
    bits = len(first) * 8
    flip = data.draw(st.integers(0, bits - 1))
    second = (int.from_bytes(first, "big") ^ (1 << (bits - 1 - flip))).to_bytes(len(first), "big")
    one, two = (ipaddress.ip_address(NAMES.address(each)) for each in (first, second))
    special = any(
        each.is_multicast or int(each) in (0, 1, 2**32 - 1) for each in map(ipaddress.ip_address, (first, second))
    )
    assert one != two
    if not special:
        assert (int(one) ^ int(two)).bit_length() == bits - flip
    for network in map(ipaddress.ip_network, PRIVATE_NETWORKS):
        assert (ipaddress.ip_address(first) in network) == (one in network)


@given(content=st.binary(max_size=400), link_type=st.sampled_from(sorted(LINK_TYPES)), begin=st.integers(0, 6))
def test_any_bytes_can_be_rewritten(content: bytes, link_type: int, begin: int) -> None:
    starts = (b"", b"\x45", b"\x60", bytes(12) + b"\x08\0\x45", bytes(12) + b"\x86\xdd\x60")
    starts += (bytes(12) + b"\x08\x06", bytes(12) + b"\x88\x47")
    assert len(rewritten(starts[begin] + content, link_type)) == len(starts[begin] + content)


def test_payloads_that_are_equal_stay_equal_and_texts_of_resets_stay_known() -> None:
    assert NAMES.text(SECRET) == NAMES.text(SECRET) != NAMES.text(SECRET[1:] + b"?")

    def text(payload: bytes) -> bytes:
        return rewritten(Ether() / IP() / TCP(flags="R") / Raw(payload))[54:]

    assert text(b"BIG-IP: [0x2409b71:2155] Flow expired").startswith(b"BIG-IP: [0x")
    assert text(b"\x01\x02\x03\x04\x05\x06\x07\x08\t\0") == b"\x01\x02\x03\x04\x05\x06\x07\x08\t\0"
    assert text(b"\x1909...").startswith(b"\x1909")
    assert text(b"Go away").isalnum()
    assert not text(b"\xfe\xfd\xfc").isascii()
