"""What senders say of their resets: the cause in F5 payloads and trailers, and diagnostic payloads, in both engines."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest
from support.command_line import SITUATIONS, run
from support.frames import ETHERNET, TCP, Record, ethernet, ipv4, pcap, tcp

from heuristics.protocol.reset_payload import PayloadKind
from heuristics.protocol.stated_cause import LONGEST, Diagnosis, diagnosis, stated_cause
from tests.lab.situations.by_hand import DIAGNOSES, f5_trailer

CLIENT, SERVER = bytes([192, 0, 2, 1]), bytes([198, 51, 100, 7])
SAYS = "the sender says why: "


def rows(path: Path, *options: str) -> list[dict[str, str]]:
    result = run("summarize", path, "--no-cache", "--format", "csv", *options)
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


@pytest.mark.parametrize("way", [(), ("--no-prefilter",), ("--from-plugin",)])
def test_a_big_ip_says_why_in_its_trailers(way: tuple[str, ...]) -> None:
    refused, expired = rows(SITUATIONS / "f5-ethernet-trailer.pcap", *way)
    for row, cause in ((refused, "No local listener"), (expired, "Flow expired (sweeper)")):
        assert row["cause"] == f"the load balancer closed the connection, and says why: {cause}"
        assert row["origin"] == "front-end"
        assert row["device"] == "F5 BIG-IP (95 %)"
        assert "bigip_cause" in row["evidence"]


def test_a_big_ip_says_why_in_its_payload() -> None:
    (row,) = rows(SITUATIONS / "big-ip-cause.pcap")
    assert row["cause"].endswith("says why: {peer} TCP RST from remote system")


@pytest.mark.parametrize("way", [(), ("--no-prefilter",), ("--from-plugin",)])
def test_both_forms_of_diagnostic_payloads_are_read(way: tuple[str, ...]) -> None:
    causes = [row["cause"] for row in rows(SITUATIONS / "diagnostic-payload.pcap", *way)]
    service = "; a NAT, firewall or proxy in the path may say this too"
    assert causes[0] == f"{SAYS}reason 8, malformed message{service}"
    assert causes[1] == causes[4] == f"{SAYS}reason 1234 of enterprise 32473"
    assert causes[2] == f"{SAYS}out of work items"
    assert causes[3] == f"{SAYS}reason 17, interference of a middlebox"
    assert causes[5].startswith("abort by the application")  # the payload is cut short, and says nothing


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (DIAGNOSES[0], Diagnosis(8, 0, None)),
        (DIAGNOSES[3], Diagnosis(17, 0, None)),
        (bytes.fromhex("33aaffffffffffff"), Diagnosis(65535, 2**32 - 1, None)),
        (bytes.fromhex("33aa0008000000"), None),
        (bytes.fromhex("193039a1011a00010000"), None),  # no reason has more than 16 bits
        (bytes.fromhex("193039a1026a"), None),
        (bytes.fromhex("193039bf0108ff"), None),  # a map without length
        (bytes.fromhex("193039a0"), None),
        (b"", None),
    ],
)
def test_a_diagnostic_payload_says_all_or_nothing(payload: bytes, said: Diagnosis | None) -> None:
    assert diagnosis(payload) == said


def mutated(dice: random.Random, payload: bytes) -> bytes:
    """A payload with some bytes changed, added or missing."""
    changed = bytearray(payload)
    for _ in range(dice.randrange(3)):
        changed[dice.randrange(len(changed))] = dice.choice((0, 1, 8, 10, 24, 27, 92, 120, 127, 163, 195, 255))
    tail = dice.choice((b"", b"", b"\\x41\\", b"\xc3\xa9\n\t", bytes(5)))
    return bytes(changed[: dice.randrange(3, len(changed) + 4)]) + tail


def hostile_capture(dice: random.Random) -> bytes:
    """Connections that a reset ends, whose payload or trailer is damaged or odd."""
    records = []
    texts = (
        b"No local listener",
        b"\x00",
        b"x" * 150,
        b" \\x0a\x1b[31m",
        b"caf\xc3\xa9",
        b"\xff\xfe\x07",
        b"",
        b"\\\\n a",
    )
    for number in range(80):
        reset = {"payload": b"", "tail": b""}
        if number % 4 == 0:
            reset["tail"] = f5_trailer(dice.choice(texts))
        elif number % 4 == 1:
            reset["payload"] = b"BIG-IP: [0x1ac:12] " + dice.choice(texts)
        else:
            reset["payload"] = mutated(dice, dice.choice(DIAGNOSES))
        for flags, turned in ((2, False), (0x12, True), (0x10, False), (0x14, True)):
            ends = (SERVER, CLIENT) if turned else (CLIENT, SERVER)
            ports = (443, 40000 + number) if turned else (40000 + number, 443)
            last = flags == 0x14
            segment = tcp(*ports, 100 + (flags != 2), 101, flags, 500, payload=reset["payload"] if last else b"")
            packet = ipv4(*ends, TCP, segment, ttl=52 if turned else 64, identification=number)
            frame = ethernet(0x0800, bytes(packet)) + (reset["tail"] if last else b"")
            records.append(Record(1_700_000_000_000_000_000 + len(records) * 10**7, frame, len(frame)))
    return pcap(records, ETHERNET)


@pytest.mark.parametrize("seed", [1, 2])
def test_both_engines_say_the_same_of_damaged_payloads(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "hostile.pcap"
    path.write_bytes(hostile_capture(random.Random(seed)))
    fast = rows(path)
    assert len(fast) == 80
    assert fast == rows(path, "--no-prefilter") == rows(path, "--from-plugin")
    assert sum("says why" in row["cause"] for row in fast) > 20
    assert all(row["cause"].isprintable() for row in fast)


def test_a_cause_is_cut_where_it_is_not_printable_or_long() -> None:
    kind = PayloadKind.NONE
    assert stated_cause(kind, None, "a\x1b[31mb", None) == "a"
    assert stated_cause(kind, None, "\x1b", None) is None
    assert stated_cause(kind, None, "y" * 500, None) == "y" * LONGEST
