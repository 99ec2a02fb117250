"""The plugin and postproc agree on every packet of every capture we have, whatever the user's settings and rules."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import frames
import pytest
from parity import (
    CAPTURES,
    HOP_FIELDS,
    LUA_ERROR,
    RESET_FIELDS,
    WHOLE_FILE,
    Run,
    captures,
    compare,
    differences,
    listed,
    run_plugin,
    system_wireshark,
)

from generator.render import render_plugin
from heuristics.fields import ACK, RST, SYN
from heuristics.rulebook import Rulebook, load

PLUGIN_ONLY = {"baseline_frame", "state"}  # tested in test_plugin_details.py
EXPECTED = CAPTURES / "real" / "expected.csv"

OVERLAY = """
[rulebook]
name = "overlay"

[verdict]
prior = -10
likely_forged = 150

[thresholds]
burst_gap_us = 1_000
seq_reach = 65_536

[[rule]]
id = "hop_gap"
weight = 120

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

# Settings that Wireshark users change. None may change a verdict, since only header fields are read.
SETTINGS = {
    "absolute_sequence_numbers": ("-o", "tcp.relative_sequence_numbers:FALSE"),
    "no_sequence_analysis": ("-o", "tcp.analyze_sequence_numbers:FALSE"),
    "no_stream_reassembly": ("-o", "tcp.desegment_tcp_streams:FALSE"),
    "no_ip_reassembly": ("-o", "ip.defragment:FALSE"),
    "old_type_of_service": ("-o", "ip.decode_tos_as_diffserv:FALSE"),
    "no_conversation_timestamps": ("-o", "tcp.calculate_timestamps:FALSE"),
    "checked_checksums": ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"),
    "subdissector_first": ("-o", "tcp.try_heuristic_first:TRUE"),
    "seconds_since_start": ("-t", "r"),
}


@pytest.fixture(scope="module")
def overlaid(tmp_path_factory: pytest.TempPathFactory) -> Rulebook:
    """The default rulebook with other limits, thresholds and weights, a disabled rule, new rules and a new reason."""
    overlay = tmp_path_factory.mktemp("rulebook") / "overlay.toml"
    overlay.write_text(OVERLAY, encoding="utf-8")
    return load(overlays=[overlay])


@cache
def usual_run(capture: Path) -> Run:
    """The plugin over the whole file with the default rulebook and settings."""
    return run_plugin(capture, system_wireshark(), load())


def several(count: int) -> list[Path]:
    """Every so many captures of those we have, `count` in all."""
    every = captures()
    return every[:: max(1, len(every) // count)][:count]


def test_there_are_captures_with_resets() -> None:
    assert len(captures()) >= 40
    run = run_plugin(CAPTURES / "real" / "Teredo.pcap", system_wireshark(), load())
    assert sum("verdict" in row for row in run.rows.values()) >= 5
    assert sum("flow_verdict" in row for row in run.rows.values()) > sum("verdict" in row for row in run.rows.values())


def test_every_field_of_the_plugin_is_compared() -> None:
    declared = re.findall(r'ProtoField\.\w+\("rstorigin\.(\w+)"', render_plugin(load()))
    assert set(declared) - PLUGIN_ONLY == {*HOP_FIELDS, *RESET_FIELDS}


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
def test_engines_agree(capture: Path, overlaid: Rulebook) -> None:
    for rulebook in (load(), overlaid):
        found = compare(capture, system_wireshark(), rulebook)
        assert not found, listed(found)


def test_the_overlay_has_an_effect(overlaid: Rulebook) -> None:
    rules = {"far_answer", "unmeasured"}
    fired, reasons = set(), set()
    for capture in several(15):
        run = run_plugin(capture, system_wireshark(), overlaid)
        fired |= {rule for row in run.rows.values() for rule in row.get("evidence", "").split(",")}
        reasons |= {row["reason"] for row in run.rows.values() if "100 % of it" in row.get("reason", "")}
    assert rules <= fired
    assert "after_fin" not in fired
    assert reasons


def judged_by_hand() -> list[tuple[str, list[int], set[str]]]:
    with EXPECTED.open(encoding="utf-8", newline="") as file:
        return [
            (row["capture"], [int(frame) for frame in row["frames"].split()], set(row["accept"].split("|")))
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize(("name", "frames", "accepted"), judged_by_hand())
def test_the_plugin_gives_a_verdict_that_a_person_accepts(name: str, frames: list[int], accepted: set[str]) -> None:
    run = usual_run(CAPTURES / "real" / name)
    assert {run.rows[frame]["verdict"] for frame in frames} <= accepted


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
def test_one_pass_is_provisional_and_clean(capture: Path) -> None:
    provisional = run_plugin(capture, system_wireshark(), load(), ("-Y", f"rstorigin || {LUA_ERROR}"))
    whole = usual_run(capture)
    assert not provisional.errors
    assert provisional.stderr == ""
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


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS.keys())
def test_settings_do_not_matter(setting: tuple[str, ...]) -> None:
    for capture in several(10):
        other = run_plugin(capture, system_wireshark(), load(), (*WHOLE_FILE, *setting))
        assert (other.errors, other.stderr) == ((), "")
        found = differences(capture.name, other.rows, usual_run(capture).rows)
        assert not found, listed(found)


@pytest.mark.skipif(system_wireshark().version >= (4, 2), reason="this preference went with Wireshark 4.2")
def test_the_epoch_time_preference_does_not_matter() -> None:
    for capture in several(5):
        options = (*WHOLE_FILE, "-o", "frame.generate_epoch_time:FALSE")
        found = differences(
            capture.name, run_plugin(capture, system_wireshark(), load(), options).rows, usual_run(capture).rows
        )
        assert not found, listed(found)


def test_names_do_not_matter(tmp_path: Path) -> None:
    """Two addresses of one name, as a hosts file or DNS may give them, stay two hosts."""
    hosts = tmp_path / "hosts"
    addresses = ("192.0.2.2", "203.0.113.2", "2001:db8:1::2", "2001:db8:5::2")
    hosts.write_text("".join(f"{address} samename\n" for address in addresses), encoding="utf-8")
    for capture in several(10):
        named = run_plugin(capture, system_wireshark(), load(), (*WHOLE_FILE, "-N", "n", "-H", hosts))
        assert (named.errors, named.stderr) == ((), "")
        found = differences(capture.name, named.rows, usual_run(capture).rows)
        assert not found, listed(found)


def test_the_locale_does_not_matter(tmp_path: Path) -> None:
    """In en_US.UTF-8 the C library takes bytes that are no UTF-8 for equal, such as 192 and 203 of two addresses."""
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
