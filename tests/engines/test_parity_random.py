"""The plugin and postproc agree on random captures.

`make test` tries a few, `make test-random` many more; with HYPOTHESIS_PROFILE=deep it runs for about half an hour. A
failure prints the blob that brings it back (`@reproduce_failure`) and keeps the smallest capture found.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, note, settings
from support.parity import compare, listed, system_wireshark
from support.random_captures import NEVER, random_captures

from heuristics.rulebook.model import load

# Each example takes two runs of tshark, most of it their start: 0.3 s for 10 packets, 0.4 s for 200.
EXAMPLES = {"default": 8, "more": 60, "deep": 600}
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")
FAILED = Path(tempfile.gettempdir()) / f"rstorigin-failed-{os.getuid()}"  # captures that failed stay here

# The run time of an example varies with the load of the machine: that is no failure.
fuzzed = settings(
    max_examples=EXAMPLES.get(PROFILE, EXAMPLES["default"]),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def check(capture: bytes, name: str) -> None:
    """Both engines agree on `capture`. If not, the capture is kept, and its path is in the message."""
    FAILED.mkdir(exist_ok=True)
    path = FAILED / f"{name}.pcap"  # the last failing capture that Hypothesis tries is the smallest
    path.write_bytes(capture)
    note(f"capture kept as {path}")
    found = compare(path, system_wireshark(), load())
    assert not found, f"{listed(found)}\ncapture kept as {path}"
    path.unlink()


@fuzzed
@given(random_captures(packets=80, odd_one_in=NEVER))
def test_engines_agree_on_plain_conversations(capture: bytes) -> None:
    check(capture, "plain_conversations")


@fuzzed
@given(random_captures(packets=150))
def test_engines_agree_on_many_conversations(capture: bytes) -> None:
    check(capture, "many_conversations")


@fuzzed
@given(random_captures(packets=100, odd_one_in=2))
def test_engines_agree_on_tunnels_and_fragments(capture: bytes) -> None:
    check(capture, "tunnels_and_fragments")


@fuzzed
@given(random_captures(packets=100, odd_one_in=4, damaged_one_in=3))
def test_engines_agree_on_damaged_packets(capture: bytes) -> None:
    check(capture, "damaged_packets")
