"""Sessions of examples/firewall-log, written as the products of other vendors log them.

The sessions are those of the firewall's own log. Each writer follows the vendor's description of its format, so that
the same sessions can be compared with the same packets whatever the format.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "firewall-log"
CAPTURE = EXAMPLE / "client.pcap"
CONNTRACK_LOG = EXAMPLE / "conntrack.log"
FORGED_PORT = 80  # where the device resets in the server's name
_LINE = re.compile(
    r" (?P<state>[A-Z_]+) src=(?P<src>\S+) dst=(?P<dst>\S+) sport=(?P<sport>\d+) dport=(?P<dport>\d+) .*"
    r"src=\S+ dst=(?P<nat>\S+) sport=\d+ dport=(?P<nat_port>\d+) .*start=(?P<start>[^]]+)] \[stop=(?P<stop>[^]]+)]"
)
# PAN-OS, as its web interface exports it; the last one is in the place of field 47.
PANOS_HEADER = (
    "Domain,Receive Time,Serial #,Type,Threat/Content Type,Config Version,Generate Time,Source address,"
    "Destination address,NAT Source IP,NAT Destination IP,Rule,Source User,Destination User,Application,Virtual System,"
    "Source Zone,Destination Zone,Inbound Interface,Outbound Interface,Log Action,Time Logged,Session ID,Repeat Count,"
    "Source Port,Destination Port,NAT Source Port,NAT Destination Port,Flags,IP Protocol,Action,Bytes,Bytes Sent,"
    "Bytes Received,Packets,Start Time,Elapsed Time (sec),Category,Padding,seqno,actionflags,Source Country,"
    "Destination Country,cpadding,pkts_sent,pkts_received,session_end_reason"
)


@dataclass(frozen=True)
class Session:
    """One session; `ended` is client (a reset), server (a reset), fin or timeout."""

    number: int
    src: str
    sport: int
    dst: str
    dport: int
    nat: str
    nat_port: int
    start: datetime
    end: datetime
    ended: str

    @property
    def seconds(self) -> int:
        """How long it lasted."""
        return round((self.end - self.start).total_seconds())


def sessions(ahead: timedelta = timedelta()) -> list[Session]:
    """The sessions of the example, by a clock that is `ahead`."""
    found = []
    for number, line in enumerate(CONNTRACK_LOG.read_text(encoding="utf-8").splitlines(), 1):
        match = _LINE.search(line)
        assert match, line
        if match["state"] == "CLOSE":
            ended = "client" if "mark=1" in line else "server"
        else:
            ended = {"TIME_WAIT": "fin", "ESTABLISHED": "timeout"}[match["state"]]
        ends = match["src"], int(match["sport"]), match["dst"], int(match["dport"])
        times = (_time(match[name]) + ahead for name in ("start", "stop"))
        found.append(Session(number, *ends, match["nat"], int(match["nat_port"]), *times, ended))
    return found


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)


def _panos_cells(each: Session) -> list[str]:
    cells = [""] * 47
    time = "%Y/%m/%d %H:%M:%S"
    reasons = {"client": "tcp-rst-from-client", "server": "tcp-rst-from-server", "fin": "tcp-fin"}
    of_place = {
        1: "1", 2: f"{each.end:{time}}", 3: "007000001", 4: "TRAFFIC", 5: "end", 7: f"{each.end:{time}}",
        8: each.src, 9: each.dst, 10: each.nat, 11: each.dst, 12: "allow, all", 23: each.number, 25: each.sport,
        26: each.dport, 27: each.nat_port, 28: each.dport, 30: "tcp", 31: "allow", 36: f"{each.start:{time}}",
        37: each.seconds, 47: reasons.get(each.ended, "aged-out"),
    }  # fmt: skip
    for place, value in of_place.items():
        cells[place - 1] = str(value)
    return cells


def _csv(rows: Iterable[Sequence[str]]) -> list[str]:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().splitlines()


def panos(found: Sequence[Session]) -> list[str]:
    """CSV without a header."""
    return _csv(map(_panos_cells, found))


def panos_export(found: Sequence[Session]) -> list[str]:
    """CSV with the header of the web interface."""
    return [PANOS_HEADER, *panos(found)]


def panos_syslog(found: Sequence[Session]) -> list[str]:
    """Syslog as RFC 3164, the default of PAN-OS."""
    return [f"<14>{each.end:%b %d %H:%M:%S} PA-VM {line}" for each, line in zip(found, panos(found), strict=True)]


def panos_ietf(found: Sequence[Session]) -> list[str]:
    """Syslog as RFC 5424."""
    return [
        f"<14>1 {each.end:%Y-%m-%dT%H:%M:%S+00:00} PA-VM - - - - {line}"
        for each, line in zip(found, panos(found), strict=True)
    ]


def fortigate(found: Sequence[Session]) -> list[str]:
    """FortiOS 7, times in nanoseconds."""
    actions = {"client": "client-rst", "server": "server-rst", "fin": "close", "timeout": "timeout"}
    return [
        f'date={each.end:%Y-%m-%d} time={each.end:%H:%M:%S} devname="fw 1" devid="FGT" eventtime='
        f'{round(each.end.timestamp()) * 10**9} tz="+0000" logid="0000000013" type="traffic" subtype="forward" '
        f'level="notice" srcip={each.src} srcport={each.sport} dstip={each.dst} dstport={each.dport} proto=6 '
        f'sessionid={each.number} action="{actions[each.ended]}" policyid=1 policyname="out to all" trandisp="snat" '
        f"transip={each.nat} transport={each.nat_port} duration={each.seconds} sentbyte=1"
        for each in found
    ]


def fortigate_old(found: Sequence[Session]) -> list[str]:
    """FortiOS 5: only date and time, by the device's clock, without quotes."""
    return [
        re.sub(r"eventtime=\d+ tz=\S+ ", "", line).replace('type="traffic"', "type=traffic")
        for line in fortigate(found)
    ]


def cisco_asa(found: Sequence[Session]) -> list[str]:
    """Messages 302013 and 302014, and one of another kind for each."""
    reasons = {"client": "TCP Reset-I", "server": "TCP Reset-O", "fin": "TCP FINs", "timeout": "Connection timeout"}
    lines = []
    for each in found:
        begun, before = (f"<166>{time:%b %d %Y %H:%M:%S} fw1 : %ASA-6-" for time in (each.start, each.end))
        hours, rest = divmod(each.seconds, 3600)
        duration = f"{hours}:{rest // 60:02}:{rest % 60:02}"
        lines += [
            f"{begun}302013: Built outbound TCP connection {each.number} for outside:{each.dst}/{each.dport} "
            f"({each.dst}/{each.dport}) to inside:{each.src}/{each.sport} ({each.nat}/{each.nat_port})",
            f"{before}305012: Teardown dynamic TCP translation from inside:{each.src}/{each.sport} to outside:"
            f"{each.nat}/{each.nat_port} duration {duration}",
            f"{before}302014: Teardown TCP connection {each.number} for outside:{each.dst}/{each.dport} to inside:"
            f"{each.src}/{each.sport} duration {duration} bytes 700 {reasons[each.ended]}",
        ]
    return lines


_SRX = {"client": "TCP CLIENT RST", "server": "TCP SERVER RST", "fin": "TCP FIN", "timeout": "idle Timeout"}


def juniper_srx(found: Sequence[Session]) -> list[str]:
    """Structured syslog."""
    return [
        f"<14>1 {each.end:%Y-%m-%dT%H:%M:%S.123Z} srx RT_FLOW - RT_FLOW_SESSION_CLOSE [junos@2636.1.1.1.2.40 "
        f'reason="{_SRX[each.ended]}" source-address="{each.src}" source-port="{each.sport}" '
        f'destination-address="{each.dst}" destination-port="{each.dport}" service-name="None" '
        f'nat-source-address="{each.nat}" nat-source-port="{each.nat_port}" nat-destination-address="{each.dst}" '
        f'nat-destination-port="{each.dport}" protocol-id="6" policy-name="all" session-id-32="{each.number}" '
        f'packets-from-client="5" elapsed-time="{each.seconds}"]'
        for each in found
    ]


def juniper_srx_text(found: Sequence[Session]) -> list[str]:
    """Standard syslog."""
    return [
        f"{each.end:%b %d %H:%M:%S} srx RT_FLOW: RT_FLOW_SESSION_CLOSE: session closed {_SRX[each.ended]}: "
        f"{each.src}/{each.sport}->{each.dst}/{each.dport} None {each.nat}/{each.nat_port}->{each.dst}/{each.dport} "
        f"rule-1 None 6 all trust untrust {each.number} 5(300) 4(200) {each.seconds} UNKNOWN UNKNOWN N/A(N/A) ge-0/0/1"
        for each in found
    ]


def aws_vpc(found: Sequence[Session]) -> list[str]:
    """Version 5 with its header; a line for each direction."""
    flags = {"client": (6, 18), "server": (2, 22), "fin": (3, 19), "timeout": (2, 18)}
    lines = [
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "
        "log-status tcp-flags"
    ]
    for each in found:
        there = f"{each.src} {each.dst} {each.sport} {each.dport}"
        back = f"{each.dst} {each.src} {each.dport} {each.sport}"
        times = f"{each.start.timestamp():.0f} {each.end.timestamp():.0f}"
        for ends, flag in zip((there, back), flags[each.ended], strict=True):
            lines.append(f"5 123456789012 eni-0a1b {ends} 6 5 300 {times} ACCEPT OK {flag}")
    return [*lines, f"5 123456789012 eni-0a1b - - - - - - - {times} - NODATA -"]


_ZEEK = {"client": "RSTO", "server": "RSTR", "fin": "SF", "timeout": "S1"}


def _zeek_values(each: Session) -> dict[str, str | int | float]:
    return {
        "ts": each.start.timestamp(), "uid": f"C{each.number}", "id.orig_h": each.src, "id.orig_p": each.sport,
        "id.resp_h": each.dst, "id.resp_p": each.dport, "proto": "tcp", "duration": float(each.seconds),
        "conn_state": _ZEEK[each.ended],
    }  # fmt: skip


def zeek(found: Sequence[Session]) -> list[str]:
    """conn.log, separated by tabs."""
    rows = [_zeek_values(each) for each in found]
    head = ["#separator \\x09", "#path\tconn", "\t".join(["#fields", *rows[0]]), "#types\ttime\tstring\taddr"]
    return [*head, *("\t".join(map(str, row.values())) for row in rows), "#close\t2026-11-30-22-00-00"]


def zeek_json(found: Sequence[Session]) -> list[str]:
    """conn.log as JSON."""
    return [json.dumps(_zeek_values(each)) for each in found]


def suricata(found: Sequence[Session]) -> list[str]:
    """EVE: flow records, and one of another kind."""
    flags = {"client": ("1e", "1a"), "server": ("1a", "1e"), "fin": ("1b", "1b"), "timeout": ("1a", "1a")}
    time = "%Y-%m-%dT%H:%M:%S.%f+0000"
    return [
        json.dumps({"timestamp": f"{found[0].end:{time}}", "event_type": "stats", "stats": {"uptime": 1}}),
        *(
            json.dumps({
                "timestamp": f"{each.end:{time}}", "flow_id": each.number, "event_type": "flow", "src_ip": each.src,
                "src_port": each.sport, "dest_ip": each.dst, "dest_port": each.dport, "proto": "TCP",
                "flow": {"start": f"{each.start:{time}}", "end": f"{each.end:{time}}", "state": "closed"},
                "tcp": {"tcp_flags_ts": flags[each.ended][0], "tcp_flags_tc": flags[each.ended][1], "rst": True},
            })
            for each in found
        ),
    ]  # fmt: skip


WRITERS: dict[str, tuple[str, Callable[[Sequence[Session]], list[str]]]] = {
    "PAN-OS, CSV": ("panos-traffic", panos),
    "PAN-OS, CSV with header": ("panos-traffic", panos_export),
    "PAN-OS, syslog": ("panos-traffic", panos_syslog),
    "PAN-OS, syslog (RFC 5424)": ("panos-traffic", panos_ietf),
    "FortiGate": ("fortigate-traffic", fortigate),
    "FortiGate, old": ("fortigate-traffic", fortigate_old),
    "Cisco ASA": ("cisco-asa", cisco_asa),
    "Juniper SRX": ("juniper-srx", juniper_srx),
    "Juniper SRX, text": ("juniper-srx-text", juniper_srx_text),
    "AWS VPC": ("aws-vpc-flow", aws_vpc),
    "Zeek": ("zeek-conn", zeek),
    "Zeek, JSON": ("zeek-conn-json", zeek_json),
    "Suricata": ("suricata-flow", suricata),
}
