"""Each line of a packet log is a packet, judged like the captured one as far as the log shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.blanked_exports import blanked
from support.command_line import FORGED, GENUINE, LAB, SITUATIONS, run, verdicts
from support.log_lines import filterlog, netfilter
from support.packet_text import written

from postproc.capture.file_type import FileType, file_type_of
from postproc.capture.text.packet_logs.log_clock import LogClock

TEXTS = Path(__file__).parent / "texts"
PATHS = [
    *(FORGED, GENUINE, SITUATIONS / "client-aborts-ipv6.pcap", SITUATIONS / "firewall-refuses.pcap"),
    *(LAB / f"{name}.client.pcap" for name in ("03_reject_midstream_r1", "07c_gfw_like_r1", "10_server_ttl128")),
]


def resets(rows: list[dict[str, str]], *without: str) -> list[dict[str, str]]:
    """The rows of resets, but for frame numbers and some columns."""
    return [row | dict.fromkeys(("frame", *without), "") for row in rows if row["kind"] == "rst"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_netfilter_with_numbers_and_options_holds_everything(tmp_path: Path, path: Path) -> None:
    """But for what a reset carries, and reserved flags; and but for flows whose handshake is not logged."""
    expected = resets(verdicts(blanked(path, tmp_path, ("tcp.reset_cause",))))
    assert expected
    assert resets(verdicts(written(tmp_path, netfilter(path)))) == expected


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_filterlog_holds_all_but_addresses_of_the_link_and_timestamps(tmp_path: Path, path: Path) -> None:
    missing = ("eth.src", "eth.dst", "tcp.options.timestamp.tsval", "tcp.reset_cause")
    found = {key(row): row["verdict"] for row in verdicts(written(tmp_path, filterlog(path)))}
    expected = {key(row): row["verdict"] for row in verdicts(blanked(path, tmp_path, missing)) if row["kind"] == "rst"}
    assert expected
    assert found == expected


def key(row: dict[str, str]) -> tuple[str, ...]:
    return row["time"], row["src"], row["sport"], row["dst"], row["dport"], row["hop_limit"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_netfilter_without_numbers_accuses_nobody_else(tmp_path: Path, path: Path) -> None:
    whole = {key(row): row["verdict"] for row in verdicts(path)}
    found = verdicts(written(tmp_path, netfilter(path, sequence=False)))
    accused = [row for row in found if row["kind"] == "rst" and "forged" in row["verdict"]]
    assert [row for row in accused if "genuine" in whole[key(row)]] == []
    assert len(resets(found)) == sum(1 for row in verdicts(path) if row["kind"] == "rst")


def test_a_real_log_of_ulogd(tmp_path: Path) -> None:
    """Resets of a kernel on loopback, logged by nftables `log group` and ulogd's LOGEMU."""
    log = TEXTS / "netfilter-ulogd.log"
    assert file_type_of(log) is FileType.PACKET_TEXT
    rows = verdicts(log)
    assert [row["verdict"] for row in rows if row["kind"] == "rst"] == ["likely genuine"] * 6
    assert len(rows) == 8
    assert "times of whole seconds are left out" in run("summarize", log).stderr


def test_a_real_trace_of_nmap(tmp_path: Path) -> None:
    trace = TEXTS / "nmap-packet-trace.txt"
    rows = verdicts(trace)
    assert [(row["kind"], row["src"], row["hop_limit"]) for row in rows[:3]] == [
        ("rst", "192.0.2.2", "64"),
        ("icmp", "192.0.2.2", "64"),
        ("rst", "192.0.2.2", "64"),
    ]
    assert len(rows) == 7
    assert run("summarize", trace).stderr.count("not understood") == 0


def test_lines_that_are_no_packets_are_counted(tmp_path: Path) -> None:
    log = (
        netfilter(FORGED) + "host kernel: usb 1-1: new device\nhost kernel: fw: IN=eth0 OUT= SRC=1 DST=2 LEN=4 TTL=9\n"
    )
    result = run("summarize", written(tmp_path, log))
    assert "1 packet not understood, first: host kernel: fw: IN=eth0" in result.stderr
    assert "1 line not understood, first: host kernel: usb 1-1" in result.stderr


@pytest.mark.parametrize(
    ("prefix", "time_us"),
    [
        ("2026-11-30T12:00:00.25+01:00 host kernel: ", 1_796_036_400_250_000),
        ("2026-11-30 12:00:00,250000 ", 1_796_040_000_250_000),
        ("Jan  2 00:00:00.000001 host ", 86_400_000_001),
        ("[   12.000005] ", 12_000_005),
        ("Nov 30 12:00:00 host kernel: ", None),
        ("2026-13-45T12:00:00.25Z ", None),
        ("", None),
    ],
)
def test_times(prefix: str, time_us: int | None) -> None:
    assert LogClock().time_us(prefix) == time_us


def test_the_kernels_clock_counts_from_the_first_date() -> None:
    clock = LogClock()
    first = clock.time_us("2026-11-30T12:00:00.250000Z host kernel: [  10.000000] ")
    assert first is not None
    assert clock.time_us("2026-11-30T12:00:07.000000Z host kernel: [  10.000400] ") == first + 400
