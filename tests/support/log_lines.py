"""Lines of packet logs for tests, made of captures as the kernel and filterlog write them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.utils import PcapReader

_FLAGS = (
    ("C", "CWR"),
    ("E", "ECE"),
    ("U", "URG"),
    ("A", "ACK"),
    ("P", "PSH"),
    ("R", "RST"),
    ("S", "SYN"),
    ("F", "FIN"),
)
_OPTIONS = {"MSS": "mss", "NOP": "nop", "EOL": "eol", "WScale": "wscale", "SAckOK": "sackOK", "Timestamp": "TS"}


def netfilter(capture: Path, *, sequence: bool = True) -> str:
    """As Linux logs the packets of a capture (nf_log_syslog.c), with or without --log-tcp-sequence."""
    lines = []
    for packet in PcapReader(str(capture)):
        ip = packet.getlayer(IP) or packet.getlayer(IPv6)
        stamp = f"{packet.time:.6f}" if ip is None else _stamp(packet)
        if ip is None:
            lines.append(f"{stamp} not IP")
            continue
        mac = f"MAC={packet.dst}:{packet.src}:{'08:00' if ip.version == 4 else '86:dd'} " if Ether in packet else ""
        lines.append(f"{stamp} kernel: fw: IN=eth0 OUT= {mac}{_netfilter_ip(ip, sequence=sequence)}")
    return "\n".join(lines) + "\n"


def _stamp(packet: Packet) -> str:
    """As journalctl -o short-iso-precise."""
    microseconds = int(packet.time * 1_000_000)
    moment = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{microseconds % 1_000_000:06}+0000 host"


def _netfilter_ip(ip: Packet, *, sequence: bool) -> str:
    if ip.version == 4:
        df = "DF " if "DF" in str(ip.flags) else ""
        head = (
            f"SRC={ip.src} DST={ip.dst} LEN={ip.len} TOS=0x{ip.tos & 0x1E:02X} PREC=0x{ip.tos & 0xE0:02X} "
            f"TTL={ip.ttl} ID={ip.id} {df}"
        )
        names = {1: "ICMP", 6: "TCP", 17: "UDP"}
        protocol = ip.proto
    else:
        head = f"SRC={ip.src} DST={ip.dst} LEN={ip.plen + 40} TC={ip.tc} HOPLIMIT={ip.hlim} FLOWLBL={ip.fl} "
        names = {58: "ICMPv6", 6: "TCP", 17: "UDP"}
        protocol = ip.nh
    head += f"PROTO={names.get(protocol, protocol)} "
    if TCP in ip and ip.payload.name == "TCP":
        return head + _netfilter_tcp(ip[TCP], sequence=sequence)
    if UDP in ip and ip.payload.name == "UDP":
        return f"{head}SPT={ip[UDP].sport} DPT={ip[UDP].dport} LEN={ip[UDP].len} "
    if protocol in (1, 58):
        return head + _netfilter_icmp(ip, sequence=sequence)
    return head


def _netfilter_tcp(tcp: Packet, *, sequence: bool) -> str:
    words = " ".join(word for letter, word in _FLAGS if letter in str(tcp.flags))
    options = bytes(tcp)[20 : (tcp.dataofs or 5) * 4].hex().upper() if sequence else ""
    return (
        f"SPT={tcp.sport} DPT={tcp.dport} {f'SEQ={tcp.seq} ACK={tcp.ack} ' if sequence else ''}WINDOW={tcp.window} "
        f"RES=0x00 {words} URGP={tcp.urgptr} {f'OPT ({options}) ' if options else ''}"
    )


def _netfilter_icmp(ip: Packet, *, sequence: bool) -> str:
    kind, code = bytes(ip.payload)[:2]
    quoted = f"[{_netfilter_ip(IP(bytes(ip[ICMP])[8:]), sequence=sequence)}] " if ICMP in ip and kind in (3, 11) else ""
    return f"TYPE={kind} CODE={code} {quoted}"


def filterlog(capture: Path) -> str:
    """As pfSense and OPNsense log the packets of a capture, with syslog headers of RFC 5424."""
    lines = []
    for packet in PcapReader(str(capture)):
        ip = packet.getlayer(IP) or packet.getlayer(IPv6)
        if ip is None:
            continue
        stamp, _, host = _stamp(packet).partition(" ")
        fields = ["5", "", "", "1000000103", "igb0", "match", "block", "in", str(ip.version)]
        if ip.version == 4:
            flags = str(ip.flags) or "none"
            fields += [f"0x{ip.tos:x}", "", ip.ttl, ip.id, ip.frag * 8, flags, ip.proto, "x", ip.len, ip.src, ip.dst]
        else:
            fields += [f"0x{ip.tc:02x}", f"0x{ip.fl:05x}", ip.hlim, "x", ip.nh, ip.plen, ip.src, ip.dst]
        if TCP in ip and ip.payload.name == "TCP":
            fields += _filterlog_tcp(ip[TCP])
        lines.append(f"<134>1 {stamp[:-2]}:00 {host} filterlog 144 - - {','.join(map(str, fields))}")
    return "\n".join(lines) + "\n"


def _filterlog_tcp(tcp: Packet) -> list[object]:
    payload = len(tcp.payload)
    seq = f"{tcp.seq}:{tcp.seq + payload}" if payload else str(tcp.seq)
    letters = str(tcp.flags).replace("C", "W")
    options = ";".join(_OPTIONS[str(name)] for name, _ in tcp.options if str(name) in _OPTIONS)
    ack = tcp.ack if "A" in letters else ""
    return [tcp.sport, tcp.dport, payload, letters, seq, ack, tcp.window, "", options]
