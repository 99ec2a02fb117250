"""One flow for each signature of the study of connection tampering."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command_line import run
from support.flows_by_hand import CLOSE, OPEN, Talk, written

SIGNATURES = {
    "⟨SYN → RST⟩": ["> S", "> R"],
    "⟨SYN → RST+ACK⟩": ["> S", "> RA"],
    "⟨SYN → RST; RST+ACK⟩": ["> S", "> R", "> RA"],
    "⟨SYN; ACK → RST⟩": [*OPEN, "> R"],
    "⟨SYN; ACK → RST; RST⟩": [*OPEN, "> R", "> R"],
    "⟨SYN; ACK → RST+ACK⟩": [*OPEN, "> RA"],
    "⟨SYN; ACK → RST+ACK; RST+ACK⟩": [*OPEN, "> RA", "> RA"],
    "⟨PSH+ACK → RST⟩": [*OPEN, "> PA 100", "> R"],
    "⟨PSH+ACK → RST+ACK⟩": [*OPEN, "> PA 100", "> RA"],
    "⟨PSH+ACK → RST; RST+ACK⟩": [*OPEN, "> PA 100", "> R", "> RA", "> RA"],
    "⟨PSH+ACK → RST+ACK; RST+ACK⟩": [*OPEN, "> PA 100", "> RA", "> RA"],
    "⟨PSH+ACK → RST = RST⟩": [*OPEN, "> PA 100", "> R ack=7", "> R ack=7"],
    "⟨PSH+ACK → RST ≠ RST⟩": [*OPEN, "> PA 100", "> R ack=7", "> R ack=8"],
    "⟨PSH+ACK → RST; RST₀⟩": [*OPEN, "> PA 100", "> R ack=7", "> R ack=0"],
    "⟨PSH+ACK; Data → RST⟩": [*OPEN, "> PA 100", "> PA 100", "> R"],
    "⟨PSH+ACK; Data → RST+ACK⟩": [*OPEN, "> PA 100", "> PA 100", "> RA"],
}
NONE = {
    "start missing": ["> PA 100", "> R"],
    "nothing but a reset": ["> R"],
    "after the end": [*OPEN, *CLOSE, "> R"],
    "a mixture after the handshake": [*OPEN, "> R", "> RA"],
    "a mixture after data": [*OPEN, "> PA 100", "> PA 100", "> R", "> RA"],
}


def signatures(folder: Path, steps: list[str]) -> list[str | None]:
    capture = written(folder / "a.pcap", Talk().packets(steps))
    resets = json.loads(run("summarize", capture, "--format", "json").stdout)["resets"]
    assert len(resets) == sum(" R" in step for step in steps)
    return [reset["signature"] for reset in resets]


def test_there_are_as_many_as_the_study_has_with_a_reset() -> None:
    assert len(SIGNATURES) == 19 - 3  # three are of flows that fall silent, without a reset


@pytest.mark.parametrize(("signature", "steps"), SIGNATURES.items(), ids=list(SIGNATURES))
def test_each_signature(tmp_path: Path, signature: str, steps: list[str]) -> None:
    assert set(signatures(tmp_path, steps)) == {signature}


@pytest.mark.parametrize("steps", NONE.values(), ids=list(NONE))
def test_what_fits_none_has_none(tmp_path: Path, steps: list[str]) -> None:
    assert set(signatures(tmp_path, steps)) == {None}


def test_resets_in_the_servers_name_are_written_alike(tmp_path: Path) -> None:
    assert signatures(tmp_path, ["> S", "< RA"]) == ["⟨SYN → RST+ACK⟩"]


def test_a_copy_of_a_packet_is_no_second_reset(tmp_path: Path) -> None:
    packets = Talk().packets([*OPEN, "> R"])
    copy = packets[-1].copy()
    copy.time = packets[-1].time + 0.0001
    capture = written(tmp_path / "a.pcap", [*packets, copy])
    resets = json.loads(run("summarize", capture, "--format", "json").stdout)["resets"]
    assert [reset["signature"] for reset in resets] == ["⟨SYN; ACK → RST⟩"] * 2


def test_other_formats_leave_it_out(tmp_path: Path) -> None:
    capture = written(tmp_path / "a.pcap", Talk().packets(["> S", "< RA"]))
    for format_ in ("csv", "jsonl", "table"):
        result = run("summarize", capture, "--format", format_)
        assert (result.exit_code, "⟨" in result.stdout) == (0, False)
