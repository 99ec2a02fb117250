"""The plugin and postproc agree on every packet of every capture we have, whatever the user's settings and rules."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support import frames, public_captures
from support.flows_by_hand import OPEN, Talk, written
from support.parity import (
    CAPTURES,
    HOP_FIELDS,
    LUA_ERROR,
    RESET_FIELDS,
    WHOLE_FILE,
    Run,
    captures,
    compare,
    differences,
    export,
    listed,
    postproc_rows,
    run_plugin,
    system_wireshark,
)

from generator.render import render_plugin
from heuristics.protocol.tshark_fields import ACK, PROTOCOL_ICMP, RST, SYN
from heuristics.rulebook.model import Rulebook, load

PLUGIN_ONLY = {"baseline_frame", "sent_from", "state"}  # tested in test_plugin_details.py
TABLES = (CAPTURES / "situations" / "expected.csv", public_captures.TABLE)

OVERLAY = """
[rulebook]
name = "overlay"

[verdict]
prior = -10
likely_forged = 150

[thresholds]
burst_gap_us = 1_000
seq_reach = 65_536

[define.max_baseline_distance]
is = "20"

[define.same_path]
is = ["host_has_one_path", "flow_label == opening_label"]

[define.answer_us]
meaning = "for tests"
is = "max(response_us, 20)"

[define.answered_late]
meaning = "for tests"
is = ["answer_us > 20_000 and not known(ts_step)", "ip_version == 6 and idle_us > burst_gap_us"]

[[rule]]
id = "hop_gap"
weight = 120

[[rule]]
id = "late"
title = "Late"
when = ["answered_late and not fin_before", "known(answer_us) and answer_us == 20"]
weight = 5
say = "answered after {answer_us} us, late: {answered_late}, more than {burst_gap_us} us and {max_id_step}"
reference = "made up"

[[rule]]
id = "after_fin"
enabled = false

[[rule]]
id = "far_answer"
title = "A \\"far\\" answer \\\\ 100 %"
when = "response_us > 20_000 and stage in {'post-ack', 'post-psh', 'later'} or abs(seq_ahead) == max(1, 2) - 1"
weight = 55
say = "answered after {response_us} us {{{stage}}}"
reference = "made up"

[[rule]]
id = "unmeasured"
title = "No round trip"
when = "not known(rtt_us) and not fin_before"
weight = -35
say = "round trip {rtt_us}, acknowledged {acked_us}"
reference = "made up"

[[reason]]
id = "mine"
when = "window == 0 and has_ack"
say = "window {window}, IP ID {ip_id}, flow label {flow_label}: 100 % of it"
"""

# Settings that Wireshark users change. None may change a verdict, since the plugin reads only header fields. Settings
# of one set do not cancel each other: without sequence analysis there are no relative numbers to switch off.
SETTINGS = (
    (
        *("-o", "tcp.relative_sequence_numbers:FALSE"),
        *("-o", "tcp.desegment_tcp_streams:FALSE"),
        *("-o", "ip.defragment:FALSE"),
        *("-o", "ip.decode_tos_as_diffserv:FALSE"),
        *("-o", "tcp.calculate_timestamps:FALSE"),
        *("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"),
        *("-o", "tcp.try_heuristic_first:TRUE"),
        *("-t", "r"),
        # this preference went with Wireshark 4.2
        *(("-o", "frame.generate_epoch_time:FALSE") if system_wireshark().version < (4, 2) else ()),
    ),
    ("-o", "tcp.analyze_sequence_numbers:FALSE"),
)


each_capture = pytest.mark.parametrize(
    "capture", [*captures(), *public_captures.SKIPPED], ids=lambda capture: capture.name
)


@pytest.fixture(scope="module")
def overlaid(tmp_path_factory: pytest.TempPathFactory) -> Rulebook:
    """The default rulebook with other limits, thresholds and weights, a disabled rule, new rules and a new reason."""
    overlay = tmp_path_factory.mktemp("rulebook") / "overlay.toml"
    overlay.write_text(OVERLAY, encoding="utf-8")
    return load(overlays=[overlay])


@pytest.fixture(scope="module")
def samename(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hosts file that gives several addresses one name, as DNS may do. They are still several hosts."""
    hosts = tmp_path_factory.mktemp("names") / "hosts"
    addresses = ("192.0.2.2", "203.0.113.2", "2001:db8:1::2", "2001:db8:5::2")
    hosts.write_text("".join(f"{address} samename\n" for address in addresses), encoding="utf-8")
    return hosts


@cache
def usual_run(capture: Path) -> Run:
    """The plugin over the whole file with the default rulebook and settings."""
    return run_plugin(capture, system_wireshark(), load())


@cache
def exported(capture: Path) -> pl.DataFrame:
    """The packets that postproc reads from tshark."""
    return export(capture, system_wireshark())


def several(count: int) -> list[Path]:
    """`count` of our captures, at equal intervals."""
    every = captures()
    return every[:: max(1, len(every) // count)][:count]


def test_there_are_captures_with_resets() -> None:
    assert len(captures()) >= 40
    run = usual_run(CAPTURES / "situations" / "nat-expires-sessions.pcap")
    assert sum("verdict" in row for row in run.rows.values()) >= 5
    assert sum("flow_verdict" in row for row in run.rows.values()) > sum("verdict" in row for row in run.rows.values())


def test_every_field_of_the_plugin_is_compared() -> None:
    declared = re.findall(r'ProtoField\.\w+\("rstorigin\.(\w+)"', render_plugin(load()))
    assert set(declared) - PLUGIN_ONLY == {*HOP_FIELDS, *RESET_FIELDS}


@each_capture
def test_engines_agree(capture: Path) -> None:
    agrees(capture, usual_run(capture), load())


@each_capture
def test_engines_agree_whatever_the_users_rules_settings_and_names(
    capture: Path, overlaid: Rulebook, samename: Path
) -> None:
    settings = SETTINGS[captures().index(capture) // 2 % 2]  # each set for clients and for servers
    options = (*WHOLE_FILE, *settings, "-N", "n", "-H", samename)
    agrees(capture, run_plugin(capture, system_wireshark(), overlaid, options), overlaid)


def agrees(capture: Path, run: Run, rulebook: Rulebook) -> None:
    """Asserts that `run`, of the plugin, was clean, and that postproc gives the same rows."""
    assert (run.errors, run.stderr) == ((), "")
    found = differences(capture.name, run.rows, postproc_rows(exported(capture), rulebook))
    assert not found, listed(found)


def test_the_overlay_has_an_effect(overlaid: Rulebook) -> None:
    lab = CAPTURES / "lab"
    raws = [exported(lab / name) for name in ("06_benign.client.pcap", "08_far_firewall.client.pcap")]
    usual, other = ([row for raw in raws for row in postproc_rows(raw, rules).values()] for rules in (load(), overlaid))
    assert {"far_answer", "unmeasured"} <= fired(other)
    assert "after_fin" in fired(usual) - fired(other)
    assert [row for row in other if "100 % of it" in row.get("reason", "")]


def fired(rows: Iterable[dict[str, str]]) -> set[str]:
    """All rules that fired."""
    return {rule for row in rows for rule in row.get("evidence", "").split(",")}


def judged_by_hand() -> list[Any]:
    found = []
    for table in TABLES:
        if not table.is_file():
            found.append(pytest.param(table, [], set(), marks=public_captures.needs_public_captures, id="public"))
            continue
        with table.open(encoding="utf-8", newline="") as file:
            found += [
                pytest.param(
                    table.with_name(row["capture"]),
                    [int(frame) for frame in row["frames"].split()],
                    set(row["accept"].split("|")),
                    id=f"{row['capture']}-{row['frames'].partition(' ')[0]}",
                )
                for row in csv.DictReader(file)
            ]
    return found


@pytest.mark.parametrize(("capture", "frames", "accepted"), judged_by_hand())
def test_the_plugin_gives_a_verdict_that_a_person_accepts(capture: Path, frames: list[int], accepted: set[str]) -> None:
    run = usual_run(capture)
    assert {run.rows[frame]["verdict"] for frame in frames} <= accepted


@each_capture
def test_one_pass_is_provisional_and_clean(capture: Path) -> None:
    provisional = run_plugin(capture, system_wireshark(), load(), ("-Y", f"rstorigin || {LUA_ERROR}"))
    whole = usual_run(capture)
    assert not provisional.errors
    warning = "rstorigin: each verdict uses only the packets before the reset"
    assert all(line.startswith(warning) for line in provisional.stderr.splitlines())
    assert provisional.rows.keys() == whole.rows.keys()
    for frame, row in provisional.rows.items():
        for field in ("hop_limit", "stage", "response_us", "observed.seq_ahead"):
            assert row.get(field) == whole.rows[frame].get(field), (capture.name, frame, field)


@pytest.mark.parametrize("capture", several(8), ids=lambda capture: capture.name)
def test_two_passes_without_a_filter_warn_once(capture: Path) -> None:
    one_pass = run_plugin(capture, system_wireshark(), load(), ())
    two_passes = run_plugin(capture, system_wireshark(), load(), ("-2",))
    assert not two_passes.errors
    assert two_passes.stderr.count("rstorigin") == 1
    assert len(two_passes.stderr.splitlines()) == 1
    found = differences(capture.name, two_passes.rows, one_pass.rows)
    assert not found, listed(found)


def test_a_header_of_another_ip_version_carries_no_segment(tmp_path: Path) -> None:
    """Wireshark does not dissect it further, whatever the Ethernet type is."""
    packets = Talk(ipv6=True).packets((*OPEN, "> PA 100", "< PA 100", "> A", "> R"))
    packets[3].payload.version = 15
    found = compare(written(tmp_path / "version15.pcap", packets), system_wireshark(), load())
    assert not found, listed(found)


@pytest.mark.parametrize("version", [4, 5, 15])
def test_an_icmp_error_quotes_no_packet_of_another_ip_version(version: int, tmp_path: Path) -> None:
    """Wireshark names the header, but does not dissect it."""
    target, router = bytes((203, 0, 113, 7)), bytes((198, 51, 100, 1))
    prober = bytes((192, 0, 2, 1))
    segment = frames.tcp(50000, 80, 1, 0, SYN, 500)
    probe = bytes(frames.ipv4(prober, target, frames.TCP, segment, ttl=31))
    quoted = bytes([version * 16 + 5]) + probe[1:]
    error = frames.ipv4(router, prober, PROTOCOL_ICMP, bytes((3, 1, 0, 0, 0, 0, 0, 0)) + quoted, ttl=60)
    data = frames.link_frame(frames.RAW, error)
    capture = tmp_path / f"quoted{version}.pcap"
    capture.write_bytes(frames.pcap([frames.Record(10**18, data, len(data))], frames.RAW))
    found = compare(capture, system_wireshark(), load())
    assert not found, listed(found)
    row = run_plugin(capture, system_wireshark(), load()).rows[1]
    assert row.get("quoted_hop_limit") == ("31" if version == 4 else None)


@pytest.mark.parametrize("without", [range(8), range(4, 8), (0,)], ids=["all", "the last", "the first"])
def test_frames_without_a_time(without: Sequence[int], tmp_path: Path) -> None:
    """Simple packet blocks of pcapng have no time."""
    packets = Talk().packets((*OPEN, "> PA 100", "< PA 100", "> A", "> PA 100", "< R"))
    times = [None if number in without else int(packet.time * 10**9) for number, packet in enumerate(packets)]
    capture = tmp_path / "timeless.pcapng"
    capture.write_bytes(frames.pcapng(zip(times, map(bytes, packets), strict=True)))
    found = compare(capture, system_wireshark(), load())
    assert not found, listed(found)


def test_the_locale_does_not_matter(tmp_path: Path) -> None:
    """In en_US.UTF-8 the C library treats bytes that are not UTF-8 as equal, such as 192 and 203 in two addresses."""
    ends = (bytes((192, 0, 2, 1)), bytes((203, 0, 2, 1)))
    flags = (SYN, SYN | ACK, ACK, ACK, RST | ACK)
    records = []
    for number, flag in enumerate(flags):
        source, target = ends if number % 2 == 0 else ends[::-1]
        segment = frames.tcp(179, 179, 1 + number // 2, 1, flag, 500)
        packet = frames.ipv4(source, target, frames.TCP, segment, ttl=60 - number % 2)
        data = frames.link_frame(frames.RAW, packet)
        records.append(frames.Record(10**18 + number * 10**6, data, len(data)))
    capture = tmp_path / "ports179.pcap"
    capture.write_bytes(frames.pcap(records, frames.RAW))
    with tempfile.TemporaryDirectory(prefix="rstorigin-locale-") as folder:
        compiled = Path(folder) / "en_US.UTF-8"
        if shutil.which("localedef") is None or not _localedef(compiled):
            pytest.skip("no localedef, or no locale sources, on this machine")
        Path(folder).chmod(0o755)
        plain = system_wireshark()
        local = replace(plain, command=(*plain.command, f"LOCPATH={folder}", "LC_ALL=en_US.UTF-8"))
        found = compare(capture, local, load())
    assert not found, listed(found)


def _localedef(target: Path) -> bool:
    subprocess.run(["localedef", "-i", "en_US", "-f", "UTF-8", str(target)], capture_output=True, check=False)
    return target.is_dir()
